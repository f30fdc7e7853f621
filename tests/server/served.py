"""A real server over scripted models, in a thread of its own, or as a process, and a plain HTTP client to ask it."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moa.config.build import Rig
from moa.config.load import load
from moa.core.types import Request
from moa.providers.fake import Fake
from moa.server.app import App
from moa.server.catalogue import Catalogue
from moa.server.door import Rules
from moa.server.serving import Serving, configured, listening

AGENTS = {name: {"model": f"fake:{name}"} for name in ("a", "b", "c", "agg", "other")}
MIXTURES = {
    "review": {"proposers": ["a", "b", "c"], "aggregator": "agg", "routes": [{"to": "other", "tag": "legal"}]},
    "poll": {"proposers": ["a", "b", "c"], "combine": "vote"},
    "deep": {"layers": [["a", "b"], ["c"]], "aggregator": "agg"},
}
FACES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Which city?"}]},
    "/v1/responses": {"input": "Which city?"},
    "/v1/messages": {"messages": [{"role": "user", "content": "Which city?"}], "max_tokens": 50},
}
"""A question in each protocol."""
SCRIPTS = {"a": "Paris", "b": "Paris", "c": "Rome", "agg": "It is Paris.", "other": "Oslo"}


@dataclass
class Got:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def frames(self) -> list[Any]:
        """The data of the server-sent events; [DONE] as a text."""
        lines = [line[6:] for line in self.body.decode().splitlines() if line.startswith("data: ")]
        return [line if line == "[DONE]" else json.loads(line) for line in lines]


@dataclass
class Served:
    """A server under way. `fake` keeps what its models were asked."""

    port: int
    app: App
    fake: Fake
    serving: Serving
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Got:
        """One request; a body that is no text or bytes becomes JSON."""
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        kind = {"content-type": "application/json"} if raw is not None else {}
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, raw, {**kind, **self.headers, **given})
        response = connection.getresponse()
        got = Got(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
        connection.close()
        return got

    def chat(self, content: Any = "Which city?", model: str = "moa/review", **more: Any) -> Got:
        """A chat completion."""
        messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
        return self.ask("POST", "/v1/chat/completions", {"model": model, "messages": messages, **more})

    @property
    def asked(self) -> list[Request]:
        return self.fake.asked


@contextmanager
def served(scripts: Any = None, rules: Rules | None = None, **settings: Any) -> Iterator[Served]:
    """A server over these scripts; in with whoever comes, unless there are `rules`."""
    fake = Fake(SCRIPTS if scripts is None else scripts)
    flags = {"agents": AGENTS, "mixtures": MIXTURES, "default": "review", "store": {"keep": False}} | settings
    rig = Rig(load({}, folder=Path("/nonexistent"), flags=flags), {}, {"fake": fake})
    app = App(Catalogue(rig), rules or Rules(open=True))
    up, address = threading.Event(), []

    def ready(url: str) -> None:
        address.append(url)
        up.set()

    serving = Serving(configured(app, "127.0.0.1", 0), app, ready)
    sock = listening("127.0.0.1", 0)
    thread = threading.Thread(target=serving.run, args=([sock],))
    thread.start()
    try:
        assert up.wait(10)
        yield Served(int(address[0].rsplit(":", 1)[1]), app, fake, serving)
    finally:
        serving.should_exit = True
        thread.join(10)


def environment(home: Path, **more: str) -> dict[str, str]:
    """The variables of a process whose home is this folder: no keys or settings of this machine are among them."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.endswith("_API_KEY") and not name.startswith("MOA_")
    }
    return {**kept, "HOME": str(home), "MOA_HOME": str(home), **more}


@contextmanager
def process(
    home: Path, *words: str, python: tuple[str, ...] = (), **variables: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`moa serve` under way, with the key "k", and its port. What it says is written to told.txt; `python` are its options."""
    command = [sys.executable, *python, "-m", "moa", "serve", "--port", "0", *words]
    told, given = home / "told.txt", environment(home, **{"MOA_API_KEYS": "k"} | variables)
    with told.open("wb") as out:
        running = subprocess.Popen(command, stdout=out, stderr=out, cwd=home, env=given)
    try:
        until = time.monotonic() + 60
        while not (ready := re.search(rb"at http://[^ ]*:([0-9]+)/v1", told.read_bytes())):
            assert running.poll() is None, told.read_text()
            assert time.monotonic() < until
            time.sleep(0.05)
        yield running, int(ready[1])
    finally:
        running.kill()
        running.wait()
