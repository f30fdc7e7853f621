"""Keys stay where they are: 200 failures of every kind at the loudest, and no byte of a key in what anybody can read."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from rogue import WAYS, Rogue, closed_port, rogue
from served import AGENTS, SCRIPTS, process, served

from moa.config.build import Rig
from moa.config.load import load
from moa.core.errors import AuthFailed, OutOfCredit, ProviderError
from moa.server.door import Rules
from moa.server.route import Asking
from moa.stores.keys import Key, Keys

WIRES = ("chat", "responses", "anthropic", "gemini")
PROVIDER = {
    "CANARY_ONE": "sk-proj-QmYd7Wc2Xk9Tz4Rb8Hn3Vf6J",
    "CANARY_TWO": "zLp5+Gs1/Ue8=Aw0+Kx7/Nq3=Cj6",  # as no scanner for keys knows it, and changed by every encoding
}
CLIENT = "moa-canary-Bt4Yh9Zw2Pe7Dk5Lr8Sv1Mx6"
PATH, PROMPT, QUESTION = (
    "/deployment-9f2c7ab1/v1",
    "Operator canary: speak as captain Oudekraal.",
    "Where is Oosterend?",
)
"""What is ours in an address; what is ours in a prompt; and what is the client's."""
LOUD = """
import logging, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
logging.basicConfig(level=0, stream=sys.stderr)
logging.Logger.isEnabledFor = lambda self, level: True
"""
"""Every logger says everything, whatever its level."""


def secret_part(secret: str) -> str:
    return re.sub(r"^(sk-proj-|moa-canary-|moa-)", "", secret)


def needles(secret: str) -> list[bytes]:
    """What must not be found of a secret: itself, its ends, and itself encoded, whatever stands before it."""
    part = secret_part(secret)
    coded = [base64.b64encode(b"." * before + part.encode())[4:-4].decode() for before in range(3)]
    return [one.encode() for one in (part, part[:8], part[-8:], quote(part, safe=""), json.dumps(part)[1:-1], *coded)]


def found(where: str, text: bytes, secrets: list[str]) -> list[str]:
    lowered = text.lower()
    return [f"{one!r} in {where}" for secret in secrets for one in needles(secret) if one.lower() in lowered]


@dataclass
class Asked:
    """One request, and what came back."""

    path: str
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"
    status: int = 0
    got: bytes = b""

    def send(self, port: int) -> Asked:
        raw = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request(self.method, self.path, raw, {"content-type": "application/json", **self.headers})
        response = connection.getresponse()
        head = "".join(f"{name}: {value}\n" for name, value in response.getheaders()).encode()
        self.status, self.got = response.status, head + b"\n" + response.read()
        connection.close()
        return self


FACES = ("/v1/chat/completions", "/v1/responses", "/v1/messages")


def asking(number: int, model: str, key: str, **more: Any) -> Asked:
    """A request in one of the protocols, streamed or not."""
    path, stream = FACES[number % 3], number % 2 == 0
    said: dict[str, Any] = {"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 50}
    if path == "/v1/responses":
        said = {"input": QUESTION}
    return Asked(path, {"model": model, "stream": stream, **said, **more}, {"authorization": f"Bearer {key}"})


def failures_of_hosts(key: str) -> list[Asked]:
    alone = [f"{wire}-{way}" for wire in WIRES for way in (*WAYS, "gone")]
    asked = [asking(number, model, key) for number, model in enumerate(alone + alone[::3])]
    hanging = [asking(number, f"{wire}-hangs", key, moa={"deadline": 0.3}) for number, wire in enumerate(WIRES * 2)]
    wishes: Any = {"proposals": True, "events": True, "progress": True}
    degraded = [asking(number, f"moa/{way}", key, moa=wishes) for number, way in enumerate(WAYS * 2)]
    for number, one in enumerate(asked[::5]):
        one.headers["idempotency-key"] = f"again-{number // 2}"
    return asked + hanging + degraded + [asking(number, "moa/all", key) for number in range(6)]


def failures_at_the_door(key: str) -> list[Asked]:
    chat = {"model": "moa/page", "messages": [{"role": "user", "content": QUESTION}]}
    bearer = {"authorization": f"Bearer {key}"}
    near = [
        key[:-1],
        f"{key}x",
        key.swapcase(),
        key[4:],
        key[::-1],
        f"{key} {key}",
        f"{key},{key}",
        key.replace("-", "_"),
    ]
    coded = base64.b64encode(f"user:{key}".encode()).decode()
    shown = [
        *({"authorization": f"Bearer {one}"} for one in near), *({"x-api-key": one} for one in near),
        {"authorization": f"Basic {coded}"}, {"authorization": key}, {"cookie": f"key={key}"}, {"api-key": key},
        bearer | {"x-api-key": f"{key}x"}, bearer | {"origin": "https://evil.example"}, bearer | {"host": "evil.example"},
        bearer | {"content-encoding": "gzip"}, bearer | {"content-type": "text/plain"}, bearer | {"idempotency-key": " "},
    ]  # fmt: skip
    bodies: list[Any] = [
        b"", b"[", b"[" * 100, b"\xff", [], 1, {"messages": []}, {**chat, "model": "gpt-none"}, {**chat, "model": ""},
        {**chat, "temperature": 9}, {**chat, "key": 1}, {**chat, "moa": {"proposers": ["none"]}}, {**chat, "n": 0},
        {**chat, "moa": {"deadline": -1}}, {**chat, "tools": [{"type": "function"}]}, {**chat, "messages": [{"role": "x"}]},
        {**chat, "response_format": {"type": "json_schema"}}, {**chat, "model": "unset"},
    ]  # fmt: skip
    asked = [Asked("/v1/chat/completions", chat, one) for one in shown]
    asked += [Asked(FACES[number % 3], body, bearer) for number, body in enumerate(bodies)]
    paths = (
        "/nowhere",
        f"/v1/models?key={key}",
        f"/metrics?api_key={key}",
        "/v1/models/none",
        "/v1/moa/runs/00000000ff",
    )
    return asked + [Asked(path, b"", bearer, "GET") for path in paths] + [Asked("/metrics", b"", bearer, "DELETE")]


def configured(folder: Path, host: Rogue) -> list[str]:
    """Write the configuration: every way to go wrong on every wire, alone and in a panel. The ports that are nobody's to know."""
    gone = f"http://127.0.0.1:{closed_port()}{PATH}"
    lines = ['default = "all"', "[limits]", "attempts = 1", "failures = 1000", "[server]", "at_once = 500"]
    for number, wire in enumerate(WIRES):
        key = f'key = "env:{list(PROVIDER)[number % 2]}"'
        lines += [f"[hosts.{wire}]", f'base_url = "{host.url}"', f'wire = "{wire}"', key]
        lines += [f"[hosts.{wire}-gone]", f'base_url = "{gone}"', f'wire = "{wire}"', key]
        for way in (*WAYS, "hangs", "gone"):
            model = f"{wire}-gone:gone" if way == "gone" else f"{wire}:{way}"
            lines += [f"[agents.{wire}-{way}]", f'model = "{model}"', f'prompt = "{PROMPT}"']
    lines += ["[agents.unset]", 'model = "openai:gpt-6"']
    for way in WAYS:
        named = ", ".join(f'"{wire}-{way}"' for wire in WIRES)
        lines += [f"[mixtures.{way}]", f'proposers = ["fake:x", {named}]', 'aggregator = "fake:y"']
    proposers = ", ".join(f'"chat-{way}"' for way in WAYS)
    lines += ["[mixtures.all]", f"proposers = [{proposers}]", 'aggregator = "gemini-refuses"']
    (folder / "moa.toml").write_text("\n".join(lines))
    return [url.split("/")[2].partition(":")[2] for url in (host.url, gone)]


def loud(folder: Path) -> AbstractContextManager[tuple[subprocess.Popen[bytes], int]]:
    """`moa serve` in its development mode, and everything is told."""
    (folder / "sitecustomize.py").write_text(LOUD)
    places = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    own = {"PYTHONPATH": places, "PYTHONASYNCIODEBUG": "1", "MOA_API_KEYS": CLIENT}
    return process(folder, python=("-X", "dev"), **own, **PROVIDER)


def test_after_200_failures_no_key_is_anywhere(tmp_path: Path, record_property: Any) -> None:
    made, stored = Keys(tmp_path / "data" / "keys.db").create("canary")
    secrets = [*PROVIDER.values(), CLIENT, stored]
    with rogue(PATH) as host:
        ports = configured(tmp_path, host)
        with loud(tmp_path) as (running, port):
            asked = [one for key in (CLIENT, stored) for one in failures_at_the_door(key)]
            asked += failures_of_hosts(stored)
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda one: one.send(port), asked))
            runs = {run.decode() for one in asked for run in re.findall(rb'"run": ?"([0-9a-f]{8,40})"', one.got)}
            bearer = {"authorization": f"Bearer {stored}"}
            paths = ["/metrics", "/openapi.json", "/v1/models", *(f"/v1/moa/runs/{run}" for run in runs)]
            paths += [f"/v1/moa/runs/{run}/events" for run in sorted(runs)[::5]]
            seen = [Asked(path, b"", bearer, "GET").send(port) for path in paths]
            title = Path(f"/proc/{running.pid}/cmdline")
            sinks = {"the title": title.read_bytes() if title.exists() else b""} | files(tmp_path, "alive")
            running.send_signal(signal.SIGABRT)  # it tells where it was, and is gone
            running.wait(30)
            sinks |= files(tmp_path, "dead")
    sinks |= {f"{one.method} {one.path} {one.body!r:.80}": one.got for one in asked + seen}
    hits = [line for where, text in sinks.items() for line in found(where, text, secrets)]
    for name, count in (("failures", len(asked)), ("sinks", len(sinks)), ("canary_hits", len(hits))):
        record_property(name, count)
    assert hits == []
    ours = [PATH.split("/")[1], PROMPT[:24], *(f":{port}" for port in ports), *(f" {port}" for port in ports)]
    assert [(where, one) for where, text in outside(sinks).items() for one in ours if one.encode() in text] == []

    assert {one.status for one in seen} == {200}
    assert len(asked) >= 200
    assert set(host.keys) == set(PROVIDER.values())
    assert set(host.asked) == {*WAYS, "hangs"}
    assert len(runs) > 40
    assert any(QUESTION.encode() in text for where, text in sinks.items() if "runs.db" in where)
    assert made.id.encode() in sinks["alive told.txt"]
    assert b"Fatal Python error: Aborted" in sinks["dead told.txt"]


@pytest.mark.parametrize("error", [AuthFailed("no key abc-123"), OutOfCredit("org abc-123 owes $5")])
@pytest.mark.parametrize("panel", [{"a": None}, {"agg": None}, dict.fromkeys(("a", "b", "c", "agg"))], ids=len)
def test_what_a_host_says_of_our_key_or_credit_is_the_operators_to_read(
    error: ProviderError, panel: dict[str, None], tmp_path: Path
) -> None:
    wishes = {"proposals": True, "events": True, "progress": True}
    store = {"keep": True, "path": str(tmp_path / "runs.db")}
    agents = {name: {"model": f"fake:{name}", "fallback": ["fake:other"]} for name in ("a", "b", "c")}
    with served({**SCRIPTS, **dict.fromkeys(panel, error)}, agents=AGENTS | agents, store=store) as server:
        got = [asking(number, "moa/review", "k", moa=wishes).send(server.port) for number in range(6)]
        runs = {run.decode() for one in got for run in re.findall(rb'"run": ?"([0-9a-f]{8,40})"', one.got)}
        got += [
            Asked(f"/v1/moa/runs/{run}{more}", b"", {}, "GET").send(server.port)
            for run in runs
            for more in ("", "/events")
        ]
    assert runs
    assert [one.got[max(one.got.find(b"abc-123") - 300, 0) :] for one in got if b"abc-123" in one.got] == []
    assert b"abc-123" in b"".join(path.read_bytes() for path in tmp_path.glob("runs.db*"))


def test_no_object_tells_a_key_when_it_is_shown(tmp_path: Path) -> None:
    provider, client = PROVIDER["CANARY_TWO"], CLIENT
    hosts = {wire: {"base_url": "https://host.example/v1", "wire": wire, "key": "env:K"} for wire in WIRES}
    rig = Rig(load({}, folder=tmp_path, flags={"hosts": hosts, "store": {"keep": False}}), {"K": provider})
    headers = {"authorization": f"Bearer {client}", "x-api-key": client}
    scope = {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
    keys = Keys(tmp_path / "keys.db")
    made, secret = keys.create("canary")
    remote = [rig.wires.wire(wire) for wire in WIRES]
    shown = [
        Rules(keys, (client,)), keys, made, keys.find(secret), rig, rig.wires, rig.config, rig._top, *remote,
        Asking(scope, None, None, "id", headers, made), Asking(scope, None, None, "id", headers, Key("", "")),  # type: ignore[arg-type]
        *(rig._onion(wire, 1.0) for wire in WIRES),
    ]  # fmt: skip
    assert {type(one).__name__ for one in remote} == {"Remote"}
    assert [
        line
        for one in shown
        for line in found(type(one).__name__, f"{one!r} {one}".encode(), [provider, client, secret])
    ] == []


def outside(sinks: dict[str, bytes]) -> dict[str, bytes]:
    """What clients see of them."""
    return {where: text for where, text in sinks.items() if where.split()[0] in ("GET", "POST", "DELETE")}


def files(folder: Path, when: str) -> dict[str, bytes]:
    names = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".toml", ".py", ".pyc")]
    return {f"{when} {path.relative_to(folder)}": path.read_bytes() for path in names}
