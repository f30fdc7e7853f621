"""Behind a gate: what the models of a mixture say leaves as its answer or not at all, whatever a client asks to be told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from served import AGENTS, FACES, MIXTURES, Served, served

from moa.core.errors import BadRequest, Refused
from moa.core.events import Event, Failure, Noted, RunFailed
from moa.core.types import Usage
from moa.server.door import Rules
from moa.server.seen import told
from moa.stores.keys import Keys

CANARY = "zebra-8842-quagga"
SCHEMA = '{"type": "object", "properties": {"p": {"enum": ["x"]}}, "required": ["p"]}'
GATE = {"secrets": ["env:A_CANARY"]}
OWN: Any = {
    **AGENTS,
    "strict": {"model": "fake:strict", "schema": SCHEMA},
    "shaky": {"model": "fake:refuses", "fallback": ["fake:agg"]},
}
GATED: Any = {
    "gated": {"proposers": ["a", "b", "strict", "shaky"], "aggregator": "agg", "gate": GATE},
    "failing": {"proposers": ["a", "b"], "aggregator": "refuses", "gate": GATE},
    "down": {"proposers": ["strict"], "combine": "vote", "gate": GATE},
    "above": {"proposers": ["gated", "b"], "aggregator": "agg"},
    "leading": {"proposers": ["a", "b"], "aggregator": "agg", "routes": [{"to": "gated", "tag": "legal"}]},
}
SCRIPTS: Any = {
    "a": f"The word is {CANARY}.", "b": "Rome", "strict": json.dumps({"p": CANARY}), "agg": "It is Paris.",
    "refuses": Refused(f"I say only {CANARY}", provider="fake", model="refuses"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def canary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_CANARY", CANARY)


@contextmanager
def gated(tmp_path: Path, rules: Rules | None = None, scripts: Any = SCRIPTS) -> Iterator[Served]:
    agents = {**OWN, "refuses": {"model": "fake:refuses"}}
    store = {"keep": True, "path": str(tmp_path / "runs.db")}
    with served(scripts, rules, agents=agents, mixtures={**MIXTURES, **GATED}, store=store) as server:
        yield server


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["gated", "failing", "down", "above", "leading"])
def test_no_word_of_a_model_leaves_but_as_the_answer(face: str, stream: bool, model: str, tmp_path: Path) -> None:
    wishes: Any = {"events": True, "progress": True, "tag": "legal"}
    with gated(tmp_path) as server:
        got = server.ask("POST", face, {"model": f"moa/{model}", "stream": stream, "moa": wishes, **FACES[face]})
    assert CANARY not in got.body.decode()
    assert "quagga" not in got.body.decode()
    if stream:
        assert b"run_finished" in got.body or b"run_failed" in got.body
        assert b'"call_finished"' in got.body or b'"call_failed"' in got.body


def test_without_a_gate_all_of_it_is_told(tmp_path: Path) -> None:
    with gated(tmp_path) as server:
        got = server.chat(moa={"events": True, "proposals": True}, stream=True)
    assert got.body.decode().count(CANARY) > 1


def test_who_failed_and_how_is_told_and_what_it_said_is_not(tmp_path: Path) -> None:
    with gated(tmp_path) as server:
        seen = server.chat(model="moa/gated").json["moa"]
        failed = server.chat(model="moa/failing").json["moa"]
    (strict,) = [agent for agent in seen["agents"] if agent["agent"] == "strict"]
    assert strict["problem"] == "BadReply: fake:strict: what was said stays behind the gate"
    assert seen["agreement"]["same_input"] < 1
    assert any("Refused: what was said stays behind the gate" in note for note in failed["notes"])
    assert failed["degraded"]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("continued", "Cut: fake:a: it broke off at {}; the same model is asked to go on from there"),
        ("circuit", "Refused: fake:a: I say only {}; it is not asked again for 30 s"),
        ("verify", "own:check raised ValueError: bad: {}, which counts as failed"),
    ],
)
def test_a_note_that_quotes_an_error_says_its_kind_and_no_more(reason: str, words: str) -> None:
    event = Event(Noted(reason, words.format("quagga")), "r1", 3, 0.0)
    assert "quagga" in json.dumps(told(event))
    assert told(event, gated=True)["detail"].endswith(": what was said stays behind the gate")
    assert "quagga" not in json.dumps(told(event, gated=True))


@pytest.mark.parametrize(("kind", "kept"), [("ValueError", False), ("BadReply", False), ("BudgetExceeded", True)])
def test_of_an_error_that_is_not_our_own_only_the_kind_is_told(kind: str, kept: bool) -> None:
    event = Event(RunFailed(Failure(kind, "quagga", partial="quagga"), Usage(), None, 1.0), "r1", 3, 0.0)
    failure = told(event, gated=True)["failure"]
    assert (failure["kind"], failure["message"] == "quagga", failure.get("partial", "")) == (kind, kept, "")


def test_the_proposals_of_a_gated_mixture_are_refused_by_name(tmp_path: Path) -> None:
    with gated(tmp_path) as server:
        for model in ("gated", "above", "leading"):
            got = server.chat(model=f"moa/{model}", moa={"proposals": True})
            assert (got.status, got.json["error"]["param"]) == (400, "moa.proposals")
        assert server.asked == []


def test_an_error_of_a_gated_mixture_keeps_its_status_and_says_no_more(tmp_path: Path) -> None:
    scripts = {**SCRIPTS, "strict": BadRequest(f"your prompt was {CANARY}", provider="fake", model="strict")}
    with gated(tmp_path, scripts=scripts) as server:
        got = server.chat(model="moa/down")
    assert (got.status, got.json["error"]["code"]) == (400, "not_enough_replies")
    assert got.json["error"]["message"].endswith("(BadRequest: what was said stays behind the gate")


def test_a_stored_run_is_for_keys_that_may_read_runs_and_holds_all_of_it(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.db")
    with gated(tmp_path, Rules(keys)) as server:
        for scopes, status in ((("ask",), 403), (("ask", "runs"), 200)):
            _, secret = keys.create("-".join(scopes), scopes=scopes)
            server.headers["authorization"] = f"Bearer {secret}"
            run = server.chat(model="moa/gated").headers["x-moa-run"]
            for path in (f"/v1/moa/runs/{run}", f"/v1/moa/runs/{run}/events"):
                got = server.ask("GET", path)
                assert got.status == status
                assert (CANARY in got.body.decode()) == (status == 200)
