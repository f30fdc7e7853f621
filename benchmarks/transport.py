"""Which HTTP client moa's transport should be: aiohttp and pyreqwest under the same load, bare and inside the whole product.

Bare: CPU milliseconds per request for whole answers (64 at once, and 1,000 at once that each take 50 ms), streams of 200 chunks
(in one burst, and one each 5 ms), the same whole answers over TLS, and what is left after 20,000 random cancels. Inside: CPU per
mixture of 4 proposers and a streamed aggregator with everything on. Each in a process of its own beside the mock upstream.

    pip install pyreqwest && python benchmarks/transport.py
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from _report import Figure, arguments, report, tell
from _upstream import pinned, upstream

CLIENTS = ("aiohttp", "pyreqwest")
HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer none"}


def made(client: str, certificate: Path | None) -> Any:
    """The transport of that name, trusting that certificate."""
    if client == "aiohttp":
        from moa.providers._http import Aiohttp

        return Aiohttp()
    from _pyreqwest import Pyreqwest

    return Pyreqwest(certificate.read_bytes() if certificate else None)


def cpu() -> float:
    """Seconds of processor time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def load(transport: Any, url: str, model: str, count: int, at_once: int, *, stream: bool = False) -> float:
    """CPU milliseconds per request of so many, so many at once."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream}).encode()
    left = iter(range(count))

    async def worker() -> None:
        for _ in left:
            async with transport.request("POST", f"{url}/chat/completions", HEADERS, body) as response:
                if stream:
                    while await response.piece():
                        pass
                else:
                    await response.read(1 << 20)

    async def all_of(workers: int) -> None:
        await asyncio.gather(*(worker() for _ in range(workers)))

    before = cpu()
    await all_of(at_once)
    return (cpu() - before) / count * 1e3


async def churn(transport: Any, url: str, cancels: int) -> float:
    """Of 200 calls after so many random cancels, how many are answered."""
    rng, body = random.Random(20), b'{"model":"mock-lat5-tok5","messages":[]}'

    async def call() -> bool:
        async with transport.request("POST", f"{url}/chat/completions", HEADERS, body) as response:
            return response.status == 200 and bool(await response.read(1 << 20))

    for _ in range(0, cancels, 50):
        tasks = [asyncio.create_task(call()) for _ in range(50)]
        for task in tasks:
            asyncio.get_running_loop().call_later(rng.random() * 0.01, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
    return float(sum(await asyncio.gather(*(call() for _ in range(200)), return_exceptions=False)))


async def mixtures(client: str, url: str, count: int) -> float:
    """CPU milliseconds per mixture of 4 proposers and a streamed aggregator, everything on."""
    from moa import Mixture
    from moa.core.events import Delta

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "moa.toml"
        members = ", ".join(['"mock:mock-lat50-tok200"'] * 4)
        file.write_text(
            f'[hosts.mock]\nbase_url = "{url}"\n[store]\npath = "{folder}/runs.db"\n[mixtures.default]\n'
            f'proposers = [{members}]\naggregator = "mock:mock-lat50-tok200"\ndeadline = 60.0\n'
        )
        async with Mixture.from_config("default", config=file) as mixture:
            mixture.rig.wires._transport = made(client, None)
            pieces = 0

            async def one() -> None:
                nonlocal pieces
                async with mixture.watch("hi") as events:
                    async for event in events:
                        pieces += isinstance(event.fact, Delta)

            for _ in range(5):
                await one()
            before = cpu()
            for _ in range(count):
                await one()
            return (cpu() - before) / count * 1e3


async def measured(client: str, url: str, tls_url: str, certificate: str, quick: bool) -> dict[str, float]:
    """All figures of one client."""
    scale = 10 if quick else 1
    transport, secure = made(client, None), made(client, Path(certificate) if certificate else None)
    work: dict[str, Callable[[], Awaitable[float]]] = {
        "whole": lambda: load(transport, url, "mock-lat0-tok200", 10_000 // scale, 64),
        "whole_1000_at_once": lambda: load(transport, url, "mock-lat50-tok200", 10_000 // scale, 1000),
        "burst": lambda: load(transport, url, "mock-lat0-tok200", 2000 // scale, 64, stream=True),
        "paced": lambda: load(transport, url, "mock-lat0-itl5-tok200", 256 // scale, 64, stream=True),
        "answered_after_cancels": lambda: churn(transport, url, 20_000 // scale),
        "mixture": lambda: mixtures(client, url, 40 // scale),
    }
    if tls_url and client != "aiohttp":
        work["tls"] = lambda: load(secure, tls_url, "x", 3000 // scale, 64)
    elif tls_url:
        context = ssl.create_default_context(cafile=certificate)
        work["tls"] = lambda: _tls_aiohttp(context, tls_url, 3000 // scale)
    found = {}
    for name, one in work.items():
        found[name] = await one()
        print(f"{client} {name} {found[name]:.3f}", file=sys.stderr, flush=True)
    await transport.aclose()
    await secure.aclose()
    return found


async def _tls_aiohttp(context: ssl.SSLContext, url: str, count: int) -> float:
    """The transport over aiohttp with a certificate of ours: its sessions are made with that context."""
    from moa.providers import _http

    transport = _http.Aiohttp()
    transport._session()._connector._ssl = context  # type: ignore[union-attr]
    spent = await load(transport, url, "x", count, 64)
    await transport.aclose()
    return spent


@contextmanager
def tls_server() -> Iterator[tuple[str, str]]:
    """A server that answers over TLS on the loopback, and its certificate; empty where openssl is missing."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = f"{folder}/key.pem", f"{folder}/cert.pem"
        command = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-keyout", key, "-out", certificate, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
            "-addext", "basicConstraints=critical,CA:FALSE",
        ]  # fmt: skip
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            yield "", ""
            return
        with pinned(0):
            server = subprocess.Popen(
                [sys.executable, __file__, "--tls", key, certificate], stdout=subprocess.PIPE, text=True
            )
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        try:
            yield f"https://127.0.0.1:{port}/v1", certificate
        finally:
            server.kill()
            server.wait()


async def serve_tls(key: str, certificate: str) -> None:
    """Answer every request with the same 1 kB."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n" + b"x" * 1000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
                writer.write(answer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> int:
    """Measure and report."""
    if sys.argv[1:2] == ["--tls"]:
        asyncio.run(serve_tls(*sys.argv[2:4]))
    if sys.argv[1:2] == ["--apart"]:
        client, url, tls_url, certificate, quick = sys.argv[2:7]
        print(json.dumps(asyncio.run(measured(client, url, tls_url, certificate, quick == "1"))))
        return 0
    parser = arguments(
        argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the load")
    args = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    with upstream() as served, tls_server() as (tls_url, certificate):
        for client in CLIENTS:
            command = [
                sys.executable,
                __file__,
                "--apart",
                client,
                served.base_url,
                tls_url,
                certificate,
                str(int(args.quick)),
            ]
            with pinned(1):
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            found[client] = json.loads(done.stdout) if done.returncode == 0 else {}
    names = list(found["aiohttp"])
    tell(args, f"{'CPU ms':26}" + "".join(f"{client:>12}" for client in CLIENTS))
    for name in names:
        tell(args, f"{name:26}" + "".join(f"{found[client].get(name, float('nan')):12.3f}" for client in CLIENTS))
    figures = [
        Figure(f"pyreqwest_by_aiohttp.{name}", found["pyreqwest"][name] / found["aiohttp"][name], 1.0, due=False)
        for name in names
        if found["pyreqwest"].get(name) is not None
    ]
    return report(figures, args, {"cpu_ms": found})


if __name__ == "__main__":
    raise SystemExit(main())
