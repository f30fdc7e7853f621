"""Without a key there is nothing to see, at whatever address: two routes say that the server lives, the rest is closed."""

from __future__ import annotations

import json
import platform
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

import pytest
from served import process

from moa._version import __version__
from moa.server.app import ROUTES, _routes, healthz
from moa.server.route import Route
from moa.stores.keys import SCOPES

OPEN = ("/healthz", "/readyz")
NOWHERE = (
    "/", "/docs", "/redoc", "/swagger", "/openapi.yaml", "/openapi.json/", "/v1", "/v1/", "/v1/models/", "/static/", "/static/..",
    "/assets/index.js.map", "/ui/", "/admin", "/debug", "/debug/pprof", "/favicon.ico", "/robots.txt", "/.git/config", "/.env",
    "/moa.toml",
    "/data/keys.db", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//metrics", "/METRICS", "/metrics/",
    "/healthz/../metrics", "/healthz/%2e%2e/metrics", "/healthz;/metrics", "/readyz%00",
    "/metrics%00", "/metrics%0a", "/metric%73/",
    "/v1/../metrics", "/v1/moa/runs", "/v1/moa/runs/", "/v1/moa/keys", "/metrics.json", "*", "http://127.0.0.1/metrics/",
)  # fmt: skip
HIDDEN = ("/metric%73", "/v1/model%73", "/%6fpenapi.json", "/metrics?", "/metrics?x=/healthz", "/v1/models#/healthz")
"""Other spellings of routes that there are."""
OURS = ("localhost", "127.0.0.1", "127.0.0.1:PORT", "localhost:PORT", "[::1]", "[::1]:PORT", "LOCALHOST")
OTHERS = (
    "evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0", "[::2]",
    "localhost:80:80", " ",
)  # fmt: skip
"""Names that a server on loopback answers to, and does not."""
HOSTS = {
    "127.0.0.1": ("127.0.0.1",),
    "0.0.0.0": ("127.0.0.1", "127.0.0.2"),
    "::1": ("::1",),
    "localhost": ("127.0.0.1",),
}
"""What a server listens on, and where it can be reached then."""


@pytest.fixture(scope="module", params=HOSTS)
def addresses(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[tuple[str, int]]]:
    """The addresses of a server that listens there."""
    if ":" in request.param:
        try:
            socket.create_server((request.param, 0), family=socket.AF_INET6).close()
        except OSError as error:
            pytest.skip(f"no IPv6 here: {error}")
    with process(tmp_path_factory.mktemp("home"), "--host", request.param) as (_, port):
        yield [(address, port) for address in HOSTS[request.param]]


def got(address: tuple[str, int], method: str, path: str, **headers: str) -> tuple[int, str, bytes]:
    """The status, the head and the body of an answer."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(HTTPConnection(*address, timeout=20)) as connection:
        connection.request(
            method, path, b"{}" if method == "POST" else None, {"content-type": "application/json", **given}
        )
        response = connection.getresponse()
        return response.status, str(response.headers).lower(), response.read()


def raw(address: tuple[str, int], sent: bytes) -> bytes:
    """All that comes back on a connection for these bytes."""
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        pieces = iter(lambda: connection.recv(4096), b"")
        return b"".join(pieces)


def unmarked(head: str, body: bytes) -> bool:
    """Whether nothing tells who we are, or what we are made of."""
    told = head + body.decode("latin-1").lower()
    names = (
        "uvicorn",
        "uvloop",
        "httptools",
        "python",
        "traceback",
        "site-packages",
        f"python/{platform.python_version()}",
    )
    return "\nserver:" not in f"\n{head}" and __version__ not in told and not any(name in told for name in names)


def test_a_route_says_who_may_use_it_or_is_none() -> None:
    paths = [route.path.pattern for route in ROUTES if route.scope is None]
    assert sorted(paths) == sorted(OPEN)
    assert {route.scope for route in ROUTES} - {None} == set(SCOPES)
    with pytest.raises(TypeError, match="scope"):
        Route("GET", re.compile("/new"), handle=healthz)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="unpack"):
        _routes(("GET", "/new", healthz))  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_without_a_key_every_route_is_closed_but_the_two_that_say_it_lives(
    addresses: list[tuple[str, int]], method: str
) -> None:
    paths = [re.sub(r"\([^)]*\)", "00000000ffff", route.path.pattern).replace("\\", "") for route in ROUTES]
    for address in addresses:
        for path in (*paths, *HIDDEN):
            status, head, body = got(address, method, path)
            here = path in OPEN and method in ("GET", "HEAD")
            assert status == 200 if here else status in (401, 404, 405), (path, status)
            assert unmarked(head, body)
            assert "access-control" not in head
            if here and method == "GET":
                assert json.loads(body)["status"] in ("ok", "ready")
            elif method != "HEAD":
                assert set(json.loads(body)) <= {"error", "type"}


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer k"}], ids=["without a key", "with a key"])
def test_there_is_no_page_no_folder_and_no_file(addresses: list[tuple[str, int]], headers: dict[str, str]) -> None:
    for address in addresses:
        for path in NOWHERE:
            status, head, body = got(address, "GET", path, **headers)
            assert status in (400, 401, 404), (path, status)
            assert "html" not in head + body.decode().lower()
            assert "root:" not in body.decode()
            assert unmarked(head, body)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/9.9\r\n\r\n", b"nonsense\r\n\r\n", b"GET /metrics\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01", b"PRI * HTTP/2.0\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\n",
        b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=lambda sent: sent[:12].decode("latin-1"),
)  # fmt: skip
def test_what_is_no_http_opens_nothing_and_is_told_nothing(addresses: list[tuple[str, int]], sent: bytes) -> None:
    for address in addresses:
        answer = raw(address, sent)
        assert b" 200 " not in answer
        assert b" 101 " not in answer
        head, _, body = answer.partition(b"\r\n\r\n")
        assert unmarked(head.decode("latin-1").lower().replace("\r", ""), body)


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "invalid_http"),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431, "head_too_large"),
    ],
    ids=["nonsense", "a long head"],
)
def test_what_is_no_http_is_told_so_in_openais_shape(
    addresses: list[tuple[str, int]], sent: bytes, status: int, code: str
) -> None:
    for address in addresses:
        head, _, body = raw(address, sent).partition(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ".encode())
        assert b"content-type: application/json" in head
        assert re.search(rb"\r\nx-request-id: req_\w{24}\r\n", head)
        error = json.loads(body)["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", code)


def test_with_a_key_it_is_open(addresses: list[tuple[str, int]]) -> None:
    for address in addresses:
        for path in ("/metrics", "/openapi.json", "/v1/models", "/metric%73"):
            assert got(address, "GET", path, authorization="Bearer k")[0] == 200


@pytest.mark.parametrize("words", [(), ("--no-auth",)], ids=["with keys", "without"])
def test_on_loopback_no_web_page_and_no_other_name_comes_in_unless_it_was_said(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    with process(tmp_path, *words) as (_, port):
        here, key = ("127.0.0.1", port), {"authorization": "Bearer k"}
        for name in OURS:
            assert got(here, "GET", "/v1/models", host=name.replace("PORT", str(port)), **key)[0] == 200
        for name in OTHERS:
            assert got(here, "GET", "/v1/models", host=name, **key)[0] == 421, name
        pages = ("https://evil.example", "null", "http://localhost:3000", f"http://127.0.0.1:{port}", "file://")
        for page in pages:
            status, head, _ = got(here, "GET", "/v1/models", origin=page, **key)
            assert (status, "access-control" in head) == (403, False), page
            status, head, _ = got(here, "OPTIONS", "/v1/models", origin=page, access_control_request_method="GET")
            assert (status in (403, 405), "access-control" in head) == (True, False), page
        assert got(here, "GET", "/v1/models", sec_fetch_site="cross-site", **key)[0] == 403
        without = got(here, "GET", "/v1/models")[0]
        assert without == (200 if words else 401)
