"""A server told to end with streams under way (F25): it says so at once, finishes them, and writes everything down."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from served import SCRIPTS, Served, process, served

from cli.fake_host import Host, Model, host
from moa.providers.fake import Script

CONFIG = """
budget.day = 10.0
mixtures.review = {{ proposers = ["far:fast", "far:fast"], aggregator = "far:slow" }}
mixtures.late = {{ proposers = ["far:fast", "far:fast"], aggregator = "far:late" }}
[hosts.far]
base_url = "{url}"
[prices."far:fast"]
input = 1.0
output = 1.0
[prices."far:slow"]
input = 1.0
output = 1.0
[prices."far:late"]
input = 1.0
output = 1.0
[store]
path = "runs.db"
"""
KEY = {"authorization": "Bearer k", "content-type": "application/json"}
STREAMS = 3


@contextmanager
def serving(home: Path, slow: Model) -> Iterator[tuple[subprocess.Popen[str], int, Host]]:
    """A process over its models, its port, and their host."""
    with host(fast=Model("Paris"), slow=slow, late=Model(hang=True)) as far:
        (home / "moa.toml").write_text(CONFIG.format(url=far.url))
        with process(home) as (running, port):
            yield running, port, far


@contextmanager
def connected(port: int, count: int = STREAMS) -> Iterator[list[HTTPConnection]]:
    connections = [HTTPConnection("127.0.0.1", port, timeout=30) for _ in range(count)]
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


def ask(connection: HTTPConnection, *, stream: bool = True) -> HTTPResponse:
    body = {"model": "moa/review", "stream": stream, "messages": [{"role": "user", "content": "Which city?"}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), KEY)
    return connection.getresponse()


def status(connection: HTTPConnection, path: str = "/readyz") -> int:
    connection.request("GET", path)
    with connection.getresponse() as response:
        response.read()
        return response.status


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def soon_speaks(far: Host) -> None:
    wait_until(lambda: len(far.asked_of("slow")) >= STREAMS and "slow" in far.first_word)


def one(home: Path, file: str, query: str) -> int:
    with closing(sqlite3.connect(home / file)) as database:
        return int(database.execute(query).fetchone()[0])


def settled(home: Path, asked: int = STREAMS, *, finished: int) -> None:
    """See that each run has its end, each call its line, and that no money is set aside any more."""
    assert one(home, "runs.db", "SELECT count(*) FROM runs") == asked
    assert one(home, "runs.db", "SELECT count(*) FROM runs WHERE state = 'open'") == 0
    assert one(home, "runs.ledger.db", "SELECT count(*) FROM entries") == asked * 3
    assert one(home, "runs.ledger.db", "SELECT count(*) FROM entries WHERE ended = 'done'") == asked * 2 + finished
    assert one(home, "runs.ledger.db", "SELECT count(*) FROM leases WHERE open") == 0


def test_told_to_end_it_cuts_no_stream_and_settles(tmp_path: Path) -> None:
    with serving(tmp_path, Model("word " * 20, interval=0.2)) as (running, port, far), connected(port, 5) as clients:
        *streams, probe, late = clients
        assert status(probe) == 200
        late.connect()
        answers = [ask(one) for one in streams]
        soon_speaks(far)
        running.send_signal(signal.SIGTERM)
        while status(probe) == 200:
            pass
        assert ask(late, stream=False).status == 503
        for answer in answers:
            assert answer.read().endswith(b"data: [DONE]\n\n")
        assert running.wait(30) == 0
    settled(tmp_path, finished=STREAMS)


FACES = ("/v1/chat/completions", "/v1/responses", "/v1/messages")
LAST_FRAMES = {
    "/v1/chat/completions": "finish_reason",
    "/v1/responses": "response.failed",
    "/v1/messages": "event: error",
}
SIGNALS = {"terminated twice": ([signal.SIGTERM] * 2, 143), "interrupted": ([signal.SIGINT], 130)}


def body_of(face: str, *, stream: bool) -> dict[str, Any]:
    said = {"messages": [{"role": "user", "content": "Which city?"}], "max_tokens": 99}
    return {
        "model": "moa/review" if stream else "moa/late",
        "stream": stream,
        **({"input": "Which city?"} if "responses" in face else said),
    }


def raw_request(*, stream: bool) -> bytes:
    body = json.dumps(body_of(FACES[0], stream=stream)).encode()
    lines = (
        f"POST {FACES[0]} HTTP/1.1",
        "host: localhost",
        "content-type: application/json",
        f"content-length: {len(body)}",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode() + body


def soon(server: Served, sign: signal.Signals) -> None:
    """A server in a thread is given a signal."""
    server.serving._told.get_loop().call_soon_threadsafe(server.serving.handle_exit, sign, None)


def problems(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


def told_that_it_ends(status: int, head: dict[str, str], said: bytes, face: str, *, stream: bool) -> None:
    """See that this is how a client is told, in its own protocol."""
    if stream:
        assert status == 200
        last = said.decode().rstrip().rsplit("\n\n", 1)[-1]
        assert LAST_FRAMES[face] in last
        assert "shutting_down" in last
        assert b"[DONE]" not in said
        return
    error = json.loads(said)["error"]
    assert (status, error["code"], head["retry-after"]) == (503, "shutting_down", "1")
    assert error["type"] == ("overloaded_error" if "messages" in face else "server_error")


@pytest.mark.parametrize(("signals", "code"), SIGNALS.values(), ids=SIGNALS)
def test_told_to_end_at_once_it_cancels_tells_every_client_and_settles(
    tmp_path: Path, signals: list[signal.Signals], code: int
) -> None:
    kinds = [(face, stream) for face in FACES for stream in (False, True)]
    slow = Model("word " * 1000, interval=0.1)
    with serving(tmp_path, slow) as (running, port, far), connected(port, len(kinds)) as clients:
        for client, (face, stream) in zip(clients, kinds, strict=True):
            client.request("POST", face, json.dumps(body_of(face, stream=stream)), KEY)
        soon_speaks(far)
        wait_until(lambda: len(far.asked_of("late")) == len(FACES))
        *first, last = signals
        for one in first:
            running.send_signal(one)
            with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as probe:
                while status(probe) == 200:
                    pass
        running.send_signal(last)
        for client, (face, stream) in zip(clients, kinds, strict=True):
            got = client.getresponse()
            head = {name.lower(): value for name, value in got.getheaders()}
            told_that_it_ends(got.status, head, got.read(), face, stream=stream)
        assert running.wait(20) == code
    settled(tmp_path, len(kinds), finished=0)
    told = (tmp_path / "told.txt").read_text()
    assert "Traceback" not in told
    lines = [json.loads(line) for line in told.splitlines() if line.startswith('{"request"')]
    assert sorted(one["status"] for one in lines if one["model"]) == [200] * 3 + [503] * 3
    assert [line for line in told.splitlines() if line.startswith('{"level"')] == []


def test_at_the_limit_of_its_patience_it_ends_what_is_under_way(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("moa.server.serving.DRAIN_SECONDS", 0.3)
    hangs = Script("word " * 1000, interval=0.1)
    with served({**SCRIPTS, "agg": hangs}) as server, ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(server.chat, stream=stream) for stream in (False, True)]
        wait_until(lambda: len([one for one in server.asked if one.call.agent == "agg"]) == 2)
        soon(server, signal.SIGTERM)
        for stream, one in enumerate(asked):
            got = one.result(20)
            told_that_it_ends(got.status, got.headers, got.body, FACES[0], stream=bool(stream))
    assert problems(caplog) == []


def test_who_has_not_sent_all_of_a_request_is_told_too() -> None:
    with served() as server, socket.create_connection(("127.0.0.1", server.port), timeout=20) as half:
        half.sendall(raw_request(stream=True)[:-10])
        wait_until(lambda: server.app.state.busy == 1)
        soon(server, signal.SIGINT)
        assert half.recv(9999).startswith(b"HTTP/1.1 503")


def test_who_reads_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("moa.server.serving.LAST_SECONDS", 0.3)
    with served({**SCRIPTS, "agg": Script(f"{'a' * 9000} " * 300)}) as server, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.connect(("127.0.0.1", server.port))
        deaf.sendall(raw_request(stream=True))
        wait_until(lambda: any(one.flow.write_paused for one in server.serving.server_state.connections))
        soon(server, signal.SIGINT)
        wait_until(server.app.idle.is_set)
    assert problems(caplog) == []
