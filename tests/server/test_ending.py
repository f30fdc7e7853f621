"""A server told to end with streams under way (F25): it says so at once, finishes them, and writes everything down."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path

import pytest
from served import process

from cli.fake_host import Host, Model, host

CONFIG = """
budget.day = 10.0
mixtures.review = {{ proposers = ["far:fast", "far:fast"], aggregator = "far:slow" }}
[hosts.far]
base_url = "{url}"
[prices."far:fast"]
input = 1.0
output = 1.0
[prices."far:slow"]
input = 1.0
output = 1.0
[store]
path = "runs.db"
"""
KEY = {"authorization": "Bearer k", "content-type": "application/json"}
STREAMS = 3


@contextmanager
def serving(home: Path, slow: Model) -> Iterator[tuple[subprocess.Popen[str], int, Host]]:
    """A process over two models, its port, and the host of the models."""
    with host(fast=Model("Paris"), slow=slow) as far:
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


def soon_speaks(far: Host) -> None:
    until = time.monotonic() + 20
    while len(far.asked_of("slow")) < STREAMS or "slow" not in far.first_word:
        assert time.monotonic() < until
        time.sleep(0.01)


def one(home: Path, file: str, query: str) -> int:
    with closing(sqlite3.connect(home / file)) as database:
        return int(database.execute(query).fetchone()[0])


def settled(home: Path, *, finished: int) -> None:
    """See that each run has its end, each call its line, and that no money is set aside any more."""
    assert one(home, "runs.db", "SELECT count(*) FROM runs") == STREAMS
    assert one(home, "runs.db", "SELECT count(*) FROM runs WHERE state = 'open'") == 0
    assert one(home, "runs.ledger.db", "SELECT count(*) FROM entries") == STREAMS * 3
    assert one(home, "runs.ledger.db", "SELECT count(*) FROM entries WHERE ended = 'done'") == STREAMS * 2 + finished
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


def test_told_again_it_cancels_what_is_under_way_and_settles(tmp_path: Path) -> None:
    with serving(tmp_path, Model("word " * 1000, interval=0.1)) as (running, port, far), connected(port) as streams:
        answers = [ask(one) for one in streams]
        soon_speaks(far)
        running.send_signal(signal.SIGTERM)
        with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as probe:
            while status(probe) == 200:
                pass
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 143
        for answer in answers:
            with pytest.raises((HTTPException, OSError)):
                answer.read()
    settled(tmp_path, finished=0)
