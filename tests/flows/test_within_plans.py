"""What a plan shows is kept: random mixtures, played with random replies, make neither more calls than it says nor fewer."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from random_mixtures import QUESTION, mixture, said, settings

from moa.core.errors import MoaError
from moa.core.flow import Ask, play
from moa.core.plan import plan
from moa.core.prices import FREE
from moa.flows.topology import MakeFlow


def played(flow: MakeFlow, chance: random.Random, failing: float) -> tuple[int, bool]:
    """How many calls were made, and whether there was an answer."""

    asked: list[Ask] = []
    try:
        play(flow(QUESTION), lambda call: said(call, chance, failing), asked)
    except MoaError:
        return sum(len(ask.calls) for ask in asked), False
    return sum(len(ask.calls) for ask in asked), True


@pytest.fixture
def trusting(tmp_path: Path) -> str:
    """A file of weights that are nothing for some."""
    weights = tmp_path / "weights.json"
    weights.write_text(
        json.dumps(
            {
                "of": {"fake:a": 1.2, "fake:b": 0.0, "fake:c": 0.4, "fake:f": 0, "fake:e": 0},
                "more": {"x": {"fake:c": 0.9}},
            }
        )
    )
    return str(weights)


@pytest.mark.parametrize("seed", range(8))
def test_no_run_makes_more_calls_than_its_plan_nor_fewer(seed: int, trusting: str) -> None:
    chance, tried = random.Random(seed), 0
    while tried < 60:
        made = settings(chance, trusting)
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


@pytest.mark.parametrize(
    ("made", "most"),
    [
        # two are trusted; where both fail, the judge is shown the three others
        (
            {"proposers": ["fake:a", "fake:c", "fake:b", "fake:e", "fake:f"], "combine": "rank", "judges": ["fake:j"]},
            5 + 3 * 2,
        ),
        # as much again behind an aggregator that is a mixture, which shows nobody whom it has read
        (
            {"proposers": ["fake:a", "fake:b", "fake:e", "fake:f"], "aggregator": "inner", "window": 2},
            4 + 2 * 3,
        ),
        # the one who is trusted fails, and the others do not agree
        ({"proposers": ["fake:a", "fake:b", "fake:e"], "topology": "debate", "rounds": 2, "combine": "medoid"}, 3 + 3),
        # the one who is trusted states no answer, and so agrees with nobody
        ({"proposers": ["fake:a", "fake:b"], "topology": "debate", "rounds": 2, "combine": "vote", "answers": "choice"}, 2 + 2),
        # the last layer fails, of which one was to be read, and the two of the first are
        ({"layers": [["fake:a", "fake:c"], ["fake:a", "fake:b"]], "combine": "rank", "judges": ["fake:j"]}, 4 + 2),
        # those who are trusted fail in one layer only
        (
            {
                "layers": [["fake:a", "fake:b", "fake:e"], ["fake:a", "fake:c"]], "topology": "sparse", "keep": 1,
                "combine": "medoid", "judges": ["fake:j"],
            },
            5 + 2,
        ),
    ],
)  # fmt: skip
def test_a_plan_counts_what_is_asked_where_all_fail_who_are_trusted(
    made: dict[str, Any], most: int, trusting: str
) -> None:
    flow = mixture(made | {"weights": trusting})
    assert flow is not None
    assert plan(flow, QUESTION, lambda model: FREE).most_calls == most


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
