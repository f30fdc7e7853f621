"""The server as a process: it drains when told to end, answers a repeated request once, and needs a key to start."""

from __future__ import annotations

import json
import logging
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from served import SCRIPTS, Served, environment, process, served

from moa.providers.fake import Script
from moa.server.serving import JsonLines

CHAT = {"model": "moa/review", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as running:
        yield running


def again(server: Served, key: str, body: Any = None) -> Any:
    return server.ask("POST", "/v1/chat/completions", body or CHAT, idempotency_key=key)


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_sent_again_is_carried_out_once(server: Served, stream: bool) -> None:
    server.asked.clear()
    body = CHAT | {"stream": stream}
    first, second = again(server, f"one-{stream}", body), again(server, f"one-{stream}", body)
    assert (first.status, first.body) == (second.status, second.body) == (200, first.body)
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert len(server.asked) == 4
    again(server, f"two-{stream}", body)
    assert len(server.asked) == 8


def test_a_key_with_another_body_is_a_mistake(server: Served) -> None:
    again(server, "three")
    got = again(server, "three", CHAT | {"seed": 1})
    assert (got.status, got.json["error"]["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", "x" * 1000, "a b", "\xe9"])
def test_a_key_is_a_short_word(server: Served, key: str) -> None:
    assert again(server, key).status == 400


def test_while_the_first_one_runs_another_is_a_conflict() -> None:
    with served({**SCRIPTS, "agg": Script("It is Paris.", delay=0.5)}) as server:
        got: list[Any] = []
        threads = [threading.Thread(target=lambda: got.append(again(server, "same"))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(one.status for one in got) == [200, 409]
        assert again(server, "same").status == 200
        assert len(server.asked) == 4


def test_a_failure_of_ours_can_be_tried_again(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.app.state.catalogue, "asked", lambda asked: 1 / 0)
    assert again(server, "four").status == 500
    monkeypatch.undo()
    assert again(server, "four").status == 200


def test_more_requests_than_it_can_do_are_told_to_come_again() -> None:
    with served({**SCRIPTS, "agg": Script("It is Paris.", delay=0.5)}, server={"at_once": 2}) as server:
        got: list[Any] = []
        threads = [threading.Thread(target=lambda: got.append(server.chat())) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.ask("GET", "/healthz").status == 200
    assert sorted(one.status for one in got) == [200, 200, 503, 503, 503, 503]
    assert {one.headers.get("retry-after") for one in got if one.status == 503} == {"1"}


def moa(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "moa", *words]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=home, env=environment(home), timeout=60, check=False
    )


def test_a_server_whose_keys_are_all_revoked_does_not_start(tmp_path: Path) -> None:
    moa(tmp_path, "keys", "create", "gone")
    moa(tmp_path, "keys", "revoke", "gone")
    assert "there is no active key" in moa(tmp_path, "serve", "--port", "0").stderr


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    refused = moa(tmp_path, "serve", "--port", "0")
    assert "moa keys create" in refused.stderr
    assert refused.returncode == 2
    secret = moa(tmp_path, "keys", "create", "laptop", "--day", "5", "--expires", "30d").stdout.strip()
    assert re.fullmatch(r"moa-[\w-]{43}", secret)
    listed = moa(tmp_path, "keys", "list", "--json").stdout
    assert secret not in listed
    (key,) = json.loads(listed)
    assert (key["name"], key["day"], key["state"]) == ("laptop", 5.0, "active")
    assert moa(tmp_path, "keys", "revoke", "laptop").returncode == 0
    assert json.loads(moa(tmp_path, "keys", "list", "--json").stdout)[0]["state"] == "revoked"
    assert moa(tmp_path, "keys", "revoke", "nobody").returncode == 2


def test_no_auth_is_for_this_machine_only(tmp_path: Path) -> None:
    refused = moa(tmp_path, "serve", "--no-auth", "--host", "0.0.0.0")
    assert "127.0.0.1" in refused.stderr
    assert refused.returncode == 2


GARBAGE = """
import gc
from moa.cli.serve import _loaded
from moa.core.errors import ConfigError
try:
    _loaded(None, "127.0.0.1", False, (), ())
except ConfigError:
    print(gc.isenabled(), gc.get_freeze_count() > 0)
_loaded(None, "127.0.0.1", True, (), ())
print(gc.isenabled(), gc.get_freeze_count() > 0)
"""


def test_garbage_is_looked_for_once_all_is_loaded_and_also_where_it_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-c", GARBAGE]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment(tmp_path), timeout=60, check=False
    )
    assert done.stdout.split("\n")[:2] == ["True False", "True True"]


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = moa(tmp_path, "serve", "--no-auth", "--port", str(taken.getsockname()[1]))
    assert "take another --port" in refused.stderr
    assert refused.returncode == 2


def test_told_to_end_it_finishes_what_is_under_way_and_takes_nothing_new(tmp_path: Path) -> None:
    key = {"authorization": "Bearer k", "content-type": "application/json"}
    body = json.dumps(
        {"model": "moa/builtin", "stream": True, "messages": [{"role": "user", "content": "What is 34 + 85?"}]}
    )
    with process(tmp_path) as (running, port), closing(HTTPConnection("127.0.0.1", port, timeout=30)) as one:
        with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as other:
            other.request("GET", "/readyz")
            assert other.getresponse().read() == b'{"status":"ready"}'
            one.request("POST", "/v1/chat/completions", body, key)
            answer = one.getresponse()  # its head has come: it is under way
            running.send_signal(signal.SIGTERM)
            time.sleep(0.05)
            other.request("GET", "/readyz")
            assert other.getresponse().status == 503
        assert answer.read().endswith(b"data: [DONE]\n\n")
        assert running.wait(30) == 0


def test_whatever_is_logged_is_a_line_of_json() -> None:
    lines = JsonLines()
    try:
        raise ValueError("broken")
    except ValueError as error:
        found = (type(error), error, error.__traceback__)
    record = logging.LogRecord("uvicorn.error", logging.WARNING, "", 1, "odd %s", ("request",), found)
    line = json.loads(lines.format(record))
    assert (line["level"], line["logger"], line["problem"]) == ("warning", "uvicorn.error", "odd request")
    assert line["traceback"].endswith("ValueError: broken")
    own = logging.LogRecord("moa.server", logging.INFO, "", 1, "%s", ('{"status": 200}',), None)
    assert json.loads(lines.format(own)) == {"status": 200}
