"""A host on a port of this machine that goes wrong in every way, and repeats what it was sent: key, address and prompt."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

WAYS = (
    "refuses", "declines", "limits", "breaks", "is-broke", "too-long", "names-param", "page", "header", "redirects", "rubbish",
    "shapeless", "error-inside", "stream-error", "hangs-up", "cuts", "hides-the-middle", "at-the-cut", "encodes", "no-http",
)  # fmt: skip
"""What its models are called, and do."""
COUNTS: dict[str, dict[str, Any]] = {
    "owes": {"prompt_tokens": -5, "completion_tokens": -1000},
    "owes-money": {"prompt_tokens": 5, "completion_tokens": 1, "cost": -1000.0},
    "uses-nothing": {"prompt_tokens": 0, "completion_tokens": 0},
    "uses-a-half": {"prompt_tokens": 0.5, "completion_tokens": -0.5},
    "counts-not": {},
}
"""What they say an answer has used, where they answer."""
STATUSES = {"refuses": 401, "declines": 400, "limits": 429, "breaks": 500, "is-broke": 402, "too-long": 413}


@dataclass
class Rogue:
    """A rogue under way: the address of each wire is `url` and what the wire adds; `keys` are those it was shown."""

    url: str
    keys: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def rogue(path: str) -> Iterator[Rogue]:
    """A rogue whose address goes on with this path."""
    here = Rogue("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _answers(here))
    server.daemon_threads = True
    here.url = f"http://127.0.0.1:{server.server_port}{path}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield here
    finally:
        here.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _answers(here: Rogue) -> type[BaseHTTPRequestHandler]:
    class Answers(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            shown = [self.headers.get(name, "") for name in ("authorization", "x-api-key", "x-goog-api-key")]
            key = next((one for one in shown if one), "").removeprefix("Bearer ")
            way = next(one for one in (*WAYS, "hangs", *COUNTS) if f'"{one}"' in sent or f"/{one}:" in self.path)
            here.keys.append(key)
            here.asked.append(way)
            with suppress(OSError):
                self._answer(way, key, f"{key} at {here.url} ({self.path}) for {sent}")

        def _answer(self, way: str, key: str, echo: str) -> None:
            match way:
                case "refuses" | "declines" | "limits" | "breaks" | "is-broke" | "too-long":
                    self._error(STATUSES[way], f"wrong: {echo}")
                case "names-param":
                    self._error(400, "wrong", param=key, code=key, type=key)
                case "page":
                    self._send(502, f"<html><title>{echo}</title></html>".encode(), "text/html")
                case "header":
                    self._send(400, b"{}", **{"x-request-id": key, "retry-after": key})
                case "redirects":
                    self._send(302, b"", location=f"http://127.0.0.1:1/{quote(key, safe='')}")
                case "rubbish":
                    self._send(200, echo.encode())
                case "shapeless":
                    self._send(200, json.dumps({key: key, "choices": key, "output": key, "content": key}).encode())
                case "error-inside":
                    self._send(200, json.dumps({"error": {"message": echo, "code": key}}).encode())
                case "stream-error":
                    said = json.dumps({"type": "error", "error": {"message": echo, "type": key}, "message": echo})
                    self._send(200, f"event: error\ndata: {said}\n\n".encode(), "text/event-stream")
                case "hangs-up":
                    here.over.wait(0.05)
                case "hangs":
                    here.over.wait(30)
                case "cuts":
                    self._send(200, b'data: {"choices"', "text/event-stream", **{"content-length": "9999"})
                case "hides-the-middle":
                    self._error(401, f"Incorrect API key provided: {key[:12]}{'*' * 30}{key[-6:]}.")
                case "at-the-cut":
                    self._error(400, "x" * (299 - len(key) // 2) + key)
                case "encodes":
                    coded = base64.b64encode(key.encode()).decode()
                    self._error(400, f"{quote(key, safe='')} {coded}")
                case _ if way in COUNTS:
                    choice = {"index": 0, "message": {"role": "assistant", "content": "four"}, "finish_reason": "stop"}
                    self._send(200, json.dumps({"choices": [choice], "usage": COUNTS[way]}).encode())
                case "no-http":
                    self.wfile.write(f"{key} {key}\r\n\r\n".encode())

        def _error(self, status: int, message: str, **more: str) -> None:
            self._send(status, json.dumps({"error": {"message": message, **more}}).encode())

        def _send(self, status: int, body: bytes, kind: str = "application/json", **more: str) -> None:
            headers: dict[str, Any] = {"content-type": kind, "content-length": len(body), "connection": "close", **more}
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

    return Answers
