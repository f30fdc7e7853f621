"""Where nothing can be written down, no new work is begun, what is under way is answered, and nothing is lost without a word."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from served import Got, Served, process, served

from moa.core.types import Usage
from moa.providers.fake import Script
from moa.server.door import Rules
from moa.stores.keys import Key, Keys

AGENTS = {name: {"model": f"fake:{name}", "max_tokens": 10} for name in ("quick", "slow")}
SCRIPTS = {"quick": Script("Paris", usage=Usage(1, 10)), "slow": Script("It is Paris.", delay=1.0, usage=Usage(1, 10))}
PRICES = {f"fake:{name}": {"input": 0, "output": 1_000_000} for name in AGENTS}
"""A dollar for each token, ten of them for each call."""
CHAT = "/v1/chat/completions"


def ask(server: Served, secret: str, model: str = "quick", **more: Any) -> Got:
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}
    return server.ask("POST", CHAT, body, authorization=f"Bearer {secret}")


def until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)


@contextmanager
def kept_in(folder: Path) -> Iterator[tuple[Served, dict[str, tuple[Key, str]]]]:
    """A server whose files are in this folder, and two keys to it: of one with a limit, and of one without."""
    keys = Keys(folder / "keys.db")
    made = {"paid": keys.create("paid", day=1000.0), "free": keys.create("free")}
    store = {"keep": True, "path": str(folder / "runs.db")}
    with served(SCRIPTS, Rules(keys), agents=AGENTS, mixtures={}, default=None, prices=PRICES, store=store) as server:
        yield server, made


@contextmanager
def locked(*names: Path) -> Iterator[None]:
    """While another program is writing these files."""
    others = [sqlite3.connect(name, isolation_level=None) for name in names]
    try:
        for other in others:
            other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        for other in others:
            other.close()


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """While there is no room left on the disk of this folder."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as out, suppress(OSError):
        for size in (4096, 1):
            with suppress(OSError):
                while True:
                    out.write(b"x" * size)
    try:
        yield
    finally:
        filler.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no small disk can be made here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def rehearse(server: Served, made: dict[str, tuple[Key, str]], trouble: Any) -> None:
    """Before the trouble, in it, and behind it: what is answered, what is not, and what is written down in the end."""
    (payer, paid), (_, free) = made["paid"], made["free"]
    answered = [ask(server, paid), ask(server, free)]
    under_way: list[Got] = []
    waiting = [
        threading.Thread(target=lambda key=key: under_way.append(ask(server, key, "slow"))) for key in (paid, free)
    ]
    for one in waiting:
        one.start()
    until(lambda: len(server.asked) == 4)
    with trouble:
        for one in waiting:
            one.join()
        until(lambda: server.ask("GET", "/readyz").status == 503)
        sent = len(server.asked)
        refused = [ask(server, key, stream=stream) for key in (paid, free) for stream in (False, True)]
        assert len(server.asked) == sent
        assert server.ask("GET", "/healthz").status == 200
    assert [one.status for one in under_way] == [200, 200]
    assert [(one.status, one.headers.get("retry-after")) for one in refused] == [(503, "1")] * 4
    assert {one.json["error"]["message"] for one in refused} == {"the server cannot keep its records now; try again"}
    until(lambda: server.ask("GET", "/readyz").status == 200)
    answered += [*under_way, ask(server, paid), ask(server, free)]
    assert [one.status for one in answered] == [200] * 6
    ledger = server.app.state.catalogue.rig.ledger
    assert ledger.spent(f"payer key {payer.id}") == 30.0
    assert [(one.attempts, one.cost) for one in ledger.sums("day", 1)] == [(6, 60.0)]
    for one, key in zip(answered, (paid, free, None, None, paid, free), strict=True):
        run = one.json["moa"]["run"]
        seen = [
            server.ask("GET", f"/v1/moa/runs/{run}", authorization=f"Bearer {secret}")
            for secret in (key or paid, key or free)
        ]
        events = next(got.json["events"] for got in seen if got.status == 200)
        assert [event["seq"] for event in events] == list(range(len(events)))
        assert events[-1]["kind"] == "run_finished"


@pytest.mark.parametrize("names", [("runs.db",), ("runs.ledger.db",), ("runs.db", "runs.ledger.db")], ids=" ".join)
def test_f26_while_another_program_holds_the_files(
    names: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("_schema", "_ledgerfile"):
        monkeypatch.setattr(f"moa.stores.{module}.BUSY", 0.1)
    with kept_in(tmp_path) as (server, made):
        rehearse(server, made, locked(*(tmp_path / name for name in names)))


def test_f26_while_the_disk_is_full(disk: Path) -> None:
    with kept_in(disk) as (server, made):
        rehearse(server, made, filled(disk))


def test_f26_where_money_cannot_be_set_aside_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first moment on, when nobody has noticed yet that the ledger cannot be written."""
    monkeypatch.setattr("moa.stores._ledgerfile.BUSY", 0.1)
    with kept_in(tmp_path) as (server, made):
        (payer, paid), _ = made["paid"], made["free"]
        assert ask(server, paid).status == 200
        server.app.state.catalogue.rig.ledger.flush()
        with locked(tmp_path / "runs.ledger.db"):
            refused, streamed = ask(server, paid), ask(server, paid, stream=True)
        assert len(server.asked) == 1
        assert (refused.status, refused.headers["retry-after"], refused.json["error"]["code"]) == (
            503,
            "1",
            "store_failed",
        )
        assert streamed.frames[-1]["error"]["code"] == "store_failed"
        assert ask(server, paid).status == 200
        assert server.app.state.catalogue.rig.ledger.spent(f"payer key {payer.id}") == 20.0


def test_f26_a_server_that_ends_says_what_it_could_not_write(disk: Path, tmp_path: Path) -> None:
    (tmp_path / "moa.toml").write_text('[agents.quick]\nmodel = "fake:quick"')
    with process(tmp_path, MOA_STORE__PATH=str(disk / "runs.db")) as (running, port):
        server = Served(port, None, None, None)  # type: ignore[arg-type]
        assert ask(server, "k").status == 200
        with filled(disk):
            until(lambda: ask(server, "k").status == 503)
            running.send_signal(signal.SIGTERM)
            code = running.wait(30)
    told = (tmp_path / "told.txt").read_text()
    assert code == 0
    assert "Traceback" not in told
    assert len(re.findall(r"runs(?:\.ledger)?\.db: .* full; make room.* \([0-9]+ events were not written\)", told)) == 2
