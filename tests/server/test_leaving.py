"""Clients that leave, or do not read: their calls end, what they used is written down, and nobody else is touched (F21, F22)."""

from __future__ import annotations

import json
import socket
import sqlite3
import struct
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from served import SCRIPTS, Served, served

from moa.core.events import CallCancelled, CallFinished, CallStarted, Event, RunFailed
from moa.providers.fake import Script

PRICES = {f"fake:{name}": {"input": 1.0, "output": 1.0} for name in ("a", "b", "c", "agg", "other")}
HANG = Script(hang=True)
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def asked(model: str = "moa/review", **more: Any) -> bytes:
    """A request as it goes over the wire."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}], **more}).encode()
    lines = ("POST /v1/chat/completions HTTP/1.1", "Host: localhost", "Content-Type: application/json")
    return "".join(f"{line}\r\n" for line in (*lines, f"Content-Length: {len(body)}", "")).encode() + body


def connected(server: Served, sent: bytes) -> socket.socket:
    """A client with little room for an answer, that has sent this."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.connect(("127.0.0.1", server.port))
    client.sendall(sent)
    return client


def leaves(client: socket.socket, hard: bool) -> None:
    """It goes: in good order, or as one that crashes."""
    if hard:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def soon(holds: Callable[[], Any]) -> None:
    """Wait until it does."""
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


class Watched:
    """A server with a ledger, and every run of it that has ended: its events."""

    def __init__(self, server: Served) -> None:
        self.server, self.ended = server, list[list[Event]]()
        server.app.state.catalogue.live.ended.append(self.ended.append)

    def under_way(self, *names: str) -> bool:
        """Whether these were asked, and nobody else."""
        return sorted(request.call.agent for request in self.server.asked) == sorted(names)

    def left(self) -> list[Any]:
        """Wait until nothing is under way: the facts of the one run there was, which was cancelled with all its calls."""
        soon(self.server.app.idle.is_set)
        (events,) = self.ended
        facts = [event.fact for event in events]
        assert isinstance(facts[-1], RunFailed)
        assert facts[-1].failure.kind == "CancelledError"
        started = [event.span for event in events if isinstance(event.fact, CallStarted)]
        ended = [event.span for event in events if isinstance(event.fact, CallFinished | CallCancelled)]
        assert sorted(started) == sorted(ended)
        assert self.lines(events[0].run) == len(started)
        return facts

    def lines(self, run: str) -> int:
        """How many attempts of a run the ledger has."""
        ledger = self.server.app.state.catalogue.rig.ledger
        ledger.flush()
        with closing(sqlite3.connect(ledger.path)) as database:
            (count,) = database.execute("SELECT count(*) FROM entries WHERE run = ?", (run,)).fetchone()
        return int(count)


def serving(folder: Path, scripts: Any, **more: Any) -> Any:
    store = {"keep": True, "path": str(folder / "runs.db")}
    return served(scripts, store=store, prices=PRICES, budget={"day": 10.0}, **more)


@pytest.mark.parametrize("hard", [False, True], ids=["closes", "resets"])
@BOTH
def test_who_leaves_at_once_leaves_nothing_under_way(tmp_path: Path, stream: bool, hard: bool) -> None:
    whole = asked(stream=stream)
    with serving(tmp_path, dict.fromkeys(SCRIPTS, HANG)) as server:
        for sent in (b"", whole[:20], whole[:-5], whole):
            leaves(connected(server, sent), hard)
        soon(lambda: not server.serving.server_state.connections and server.app.idle.is_set())
        assert not server.app.state.catalogue.live._runs
        assert server.ask("GET", "/readyz").status == 200


@BOTH
def test_who_leaves_while_waiting_for_a_place_takes_none(tmp_path: Path, stream: bool) -> None:
    scripts = {**SCRIPTS, "other": HANG}
    with serving(tmp_path, scripts, limits={"at_once": 1}) as server:
        watched, holder = Watched(server), connected(server, asked("other"))
        soon(lambda: watched.under_way("other"))
        client = connected(server, asked(stream=stream))
        places = server.app.state.catalogue.rig._shared_by("fake").places
        soon(lambda: sum(len(here._waiting) for here in places._of_loop.values()) == 3)
        leaves(client, hard=False)
        soon(lambda: watched.ended)
        assert server.app.state.busy == 1
        leaves(holder, hard=False)
        soon(lambda: len(watched.ended) == 2)
        del watched.ended[1]
        facts = watched.left()
        assert watched.under_way("other")
        assert sum(isinstance(fact, CallCancelled) for fact in facts) == 3
        assert server.chat(model="a").status == 200


@BOTH
def test_who_leaves_in_the_first_layer_ends_the_calls_of_it(tmp_path: Path, stream: bool) -> None:
    with serving(tmp_path, {**SCRIPTS, "b": HANG, "c": HANG}) as server:
        watched, client = Watched(server), connected(server, asked(stream=stream))
        soon(lambda: watched.under_way("a", "b", "c"))
        leaves(client, hard=True)
        facts = watched.left()
        assert watched.under_way("a", "b", "c")
        assert sum(isinstance(fact, CallCancelled) for fact in facts) == 2


@BOTH
def test_who_leaves_while_the_aggregator_writes_ends_it(tmp_path: Path, stream: bool) -> None:
    with serving(tmp_path, {**SCRIPTS, "agg": Script("word " * 1000, interval=0.05)}) as server:
        watched, client = Watched(server), connected(server, asked(stream=stream))
        soon(lambda: watched.under_way("a", "b", "c", "agg"))
        if stream:
            seen = b""
            while b'"content":"word' not in seen:
                seen += client.recv(4096)
        leaves(client, hard=False)
        facts = watched.left()
        assert sum(isinstance(fact, CallCancelled) for fact in facts) == 1
        assert sum(isinstance(fact, CallFinished) for fact in facts) == 3


def test_who_does_not_read_is_given_up_and_others_get_their_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moa.server.connection.SEND_SECONDS", 0.3)
    with serving(tmp_path, {**SCRIPTS, "agg": Script(("word" * 2_000 + " ") * 1000, interval=0.05)}) as server:
        watched = Watched(server)
        with connected(server, asked(stream=True)):
            soon(lambda: watched.under_way("a", "b", "c", "agg"))
            others, until = 0, time.monotonic() + 20
            while not server.app.idle.is_set() or not others:
                assert time.monotonic() < until
                assert server.chat(model="moa/poll").status == 200
                assert server.chat(model="moa/poll", stream=True).frames[-1] == "[DONE]"
                others += 2
            soon(lambda: not server.serving.server_state.connections)
        soon(lambda: len(watched.ended) == others + 1)
        watched.ended[:] = [events for events in watched.ended if isinstance(events[-1].fact, RunFailed)]
        watched.left()


def test_a_stream_that_was_left_is_found_in_the_log_by_its_run(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "moa.server"), served({**SCRIPTS, "agg": HANG}) as server:
        client = connected(server, asked(stream=True))
        client.recv(4096)
        soon(lambda: len(server.asked) == 4)
        leaves(client, hard=False)
        soon(lambda: caplog.messages)
    (line,) = (json.loads(one) for one in caplog.messages)
    assert line["status"] == 499
    assert len(line["run"]) == 18
