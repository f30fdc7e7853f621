"""Named parts of a question over HTTP: in the `moa` object, in all three protocols, seen by whom they are for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from served import Served, served

from moa.core.types import Image, user

AGENTS = {
    "a": {"model": "fake:a", "view": ["labs"]},
    "b": {"model": "fake:b", "view": ["labs"]},
    "c": {"model": "fake:c", "view": ["scan"]},
    "agg": {"model": "fake:agg"},
}
MIXTURES = {"review": {"proposers": ["a", "b", "c"], "aggregator": "agg"}}
PARTS = {"labs": "K 6.8", "scan": {"image_url": "https://x/y.png"}}
TURN = user("Which city?", labs="K 6.8", scan=Image("https://x/y.png"))
ASKED = {"role": "user", "content": "Which city?"}


@pytest.fixture
def server() -> Iterator[Served]:
    with served(agents=AGENTS, mixtures=MIXTURES) as running:
        yield running


def seen(server: Served) -> dict[str, Any]:
    return {request.call.agent: request.call.conversation for request in server.fake.asked}


def test_parts_reach_whom_they_are_for_and_agreement_is_told_apart(server: Served) -> None:
    told = server.chat(moa={"parts": PARTS, "proposals": True}).json["moa"]
    assert seen(server) == {
        "a": (user("Which city?", labs="K 6.8"),),
        "b": (user("Which city?", labs="K 6.8"),),
        "c": (user("Which city?", scan=Image("https://x/y.png")),),
        "agg": (TURN,),
    }
    assert told["agreement"] == {"same_input": 1.0, "different_parts": 0.5}
    assert [one["saw"] for one in told["proposals"]] == [["labs"], ["labs"], ["scan"]]


def test_agreement_is_of_answers_of_the_mixtures_kind() -> None:
    numbers = {"review": MIXTURES["review"] | {"answers": "number"}}
    with served(agents=AGENTS, mixtures=numbers) as running:
        told = running.chat(moa={"parts": PARTS}).json["moa"]
    assert told["agreement"] == {"same_input": 0.0, "different_parts": 0.0}, "Paris is no number"


def test_whose_part_is_missing_abstains_and_the_answer_is_not_degraded(server: Served) -> None:
    told = server.chat(moa={"parts": {"labs": "K 6.8"}}).json["moa"]
    states = [(one["agent"], one["state"]) for one in told["agents"]]
    assert states == [("a", "done"), ("b", "done"), ("c", "abstained"), ("agg", "done")]
    assert told["agents"][2]["problem"] == "Abstained: c was not asked: the question has no part named scan"
    assert told["degraded"] is False


def test_where_nobody_saw_a_part_there_is_no_agreement_to_tell(server: Served) -> None:
    assert "agreement" not in server.chat().json["moa"]


def test_agreement_of_an_ordinary_panel_is_told_too() -> None:
    with served() as server:
        assert server.chat().json["moa"]["agreement"] == {"same_input": pytest.approx(2 / 3), "different_parts": None}


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/responses", {"input": "Which city?"}), ("/v1/messages", {"messages": [ASKED], "max_tokens": 50})],
)
def test_the_other_protocols_take_parts_too(server: Served, path: str, body: dict[str, Any]) -> None:
    got = server.ask("POST", path, {"model": "moa/review", "moa": {"parts": PARTS}, **body})
    assert got.status == 200, got.body
    assert seen(server)["agg"] == (TURN,)


def test_parts_join_the_last_turn_of_the_user(server: Served) -> None:
    talk = [ASKED, {"role": "assistant", "content": "two"}, {"role": "user", "content": "three"}]
    server.chat(talk, moa={"parts": {"labs": "K 6.8"}})
    assert seen(server)["a"][2] == user("three", labs="K 6.8")


@pytest.mark.parametrize(
    ("parts", "param"),
    [
        ({"a b!": "x"}, "moa.parts.a b!"),
        ({"question": "x"}, "moa.parts.question"),
        ({"labs": "  "}, "moa.parts.labs"),
        ({"labs": 5}, "moa.parts"),
        ({"labs": {"image_url": "file:///etc/passwd"}}, "moa.parts.labs"),
        ({"labs": {"url": "https://x/y.png"}}, "moa.parts"),
        ({f"p{n}": "x" for n in range(65)}, "moa.parts"),
        (["labs"], "moa.parts"),
    ],
)
def test_what_is_no_part_is_refused_with_its_name(server: Served, parts: Any, param: str) -> None:
    got = server.chat(moa={"parts": parts})
    assert got.status == 400
    assert got.json["error"]["param"].startswith(param)
    assert not server.fake.asked
