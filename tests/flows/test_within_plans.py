"""What a plan shows is kept: random mixtures, played with random replies, make neither more calls than it says nor fewer."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from moa.config.find import load_here
from moa.config.flows import flow_of
from moa.core.errors import CallError, ConfigError, MoaError
from moa.core.flow import Ask, Outcome, play
from moa.core.plan import plan
from moa.core.prices import FREE
from moa.core.types import Call, Reply, user
from moa.flows.topology import MakeFlow

QUESTION = (user("Q?"),)
LONG = "lorem ipsum dolor sit amet " * 12
ANALYSIS = {"consensus": ["a"], "contradictions": [], "partial_coverage": [], "unique_insights": [], "blind_spots": []}
SAID = (
    "Answer: 4", "Answer: 5", "4", "five", "Answer: A", "B", '{"x": 1, "y": "a"}', '{"x": 2, "y": null}', "'a'", "ABSTAIN", "",
    "Best: Response 1", "Best: Response 2", "Ranking: Response 2 > Response 1 > 3", "Keep: 1, 2", "stop", "Keep: 1\nSTOP",
    "No faults.", "Probability: 0.7", "70 % chance", "x", "y", LONG, f"{LONG}\nAnswer: 4", f"{LONG}\nAnswer: 5",
    json.dumps(ANALYSIS),
)  # fmt: skip
INNER: dict[str, Any] = {"proposers": ["fake:p", "fake:q"], "aggregator": "fake:y"}
ASK_NOBODY = ("vote", "fields", "medoid", "best", "pool")


def settings(chance: random.Random, weights: str) -> dict[str, Any]:
    """A mixture as a file may say it; many of them are refused."""

    def members(most: int) -> list[str]:
        letters = chance.choice(("abcdef", "ab"))
        return [
            "inner" if chance.random() < 0.07 else f"fake:{chance.choice(letters)}"
            for _ in range(chance.randint(1, most))
        ]

    made: dict[str, Any] = {}
    match chance.choice(("layers", "proposers", "proposers", "agent")):
        case "layers":
            made["layers"] = [members(4) for _ in range(chance.randint(1, 3))]
        case "proposers":
            made |= {"proposers": members(5), "rounds": chance.choice((1, 1, 2, 3))}
        case _:
            made |= {"agent": "fake:a", "samples": chance.choice((2, 3, 6))}
    ways = ("synthesise", "select", "rank", "council", "fusion", *ASK_NOBODY)
    made["combine"] = how = chance.choice(ways)
    shape = chance.choice((*["layered"] * 4, "sparse", "tree", "debate", "refine", "consortium"))
    made |= {} if shape == "layered" else {"topology": shape}
    made |= {} if how in ASK_NOBODY else {"aggregator": chance.choice((*["fake:z"] * 9, "inner"))}
    if how == "rank" or chance.random() < 0.3:
        made["judges"] = chance.choice((["fake:j"], ["fake:j", "fake:k"]))
    if how == "best" or chance.random() < 0.25:
        made["verify"] = {"pattern": "4"}
    further: dict[str, tuple[float, tuple[Any, ...]]] = {
        "guard": (0.3, ("anchor",)), "sift": (0.2, (True,)), "leave_one_out": (0.2, (True,)), "weights": (0.15, (weights,)),
        "least": (0.1, (2,)), "need": (0.15, (1, 2, 3)), "window": (0.15, (2, 3)), "residual": (0.15, (True,)),
        "first": (0.15, (["fake:f", "fake:g"],)), "mode": (0.15, ("auto",)), "batch": (0.15, (2,)),
        "answers": (0.4, ("number", "choice", "json", "literal", "text")), "ranking": (0.15, ("listwise",)),
        "classifier": (0.1, ({"agent": "fake:t", "categories": ["x", "y"]},)), "gate": (0.1, ({},)),
        "routes": (0.1, ([{"to": "fake:r", "category": "x"}], [{"to": "inner", "shorter": 5}, {"to": "fake:r", "tag": "t"}])),
    }  # fmt: skip
    further |= {"keep": (0.5, (1, 2))} if shape == "sparse" else {"group": (0.5, (2,))} if shape == "tree" else {}
    return made | {name: chance.choice(values) for name, (often, values) in further.items() if chance.random() < often}


def mixture(made: dict[str, Any]) -> MakeFlow | None:
    """Its flow; None where it is refused."""
    try:
        return flow_of(load_here(flags={"mixtures": {"inner": INNER, "m": made}, "store": {"keep": False}}), "m")
    except ConfigError:
        return None


def played(flow: MakeFlow, chance: random.Random, failing: float) -> tuple[int, bool]:
    """How many calls were made, and whether there was an answer."""

    def reply(call: Call) -> Outcome:
        if chance.random() < failing:
            return CallError("down")
        return Reply(chance.choice(SAID), model=call.model, agent=call.agent)

    asked: list[Ask] = []
    try:
        play(flow(QUESTION), reply, asked)
    except MoaError:
        return sum(len(ask.calls) for ask in asked), False
    return sum(len(ask.calls) for ask in asked), True


@pytest.mark.parametrize("seed", range(8))
def test_no_run_makes_more_calls_than_its_plan_nor_fewer(seed: int, tmp_path: Path) -> None:
    weights = tmp_path / "weights.json"
    weights.write_text(
        json.dumps(
            {
                "of": {"fake:a": 1.2, "fake:b": 0.0, "fake:c": 0.4, "fake:f": 0, "fake:e": 0},
                "more": {"x": {"fake:c": 0.9}},
            }
        )
    )
    chance, tried = random.Random(seed), 0
    while tried < 60:
        made = settings(chance, str(weights))
        flow = mixture(made)
        if flow is None:
            continue
        tried += 1
        shown = plan(flow, QUESTION, lambda model: FREE, routes=True)
        for failing in (0.0, 0.2, 0.5, 0.9):
            for _ in range(4):
                calls, ended = played(flow, chance, failing)
                assert calls <= shown.most_calls, (made, calls)
                assert not ended or calls >= shown.least_calls, (made, calls)


THREE = {"proposers": ["fake:a", "fake:b", "fake:c"]}


@pytest.mark.parametrize(
    "made",
    [
        THREE | {"combine": "select", "aggregator": "fake:z"},
        THREE | {"combine": "rank", "ranking": "listwise", "aggregator": "fake:z"},
        THREE | {"combine": "synthesise", "aggregator": "fake:z", "verify": {"pattern": "surely not"}},
    ],
)
def test_a_guard_is_drawn_and_its_judge_is_among_those_asked_whatever_it_guards(made: dict[str, Any]) -> None:
    flow = mixture(made | {"guard": "anchor", "judges": ["fake:j"]})
    assert flow is not None
    shown = plan(flow, QUESTION, lambda model: FREE)
    assert "guard" in [step.label for step in shown.steps]
    assert "fake:j" in [model for _, model in shown.models]


@pytest.mark.parametrize(
    ("made", "least", "most"),
    [
        (THREE | {"first": ["fake:f", "fake:g"], "aggregator": "fake:z", "answers": "choice"}, 2, 6),
        (THREE | {"first": ["fake:f", "fake:g"], "aggregator": "fake:z", "answers": "json"}, 2, 6),
        (THREE | {"mode": "auto", "aggregator": "fake:z", "verify": {"pattern": "surely not"}}, 2, 6),
        ({"agent": "fake:a", "samples": 20, "combine": "vote", "batch": 4, "answers": "json"}, 4, 20),
        ({"layers": [["fake:a", "fake:b", "fake:c"], ["fake:d"]], "combine": "rank", "aggregator": "fake:z"}, 4, 10),
    ],
)
def test_the_fewest_calls_are_those_of_members_that_agree(made: dict[str, Any], least: int, most: int) -> None:
    flow = mixture(made)
    assert flow is not None
    shown = plan(flow, QUESTION, lambda model: FREE)
    assert (shown.least_calls, shown.most_calls) == (least, most)
