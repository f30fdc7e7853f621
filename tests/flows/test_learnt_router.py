"""The learnt router as a flow: whom it asks, when it leaves the best single agent, and what it makes of an embedder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from moa.core.agents import Agent
from moa.core.errors import CallError
from moa.core.flow import play
from moa.core.plan import plan
from moa.core.types import user
from moa.evals.records import Record
from moa.evals.router import Way, clustered, fit
from moa.flows.alone import alone
from moa.flows.router import Router, by_router, embedding_of, unit

pytest.importorskip("numpy", reason="clusters are fitted with numpy: mixture-of-agents[eval]")

AGENTS = ("a", "b")
MEMBERS = {name: partial(alone, member=Agent(f"x:{name}", name)) for name in AGENTS}
EMBEDDER = Agent("e:model", "embedder")
EAST, NORTH = (1.0, 0.1), (0.1, 1.0)


def embedded(count: int = 120) -> list[Record]:
    """Questions of two kinds: what points east is a's, what points north is b's, who is the worse on the whole."""
    found = []
    for number in range(count):
        east = number % 5 < 3
        right = {"a": float(east), "b": float(not east)}
        direction = (1.0, 0.01 * (number % 7)) if east else (0.01 * (number % 7), 1.0)
        found.append(Record("a question", {}, right, embedding=direction))
    return found


@pytest.mark.parametrize("way", [Way(embeddings=True), Way(embeddings=True, clusters=2)], ids=["nearest", "clusters"])
def test_it_asks_the_embedder_and_then_who_was_best_on_what_is_like_it(way: Way) -> None:
    learnt = fit(embedded(), AGENTS, way)
    assert learnt.trusted
    for direction, who in ((EAST, "a"), (NORTH, "b")):
        flow = by_router((user("first"), user("Where to?")), learnt, MEMBERS, EMBEDDER)
        played = play(flow, [str(list(direction)), "there"])
        assert [call.agent for ask in played.asked for call in ask.calls] == ["embedder", who]
        assert played.asked[0].calls[0].conversation == (user("Where to?"),)
        assert played.answer.notes == ()


@pytest.mark.parametrize("said", [CallError("down"), "no numbers", "[1.0, 2.0, 3.0]", '[1.0, "x"]', "[1e999, 0.0]"])
def test_without_an_embedding_the_best_single_agent_answers_and_it_is_said(said: str | CallError) -> None:
    flow = by_router((user("Where to?"),), fit(embedded(), AGENTS, Way(embeddings=True)), MEMBERS, EMBEDDER)
    played = play(flow, lambda call: said if call.role == "embedder" else "there")
    assert played.asked[-1].calls[0].agent == "a"
    assert played.answer.notes[0].startswith("fallback: the embedder")


def test_a_router_whose_gain_is_not_significant_asks_the_best_single_agent_and_no_embedder() -> None:
    learnt = replace(fit(embedded(), AGENTS, Way(embeddings=True)), gain=0.01, error=0.01)
    assert not learnt.trusted
    played = play(by_router((user("hi"),), learnt, MEMBERS, EMBEDDER), ["there"])
    assert [call.agent for ask in played.asked for call in ask.calls] == ["a"]


def test_every_way_it_may_choose_is_drawn() -> None:
    learnt = fit(embedded(), AGENTS, Way(embeddings=True))
    planned = plan(lambda talk: by_router(talk, learnt, MEMBERS, EMBEDDER), (user("hi"),), lambda model: None)
    assert set(planned.unpriced) == {"e:model", "x:a", "x:b"}
    assert (planned.least_calls, planned.most_calls) == (2, 2)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"best": "c"}, "best: 'c' is none of the agents"),
        ({"agents": ("a", "a")}, "agents: 1 to 32 different ones"),
        ({"agents": ()}, "agents"),
        ({"worth": ((1.0,),)}, "worth: a row has one number"),
        ({"vectors": ()}, "vectors: reads"),
        ({"vectors": ((1.0,), (1.0, 0.0))}, "vectors: all are of one length"),
        ({"vectors": ((1.0, 0.0),)}, "vectors: there is one for each row"),
        ({"clusters": (900,)}, "clusters: each is the place"),
        ({"reads": "clusters"}, "clusters: there is one for each row"),
        ({"where": {"word": ((900, 1.0),)}}, "where: a place"),
        ({"means": {"x": (0.1, 0.2), "y": (0.1, 0.2)}}, "categories: each has a row in means"),
        ({"means": {"": (0.1,)}}, "means: a row has one number"),
    ],
)
def test_what_does_not_fit_together_is_no_router(changes: dict[str, object], problem: str) -> None:
    learnt = fit(embedded(), AGENTS, Way(embeddings=True))
    with pytest.raises(ValueError, match=problem):
        replace(learnt, **changes)  # type: ignore[arg-type]


def test_an_embedding_is_a_list_of_numbers() -> None:
    assert embedding_of("[1, 2.5]") == (1.0, 2.5)
    assert embedding_of("[true]") == embedding_of('{"a": 1}') == embedding_of("[" * 100_000) == ()
    assert unit((3.0, 4.0)) == (0.6, 0.8)
    assert unit((0.0, 0.0)) == (0.0, 0.0)


def test_clusters_are_what_lies_together() -> None:
    points = [unit(record.embedding) for record in embedded(50)]
    centres, of = clustered(points, 2)
    assert [of[n] == of[0] for n in range(50)] == [n % 5 < 3 for n in range(50)]
    assert clustered(points, 2) == (centres, of)
    assert len(clustered(points[:3], 9)[0]) == 3


def test_a_router_without_records_is_an_error() -> None:
    with pytest.raises(ValueError, match="no records"):
        fit([], AGENTS)
    assert isinstance(fit(embedded(1), AGENTS), Router)
