"""One connection: who does not read, or does not end what it sends, is given up; who is only slow is not."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from served import SCRIPTS, Served, served

from moa.server.door import Rules

LONG = {**SCRIPTS, "agg": ("word" * 25_000 + " ") * 80}
"""More than the kernel takes for who does not read."""


def request(model: str = "moa/review", length: int | None = None, **more: Any) -> bytes:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}], **more}).encode()
    lines = ("POST /v1/chat/completions HTTP/1.1", "Host: localhost", "Content-Type: application/json")
    head = "".join(f"{line}\r\n" for line in (*lines, f"Content-Length: {len(body) if length is None else length}", ""))
    return head.encode() + body


@contextmanager
def sent(server: Served, text: bytes) -> Iterator[socket.socket]:
    """A connection with little room for an answer, over which this was sent."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(text)
        yield connection


def connections(server: Served) -> int:
    """How many the server has."""
    return len(server.serving.server_state.connections)


def soon(held: Any) -> None:
    """Wait until this holds."""
    until = time.monotonic() + 20
    while not held():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("more", [{}, {"stream": True}])
def test_a_connection_that_nobody_reads_is_closed(monkeypatch: pytest.MonkeyPatch, more: Any) -> None:
    """Also where the answer is whole and only waits to be read."""
    monkeypatch.setattr("moa.server.connection.SEND_SECONDS", 0.2)
    with served(LONG) as server, sent(server, request(**more)):
        soon(lambda: server.asked)
        soon(lambda: server.app.idle.is_set() and not connections(server))


def test_who_reads_slowly_gets_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moa.server.connection.SEND_SECONDS", 1.0)
    with served({**SCRIPTS, "agg": "word " * 80_000}) as server, sent(server, request()) as connection:
        got = b""
        while not got.endswith(b"}}"):
            got += (piece := connection.recv(4096))
            assert piece
            time.sleep(0.01)
    assert got.count(b"word") == 80_000


def drip(connection: socket.socket) -> None:
    """Go on sending, byte by byte, while that is possible."""
    for _ in range(2000):
        connection.sendall(b" ")
        time.sleep(0.01)


def test_the_rest_of_a_body_that_was_refused_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moa.server.connection.BODY_SECONDS", 0.3)
    with served(rules=Rules(literal=("k",))) as server, sent(server, request(length=5000)) as connection:
        assert b" 401 " in connection.recv(4096)
        with pytest.raises(OSError, match=r"reset|Broken"):
            drip(connection)


def test_a_body_that_does_not_come_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moa.server.door.BODY_SECONDS", 0.3)
    with served() as server, sent(server, request(length=5000)) as connection:
        got = b""
        while piece := connection.recv(4096):
            got += piece
    assert b" 408 " in got


def test_after_an_answer_the_connection_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moa.server.connection.BODY_SECONDS", 0.1)
    with served() as server, sent(server, request()) as connection:
        for _ in range(2):
            assert b" 200 " in connection.recv(100)
            soon(lambda: b"}}" in connection.recv(4096)[-4:])
            time.sleep(0.2)
            connection.sendall(request())


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://evil.example/v1/models", 421),
        ("http://localhost@evil.example:80/v1/models", 421),
        ("HTTP://evil.example/v1/models", 421),
        ("http://localhost:9/v1/models", 200),
        ("http://[::1]/v1/models", 200),
        ("/v1/models?at=http://evil.example", 200),
    ],
)
def test_the_name_in_a_whole_address_counts_and_not_the_header(target: str, status: int) -> None:
    head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with (
        served(rules=Rules(open=True, hosts=("localhost", "::1"))) as server,
        sent(server, head.encode()) as connection,
    ):
        assert connection.recv(64).startswith(f"HTTP/1.1 {status} ".encode())
