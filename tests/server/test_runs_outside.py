"""Runs seen from outside: as they happen, as they were, and from behind an event; and the document of the routes."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from served import SCRIPTS, served

from moa.providers.fake import Script
from moa.server.app import ROUTES


def test_a_run_is_followed_while_it_goes_and_read_when_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moa.server.turn.PULSE_SECONDS", 0.05)
    slow = {**SCRIPTS, "agg": Script("It is Paris.", delay=0.3, interval=0.05)}
    with served(slow, store={"keep": True, "path": str(tmp_path / "runs.db")}) as server:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
        body = {"model": "moa", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        run = json.loads(response.readline()[6:])["id"].removeprefix("chatcmpl-")
        watched = server.ask("GET", f"/v1/moa/runs/{run}/events")
        followed = watched.frames
        response.read()
        connection.close()
        stored = server.ask("GET", f"/v1/moa/runs/{run}").json["events"]
        rest = server.ask("GET", f"/v1/moa/runs/{run}/events", last_event_id="3").frames
        assert server.app.state.catalogue.live.find(run) is None
    kinds = [event["kind"] for event in followed]
    assert (kinds[0], kinds[-1]) == ("run_started", "run_finished")
    assert [event["seq"] for event in followed] == [event["seq"] for event in stored]
    assert [event["seq"] for event in rest] == [event["seq"] for event in stored if event["seq"] > 3]
    assert watched.body.startswith(b"id: 0\nevent: run_started\n")
    assert b"\n: moa is working\n\n" in watched.body
    assert "nonce" not in json.dumps(followed + stored)


def test_what_stands_behind_an_event_is_never_a_command() -> None:
    with served() as server:
        for last in ("1\n2", "x", "-1", "9" * 100):
            assert (
                server.ask("GET", "/v1/moa/runs/00000000ffff/events", last_event_id=last.replace("\n", " ")).status
                == 404
            )


def test_every_route_is_in_the_document() -> None:
    with served() as server:
        document: Any = server.ask("GET", "/openapi.json").json
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert len(told) == len(ROUTES)
    assert ("GET", "/openapi.json") in told
    chat = document["paths"]["/v1/chat/completions"]["post"]
    schema = chat["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
    assert {"model", "messages", "moa"} <= set(document["components"]["schemas"][schema]["properties"])
    assert chat["security"]
    assert "security" not in document["paths"]["/healthz"]["get"]
