"""A host on a port of this machine that speaks chat completions: each of its models behaves as told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Model:
    """What a model does: `text`, word by word with `interval` seconds between, after `delay`; or it fails, hangs, breaks off."""

    text: str = "four"
    delay: float = 0.0
    interval: float = 0.0
    status: int = 200
    hang: bool = False
    cut: int | None = None


@dataclass
class Host:
    """A host under way: where it is, what it was asked, and when its models sent their first word (monotonic)."""

    url: str
    models: Mapping[str, Model]
    asked: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    first_word: dict[str, float] = field(default_factory=dict)
    last_word: dict[str, float] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    def asked_of(self, model: str) -> list[dict[str, Any]]:
        return [body for body in self.asked if body["model"] == model]


@contextmanager
def host(**models: Model) -> Iterator[Host]:
    """A host with these models."""
    here = Host("", models)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _replies(here))
    server.daemon_threads = True
    here.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield here
    finally:
        here.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _replies(here: Host) -> type[BaseHTTPRequestHandler]:
    class Replies(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            here.paths.append(self.path)
            here.keys.append(self.headers.get("Authorization", ""))
            self._send({"object": "list", "data": [{"id": name} for name in here.models]})

        def do_POST(self) -> None:
            here.paths.append(self.path)
            here.keys.append(self.headers.get("Authorization", ""))
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            here.asked.append(body)
            model = here.models[body["model"]]
            with suppress(OSError):
                self._answer(body, model)

        def _answer(self, body: dict[str, Any], model: Model) -> None:
            if here.over.wait(3600 if model.hang else model.delay):
                return
            if model.status != 200:
                self._send({"error": {"message": f"status {model.status}"}}, model.status)
            elif body.get("stream"):
                self._stream(body["model"], model)
            else:
                message = {"role": "assistant", "content": model.text}
                usage = {"prompt_tokens": 10, "completion_tokens": len(model.text.split())}
                self._send({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage})

        def _stream(self, name: str, model: Model) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            words = model.text.split(" ")
            for place, word in enumerate(words[: model.cut]):
                if place:
                    here.over.wait(model.interval)
                here.last_word[name] = time.monotonic()
                here.first_word.setdefault(name, here.last_word[name])
                self._chunk({"delta": {"content": word if not place else f" {word}"}})
            if model.cut is None:
                self._chunk({"delta": {}, "finish_reason": "stop"})
                self.wfile.write(b"data: [DONE]\n\n")

        def _chunk(self, choice: dict[str, Any]) -> None:
            self.wfile.write(f"data: {json.dumps({'choices': [{'index': 0, **choice}]})}\n\n".encode())
            self.wfile.flush()

        def _send(self, data: object, status: int = 200) -> None:
            content = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Replies
