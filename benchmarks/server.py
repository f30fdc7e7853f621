"""What a server of mixtures costs beside its models: requests and mixtures a second, memory, start, and the first delta.

Contenders, each a process of its own on one CPU, the mock upstream and the load on the other: `bare` (raw ASGI over moa's own
transport), `moa serve` (with a key, events, deadline, attempts, ledger and store), LiteLLM's proxy, and optillm where it installs.
All answer the same request over the same upstream, which answers at once with 50 words; rounds take turns.

    python benchmarks/server.py            # all of it: some minutes
    python benchmarks/server.py --quick    # moa and bare only, nothing installed
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from _contenders import Broken, Kind, installed
from _report import Figure, arguments, report, tell
from _upstream import Upstream, pinned, upstream

HERE = Path(__file__).resolve().parent
MODEL = "mock-lat0-tok50-vary"
"""Each call is answered in other words, as by real models: long copies among proposals would be shown once."""
QUESTION = "Which of the rivers of Europe carries the most water to the sea?"
MOA_TOML = """
[hosts.mock]
base_url = "{url}"

[prices."mock:{model}"]
input = 1.0
output = 1.0

[agents.single]
model = "mock:{model}"

[mixtures.four]
agent = "single"
samples = 4
aggregator = "single"
deadline = 60.0

[mixtures.two]
layers = [{six}, {six}]
aggregator = "single"
deadline = 60.0

[store]
path = "{folder}/runs.db"
"""
CONNECTIONS = (16, 64, 1000)
LAYER, CALLS = 6, 13
"""Agents in each of the two layers of L2's mixture, and calls of one of its answers."""
LITELLM = Kind("litellm-proxy", "", ("litellm[proxy]",))
OPTILLM = Kind("optillm", "", ("optillm", "torch==2.13.0"))


@dataclass
class Gateway:
    """A server under way, what it calls its single model and its mixture, and what was seen of it."""

    name: str
    single: str | None
    mixture: str | None
    port: int = 0
    ready: float = 0.0
    idle: float = 0.0
    seen: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    def rate(self, what: str) -> float | None:
        """The median rate of its rounds, answers a second; None where there is none."""
        rounds = self.seen.get(what)
        return statistics.median(one["rate"] for one in rounds) if rounds else None


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def command_of(gateway: Gateway, served: Upstream, folder: Path) -> tuple[list[str], dict[str, str]]:
    """How a gateway is started, and what it sees of the environment."""
    url, own = served.base_url, {"PYTHONPATH": str(HERE.parent / "src"), "MOA_HOME": str(folder)}
    if gateway.name == "bare":
        return [sys.executable, str(HERE / "peers" / "bare_gateway.py"), url, MODEL, str(gateway.port)], own
    if gateway.name == "moa":
        file = folder / "moa.toml"
        file.write_text(MOA_TOML.format(url=url, model=MODEL, folder=folder, six=["single"] * LAYER), encoding="utf-8")
        command = [sys.executable, "-m", "moa", "serve", "--port", str(gateway.port), "--config", str(file)]
        return command, own | {"MOA_API_KEYS": "k"}
    if gateway.name == "litellm":
        file = folder / "litellm.yaml"
        one = {"model": f"openai/{MODEL}", "api_base": url, "api_key": "none"}
        file.write_text(json.dumps({"model_list": [{"model_name": "single", "litellm_params": one}]}), encoding="utf-8")
        python = installed(LITELLM)
        return [str(python.parent / "litellm"), "--config", str(file), "--port", str(gateway.port)], {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        }
    python = installed(OPTILLM)
    return [str(python.parent / "optillm"), "--port", str(gateway.port), "--base-url", url], {"OPENAI_API_KEY": "none"}


@contextmanager
def started(gateway: Gateway, served: Upstream, seconds: float = 120.0, sampled: Path | None = None) -> Iterator[int]:
    """The gateway under way: the id of its process. `sampled`: where it goes, as `_where.py` writes it at the end.

    Raises:
        Broken: it cannot be installed, or does not answer.
    """
    gateway.port, gateway.ready = free_port(), 0.0
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as words:
        command, more = command_of(gateway, served, Path(folder))
        if sampled:
            command[1:3] = [str(HERE / "_where.py"), str(sampled)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MOA_", "PYTHONDONTWRITE"))}
        began = time.monotonic()
        with pinned(1):
            process = subprocess.Popen(command, env=kept | more, stdout=words, stderr=words, cwd=folder)
        try:
            for there in (is_there, answers):
                while not there(gateway):
                    if process.poll() is not None or time.monotonic() - began > seconds:
                        raise Broken(f"{gateway.name} does not start")
                    time.sleep(0.01)
                gateway.ready = gateway.ready or time.monotonic() - began
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM if sampled else signal.SIGKILL)
            process.wait(timeout=60)


def is_there(gateway: Gateway) -> bool:
    """Whether it answers anything at all over HTTP, as whoever balances load would ask it."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    try:
        connection.request("GET", "/readyz")
        connection.getresponse()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def answers(gateway: Gateway) -> bool:
    """Whether it answers a request."""
    try:
        ask(gateway, gateway.single or gateway.mixture or "")
    except (OSError, ValueError):
        return False
    return True


def body_of(model: str, **more: Any) -> bytes:
    """The request that everybody gets."""
    return json.dumps({"model": model, "messages": [{"role": "user", "content": QUESTION}], **more}).encode()


def ask(gateway: Gateway, model: str) -> dict[str, Any]:
    """One answer."""
    url, headers = f"http://127.0.0.1:{gateway.port}/v1/chat/completions", {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body_of(model), headers | {"Authorization": "Bearer k"})
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


def load(gateway: Gateway, model: str, connections: int, seconds: float) -> dict[str, float]:
    """What a load on it shows."""
    return told("_load.py", gateway.port, connections, seconds, cpu=0, body=body_of(model))


def bare_client(served: Upstream, at_once: int, seconds: float) -> float:
    """Calls a second of a bare aiohttp client on the server's CPU, which has nothing else to do meanwhile."""
    return told("peers/bare_client.py", served.base_url, MODEL, at_once, seconds, cpu=1)


def told(script: str, *words: Any, cpu: int, body: bytes = b"") -> Any:
    """The JSON that a script beside this one prints, run on that CPU.

    Raises:
        Broken: it failed.
    """
    command = [sys.executable, str(HERE / script), *map(str, words)]
    with pinned(cpu):
        done = subprocess.run(command, input=body, capture_output=True, check=False, timeout=float(words[-1]) + 60)
    if done.returncode:
        raise Broken(f"{script} failed: {done.stderr.decode()[-200:]}")
    return json.loads(done.stdout)


def megabytes(pid: int) -> float:
    """Memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else float("nan")


def first_pieces(gateway: Gateway, served: Upstream, model: str) -> tuple[float, float]:
    """Milliseconds from a request to the first byte of its answer, and from the aggregator's first token, as the upstream sends it,
    to the client's first piece of the answer."""
    connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
    body = body_of(model, stream=True)
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer k\r\nContent-Type: application/json\r\n"
    asked = time.monotonic()
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    got = connection.recv(65536)
    waited = (time.monotonic() - asked) * 1e3
    while not re.search(rb'"content":\s*"[^"]', got):
        piece = connection.recv(65536)
        if not piece:
            raise Broken(f"{gateway.name}: no delta came")
        got += piece
    came = time.monotonic() * 1e3
    connection.close()
    return waited, came - served.stats()["first_token"]


def loaded(gateway: Gateway, what: str, model: str, loads: Sequence[int], seconds: float) -> None:
    """See what loads of so many connections show, after one that warms it up.

    Raises:
        Broken: not all was answered.
    """
    load(gateway, model, loads[0], min(1.0, seconds))
    for connections in loads:
        seen = load(gateway, model, connections, seconds)
        if seen["bad"] or seen["broken"]:
            raise Broken(f"{gateway.name}: {seen['bad']} errors and {seen['broken']} broken connections")
        gateway.seen.setdefault(f"{what}.{connections}", []).append(seen)


def measure(gateway: Gateway, served: Upstream, args: argparse.Namespace) -> None:
    """One round of one gateway."""
    with started(gateway, served) as pid:
        gateway.idle = megabytes(pid)
        if gateway.name == "moa":  # first, since a thousand connections leave much to clear away
            loaded(gateway, "two", "moa/two", (64,), max(3.0, args.seconds))  # 64 of these end all at once
        many = CONNECTIONS if gateway.name in ("bare", "moa") else CONNECTIONS[:2]
        for what, model in (("pass", gateway.single), ("mixture", gateway.mixture)):
            if model is not None:
                loaded(gateway, what, model, many, args.seconds)
        if gateway.name == "moa" and gateway.mixture:
            gateway.seen.setdefault("client.64", []).append({"rate": bare_client(served, 64, args.seconds)})
            pieces = [first_pieces(gateway, served, gateway.mixture) for _ in range(5)]
            for name, waits in zip(("first_byte", "first_delta"), zip(*pieces, strict=True), strict=True):
                gateway.seen.setdefault(name, []).append({"rate": statistics.median(waits)})


def scaled(gateway: Gateway, what: str) -> float | None:
    """The rate at a thousand connections, of that at 64."""
    many, few = gateway.rate(f"{what}.1000"), gateway.rate(f"{what}.64")
    return many / few if many and few else None


def added(gateway: Gateway, floor: Gateway) -> float | None:
    """Milliseconds of a request passed through at 16 connections, above those of the floor (medians)."""
    p50 = [one.seen["pass.16"][-1]["p50"] * 1e3 if "pass.16" in one.seen else None for one in (gateway, floor)]
    return None if p50[0] is None or p50[1] is None else p50[0] - p50[1]


def where(served: Upstream, model: str, seconds: float) -> dict[str, float]:
    """Where the server's processor time goes while it is asked for `model`: shares in per cent."""
    gateway = Gateway("moa", "single", model)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "seen.json"
        with started(gateway, served, sampled=out) as pid:
            load(gateway, model, 64, min(1.0, seconds))
            os.kill(pid, signal.SIGUSR1)
            load(gateway, model, 64, seconds)
        seen: dict[str, int] = json.loads(out.read_text(encoding="utf-8"))
    return {part: 100 * count / sum(seen.values()) for part, count in sorted(seen.items(), key=lambda one: -one[1])}


def figures(gateways: dict[str, Gateway], peers: Sequence[str]) -> list[Figure]:
    """The bars of S3 to S6, of G16 (each server has one core) and of L2."""
    moa, bare = gateways["moa"], gateways["bare"]
    calls, floor = CALLS * (moa.rate("two.64") or 0.0), moa.rate("client.64")

    def ratio(what: str, other: Gateway | None) -> float | None:
        ours, theirs = moa.rate(what), other.rate(what) if other else None
        return ours / theirs if ours and theirs else None

    found = [
        Figure("S3.mixtures_of_bare", ratio("mixture.64", bare), 0.6, ">="),
        Figure("S4.pass_through_of_bare", ratio("pass.64", bare), 0.6, ">="),
        Figure("S4.first_delta.ms", moa.rate("first_delta"), 50),
        Figure("first_byte.ms", moa.rate("first_byte"), 50),
        Figure("S5.idle.mb", moa.idle, 110),
        Figure("S6.ready.seconds", moa.ready, 0.6),
        Figure("S9.mixtures_at_1000_of_64", scaled(moa, "mixture"), 0.9, ">="),
        Figure("S9.pass_through_at_1000_of_64", scaled(moa, "pass"), 0.9, ">=", due=False),
        Figure("L1.added.p50.ms", added(moa, bare), 3.0),
        Figure("G16.L2.upstream_calls_per_second_per_core", calls, 350, ">="),
        Figure("L2.calls_of_bare_client", floor and calls / floor, 0.35, ">="),
        Figure("S3.mixtures_per_second", moa.rate("mixture.64"), 2000, ">=", due=False),
        Figure("S4.pass_through_per_second", moa.rate("pass.64"), 15_000, ">=", due=False),
    ]
    if "litellm" in peers:
        against = ratio("pass.64", gateways.get("litellm"))
        found += [
            Figure("S4.pass_through_of_litellm", against, 50, ">="),
            Figure("G16.L1.pass_through_of_litellm", against, 5, ">="),
        ]
    if "optillm" in peers:
        found.append(Figure("S3.mixtures_of_optillm", ratio("mixture.64", gateways.get("optillm")), 50, ">="))
    return found


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="moa and bare only, one short round")
    parser.add_argument("--rounds", type=int, help="how often each is measured (3)")
    parser.add_argument("--seconds", type=float, help="of each load (5)")
    args = arguments(parser).parse_args()
    args.rounds, args.seconds = args.rounds or (1 if args.quick else 3), args.seconds or (1.0 if args.quick else 5.0)
    peers = () if args.quick else ("litellm", "optillm")
    gateways = {
        "bare": Gateway("bare", "bare/single", "bare/mixture"),
        "moa": Gateway("moa", "single", "moa/four"),
        "litellm": Gateway("litellm", "single", None),
        "optillm": Gateway("optillm", None, f"moa-{MODEL}"),
    }
    out: dict[str, str] = {}
    with upstream() as served:
        for _ in range(args.rounds):
            for name in ("bare", "moa", *peers):
                if name not in out:
                    try:
                        measure(gateways[name], served, args)
                    except (Broken, subprocess.SubprocessError) as broken:
                        out[name] = str(broken)
    for name in ("bare", "moa", *peers):
        one = gateways[name]
        rates = "  ".join(f"{what} {one.rate(what):9.1f}" for what in one.seen)
        tell(args, f"{name:9} ready {one.ready:5.2f} s  idle {one.idle:6.1f} MB  {rates}{out.get(name, '')}")
    parts: dict[str, dict[str, float]] = {}
    if "moa" not in out:
        with upstream() as served:
            parts = {
                what: where(served, model, args.seconds)
                for what, model in (("pass", "single"), ("mixture", "moa/four"))
            }
    for what, shares in parts.items():
        told = ", ".join(f"{part} {share:.0f} %" for part, share in shares.items())
        tell(args, f"where the time of the server's main thread goes ({what}): {told}")
    details = {"where": parts, "gateways": {name: one.seen for name, one in gateways.items()}, "out": out}
    return report(figures(gateways, peers), args, details)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        raise SystemExit(main())
