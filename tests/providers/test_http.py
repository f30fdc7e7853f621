"""The transport on real sockets."""

from __future__ import annotations

import asyncio
import gc
import gzip
import random
import socket
import ssl
import threading
from contextlib import suppress

import pytest

from moa.core.errors import BadReply, Cut, Overloaded, Unreachable
from moa.core.ports import Scope
from moa.core.types import Call, Request, user
from moa.providers._http import Aiohttp, _Exchange
from moa.providers.hosts import custom
from moa.providers.remote import Remote
from moa.wrap.attempts import Attempts
from providers.upstream import http, upstream


async def got(transport: Aiohttp, url: str, limit: int = 1 << 20) -> bytes:
    async with transport.request("POST", url, {}, b"{}") as response:
        return await response.read(limit)


def test_a_loop_ends_though_a_name_server_is_still_silent(monkeypatch: pytest.MonkeyPatch):
    asked, ended, given_up, outcome = threading.Event(), threading.Event(), threading.Event(), []

    def getaddrinfo(*_, **__):
        asked.set()
        outcome.append(ended.wait(20))
        given_up.set()
        raise socket.gaierror(socket.EAI_AGAIN, "late")

    async def main():
        transport = Aiohttp()
        call = asyncio.create_task(got(transport, "http://model.example.invalid/v1"))
        await asyncio.to_thread(asked.wait)
        call.cancel()
        await asyncio.wait({call})
        await transport.aclose()

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    asyncio.run(main())
    ended.set()
    given_up.wait()
    assert outcome == [True]


def test_a_name_that_is_not_there_is_unreachable(monkeypatch: pytest.MonkeyPatch):
    def getaddrinfo(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    async def main():
        transport = Aiohttp()
        with pytest.raises(Unreachable):
            await got(transport, "http://model.example.invalid/v1")
        await transport.aclose()

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    asyncio.run(main())


def test_a_body_that_unpacks_to_more_than_the_limit_is_refused():
    """F16."""
    bomb = gzip.compress(b"0" * 50_000_000)

    async def main():
        transport = Aiohttp()
        async with upstream(http(200, bomb, content_encoding="gzip")) as server:
            with pytest.raises(BadReply, match="longer than 1048576 bytes"):
                await got(transport, server.url)
            assert "accept-encoding: identity" in server.heads[0].lower()
        await transport.aclose()

    asyncio.run(main())


def test_the_environments_proxy_is_not_asked(monkeypatch):
    async def main():
        transport = Aiohttp()
        async with upstream(http(200, "ours")) as server, upstream(http(200, "proxy")) as proxy:
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
            assert await got(transport, server.url) == b"ours"
            assert proxy.heads == []
        await transport.aclose()

    asyncio.run(main())


def test_one_transport_serves_one_event_loop_after_the_other():
    transport = Aiohttp()

    async def main():
        async with upstream(http(200, "yes")) as server:
            assert await got(transport, server.url) == b"yes"
        await transport.aclose()
        await transport.aclose()

    for _ in range(3):
        asyncio.run(main())


def address(server: asyncio.Server) -> str:
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def serving(first: list[bytes]):
    """A server that answers as many requests on its first connection as `first` has answers, then reads the next and hangs up.

    Later connections answer "fresh" once.
    """
    connections = []

    async def serve(reader, writer):
        connections.append(writer)
        answers = first if len(connections) == 1 else [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfresh"]
        with suppress(asyncio.IncompleteReadError):  # the client left first
            for answer in answers:
                await reader.readuntil(b"{}")
                writer.write(answer)
            await reader.readuntil(b"{}")
        writer.close()

    return connections, serve


def test_a_kept_connection_the_host_hangs_up_on_is_replaced_unnoticed():
    """F20."""

    async def main():
        transport = Aiohttp()
        connections, serve = serving([b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"])
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = address(server)
        async with server:
            assert await got(transport, url) == b"ok"
            assert await got(transport, url) == b"fresh"
            assert len(connections) == 2
            await transport.aclose()

    asyncio.run(main())


def test_where_several_kept_connections_are_dead_the_second_try_takes_a_new_one():
    """F20."""

    async def main():
        transport, connections = Aiohttp(), []

        async def serve(reader, writer):
            connections.append(writer)
            number = len(connections)
            with suppress(asyncio.IncompleteReadError):
                await reader.readuntil(b"{}")
                while number <= 3 and len(connections) < 3:
                    await asyncio.sleep(0.01)  # so that all three are open at once
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                await reader.readuntil(b"{}")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = address(server)
        async with server:
            assert await asyncio.gather(*(got(transport, url) for _ in range(3))) == [b"ok"] * 3
            assert await got(transport, url) == b"ok"
            assert len(connections) == 4
            await transport.aclose()

    asyncio.run(main())


def test_a_connection_that_is_kept_holds_nothing_of_the_request_it_was_made_for():
    async def main():
        transport = Aiohttp()
        async with upstream(http(200, "ok")) as server:
            await asyncio.create_task(got(transport, server.url))
            gc.collect()
            held = [one for one in gc.get_objects() if isinstance(one, _Exchange)]
        await transport.aclose()
        return held

    assert asyncio.run(main()) == []


def test_a_new_connection_the_host_hangs_up_on_is_an_error_at_once():
    async def main():
        transport = Aiohttp()
        connections, serve = serving([])
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = address(server)
        async with server:
            with pytest.raises(Cut):
                await got(transport, url)
            assert len(connections) == 1
            await transport.aclose()

    asyncio.run(main())


def test_a_host_that_went_away_between_two_requests_is_unreachable():
    async def main():
        transport = Aiohttp()
        _, serve = serving([b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"])
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = address(server)
        async with server:
            assert await got(transport, url) == b"ok"
            server.close()
            with pytest.raises(Unreachable):
                await got(transport, url)
            await transport.aclose()

    asyncio.run(main())


def test_a_whole_stream_leaves_its_connection_for_the_next_request():
    async def main():
        transport, connections = Aiohttp(), []

        async def serve(reader, writer):
            connections.append(writer)
            while not reader.at_eof():
                try:
                    await reader.readuntil(b"{}")
                except asyncio.IncompleteReadError:
                    break
                writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ndone\r\n")
                await writer.drain()
                await asyncio.sleep(0.001)
                writer.write(b"0\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = address(server)
        async with server:
            for _ in range(3):
                async with transport.request("POST", url, {}, b"{}") as response:
                    assert await response.piece() == b"done"
                    await response.drain()
            assert len(connections) == 1
            await transport.aclose()

    asyncio.run(main())


def test_an_unknown_name_is_unreachable():
    """F19."""

    async def main():
        transport = Aiohttp()
        with pytest.raises(Unreachable):
            await got(transport, "http://no-such-host.invalid/")
        await transport.aclose()

    asyncio.run(main())


# A certificate for 127.0.0.1 that nobody has signed, good until 2126; it protects nothing.
OWN_KEY = (
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg0zwjU8tjjYo8G6pLe7hW5CuMFaEm2IAHNy+KDVamonGhRANCAATX"
    "ci/jZG1TWkSauw4bvDtMa+e5X4Z5REejr5tulnzJXlb8PYaZaEaW6wHkmT5yGPqtj3lSxutF/a0y+5/dvgsZ"
)
OWN_CERTIFICATE = (
    "MIIBmjCCAUGgAwIBAgIUHMaCaxgci6kg8d0AC9D2+tazs/4wCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2"
    "MTEyMjE3MzcxMFoYDzIxMjYxMDI5MTczNzEwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC"
    "AATXci/jZG1TWkSauw4bvDtMa+e5X4Z5REejr5tulnzJXlb8PYaZaEaW6wHkmT5yGPqtj3lSxutF/a0y+5/dvgsZo28wbTAdBgNV"
    "HQ4EFgQURlnTb7OvJReH8uvLkjH6ktneNiQwHwYDVR0jBBgwFoAURlnTb7OvJReH8uvLkjH6ktneNiQwDwYDVR0TAQH/BAUwAwEB"
    "/zAaBgNVHREEEzARhwR/AAABgglsb2NhbGhvc3QwCgYIKoZIzj0EAwIDRwAwRAIgA3mdUXSLXyYSGaKgr4vF14SkowmnvbHN325D"
    "d20SrIcCIEreaZYwQbkD+jTdmwqrUlicSsDXuzvDfAgzhVJPKvGH"
)


def served_tls(folder) -> ssl.SSLContext:
    """A server's side of TLS with a certificate that no one trusts."""
    blocks = (("PRIVATE KEY", OWN_KEY), ("CERTIFICATE", OWN_CERTIFICATE))
    text = "".join(f"-----BEGIN {name}-----\n{body}\n-----END {name}-----\n" for name, body in blocks)
    (folder / "own.pem").write_text(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem")
    return context


@pytest.mark.parametrize("kind", ["a certificate nobody signed", "plain text"])
def test_without_trusted_tls_nothing_is_sent(tmp_path, kind):
    """F18."""

    async def main():
        heard = []

        async def serve(reader, writer):
            if kind == "plain text":
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                await reader.read()
            else:
                heard.append(await reader.read(100))
            writer.close()

        context = served_tls(tmp_path) if kind != "plain text" else None
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        transport = Aiohttp()
        async with server:
            with pytest.raises(Unreachable, match=r"TLS|SSL|certificate"):
                await got(transport, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
            assert heard == []
            await transport.aclose()

    asyncio.run(main())


def test_a_host_that_takes_no_connection_is_unreachable_in_time(monkeypatch):
    """F19: a listener whose backlog is full answers no SYN, like an address where nobody is."""
    monkeypatch.setattr("moa.providers._http.CONNECT_SECONDS", 0.3)
    crowd = []
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            one = socket.socket()
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(listener.getsockname())
            crowd.append(one)

        async def main():
            transport = Aiohttp()
            with pytest.raises(Unreachable):
                await got(transport, f"http://127.0.0.1:{listener.getsockname()[1]}/")
            await transport.aclose()

        asyncio.run(main())
        for one in crowd:
            one.close()


def test_cancelled_calls_leave_the_connections_usable():
    """F23, small; `benchmarks/faults.py` cancels 20,000."""

    async def slowly(reader, writer):
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"{}")
                await asyncio.sleep(0.005)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        writer.close()

    async def main():
        rng, transport = random.Random(1), Aiohttp()
        server = await asyncio.start_server(slowly, "127.0.0.1", 0)
        url = address(server)
        for _ in range(20):
            tasks = [asyncio.create_task(got(transport, url)) for _ in range(20)]
            for task in tasks:
                asyncio.get_running_loop().call_later(rng.random() * 0.008, task.cancel)
            await asyncio.gather(*tasks, return_exceptions=True)
        assert await asyncio.gather(*(got(transport, url) for _ in range(50))) == [b"ok"] * 50
        await transport.aclose()
        server.close()
        await asyncio.sleep(0.1)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_answers_of_calls_at_once_are_never_mixed():
    """F33, small; `benchmarks/faults.py` sends 100,000."""

    async def echo(reader, writer):
        rng = random.Random(writer.get_extra_info("peername")[1])
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                body = await reader.readexactly(size)
                await asyncio.sleep(rng.random() * 0.003)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    async def main():
        transport = Aiohttp()
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        url = address(server)

        async def one(tag: bytes) -> bool:
            async with transport.request("POST", url, {}, tag) as response:
                return await response.read(1000) == tag

        for turn in range(10):
            tags = (b"%d %d" % (turn, number) for number in range(100))
            assert all(await asyncio.gather(*(one(tag) for tag in tags)))
        await transport.aclose()
        server.close()
        await asyncio.sleep(0.1)

    asyncio.run(main())


def test_a_kept_connection_that_breaks_after_a_while_is_not_taken_for_a_stale_one(monkeypatch):
    """The host had read the request, and may have worked on it: sending it again is not for the transport to decide."""
    monkeypatch.setattr("moa.providers._http.STALE_SECONDS", 0.05)
    seen = []

    async def serve(reader, writer):
        for n in range(2):
            await reader.readuntil(b"\r\n\r\n")
            seen.append(n)
            if n:
                await asyncio.sleep(0.15)
                break
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()
        writer.close()

    async def main():
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            url = address(server)
            transport = Aiohttp()
            async with transport.request("POST", url, {}) as response:
                assert await response.read(10) == b"ok"
            with pytest.raises(Cut):
                async with transport.request("POST", url, {}):
                    pass
            await transport.aclose()

    asyncio.run(main())
    assert seen == [0, 1]


@pytest.mark.parametrize("attempts", [1, 2])
@pytest.mark.parametrize("then", [b"", b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"])
def test_of_one_call_no_more_than_two_requests_go_out_whoever_sends_them_again(attempts, then):
    """F20, G3: a host that reads each request on a kept connection and hangs up, and then says so or hangs up again."""
    seen = []

    async def serve(reader, writer):
        first, answer = not seen, b'{"choices":[{"message":{"content":"ok"}}]}'
        for kept in range(2 if first else 1):
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            seen.append(await reader.readexactly(size))
            if first and not kept:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
        if not first:
            writer.write(then)
        writer.close()

    async def main():
        call = Call("host:m", (user("hi"),))
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            transport = Aiohttp()
            host = custom("host", address(server) + "v1")
            provider = Attempts(Remote(host, transport), attempts, backoff=0.0)
            assert (await provider.send(Request(call, call.conversation), Scope())).text == "ok"
            with pytest.raises(Overloaded if then else Cut) as caught:
                await provider.send(Request(call, call.conversation), Scope())
            await transport.aclose()
            return caught.value.resent

    assert asyncio.run(main())
    assert len(seen) == 1 + 2


def test_so_many_connections_of_a_host_are_made_at_a_time_and_no_other_host_waits(monkeypatch):
    monkeypatch.setattr("moa.providers._http.HANDSHAKES", 2)
    monkeypatch.setattr("moa.providers._http.CONNECT_SECONDS", 1.0)
    heard = []

    async def stalls(reader, writer):
        heard.append(writer)
        await reader.read()
        writer.close()

    async def main():
        async with await asyncio.start_server(stalls, "127.0.0.1", 0) as server, upstream(http(200, "{}")) as far:
            transport, port = Aiohttp(), server.sockets[0].getsockname()[1]
            stalled = [asyncio.create_task(got(transport, f"https://127.0.0.1:{port}/")) for _ in range(5)]
            while len(heard) < 2:
                await asyncio.sleep(0.01)
            others = await asyncio.gather(*(got(transport, far.url) for _ in range(5)))
            at_once = len(heard)
            ended = await asyncio.gather(*stalled, return_exceptions=True)
            await transport.aclose()
            return others, at_once, ended

    others, at_once, ended = asyncio.run(main())
    assert others == [b"{}"] * 5
    assert at_once == 2
    assert all(isinstance(one, Unreachable) for one in ended)


def test_a_handshake_that_stalls_is_no_connection(monkeypatch):
    """F18."""
    monkeypatch.setattr("moa.providers._http.CONNECT_SECONDS", 0.2)

    async def silent(reader, writer):
        await reader.read()
        writer.close()

    async def main():
        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            transport = Aiohttp()
            with pytest.raises(Unreachable, match="no connection within"):
                async with transport.request("POST", f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}):
                    pass
            await transport.aclose()
            await asyncio.sleep(0.05)

    asyncio.run(main())
