"""Pools learn calibration, and whom to believe, from what happened."""

from __future__ import annotations

from random import Random

import pytest

from moa.evals.pools import ENOUGH, FEWEST, fit, log_loss
from moa.flows.pool import Pool, logit, sigmoid

pytest.importorskip("numpy", reason="pools are fitted with numpy: mixture-of-agents[eval]")

AGENTS = ("sharp", "dull", "noise")


def cases(count: int, seed: int = 0) -> tuple[list[dict[str, float | None]], list[bool]]:
    """One agent that is right but half as sure as it should be, one that sees little, one that sees nothing; now and then one
    abstains."""
    rng, said, happened = Random(seed), list[dict[str, float | None]](), list[bool]()
    for _ in range(count):
        truth = rng.gauss(0, 2)
        happened.append(rng.random() < sigmoid(truth))
        case: dict[str, float | None] = {
            "sharp": sigmoid(truth / 2),
            "dull": sigmoid(truth / 6 + rng.gauss(0, 0.5)),
            "noise": rng.random(),
        }
        if rng.random() < 0.1:
            case[rng.choice(AGENTS)] = None
        said.append(case)
    return said, happened


def test_enough_labels_give_each_agent_its_weight() -> None:
    learnt = fit(*cases(2 * ENOUGH), AGENTS)
    assert learnt.weights["sharp"] > 3 * learnt.weights["dull"] >= 0
    assert learnt.weights["sharp"] > 3 * learnt.weights["noise"]
    said, happened = cases(1000, seed=1)
    plain = log_loss([Pool().pooled(case.items()) for case in said], happened)
    assert log_loss([learnt.pooled(case.items()) for case in said], happened) < plain - 0.1


def test_with_few_labels_weights_stay_equal_and_only_the_calibration_is_learnt() -> None:
    for kind in ("linear", "log"):
        cautious = [{name: one for name, one in case.items() if name != "noise"} for case in cases(ENOUGH - 1)[0]]
        learnt = fit(cautious, cases(ENOUGH - 1)[1], AGENTS, kind)  # type: ignore[arg-type]
        assert learnt.weights == {}
        assert learnt.slope > 1.2  # a pool of cautious voices is too cautious
        said, happened = cases(1000, seed=1)
        said = [{name: one for name, one in case.items() if name != "noise"} for case in said]
        before = log_loss([Pool(kind).pooled(case.items()) for case in said], happened)  # type: ignore[arg-type]
        assert log_loss([learnt.pooled(case.items()) for case in said], happened) < before


def test_what_is_calibrated_is_left_alone() -> None:
    rng = Random(2)
    said = [{"a": rng.random()} for _ in range(3000)]
    happened = [rng.random() < case["a"] for case in said]
    learnt = fit(said, happened, ("a",))
    assert learnt.slope == pytest.approx(1, abs=0.1)
    assert learnt.intercept == pytest.approx(0, abs=0.1)
    assert learnt.pooled([("a", 0.8)]) == pytest.approx(0.8, abs=0.03)
    assert logit(0.5) == 0


def test_nothing_to_learn_from_is_told() -> None:
    with pytest.raises(ValueError, match="0 cases and 0 outcomes"):
        fit([], [], AGENTS)
    with pytest.raises(ValueError, match="1 cases and 2 outcomes"):
        fit([{"a": 0.5}], [True, False], AGENTS)


def test_too_little_to_learn_from_is_told() -> None:
    halves = [index % 2 == 0 for index in range(100)]
    for said, happened, problem in (
        ([{"a": None}] * 100, halves, "0 cases with a probability"),
        ([{"a": None}] * 2 * ENOUGH, [True, False] * ENOUGH, "0 cases with a probability"),
        ([{"a": 0.5}] * (FEWEST - 1), halves[: FEWEST - 1], f"{FEWEST - 1} cases with a probability"),
        ([{"a": 0.5}] * 100, [True] * 100, "in 100 of which it happened"),
        ([{"a": 0.5}] * 100, [False] * 100, "in 0 of which it happened"),
    ):
        with pytest.raises(ValueError, match=problem):
            fit(said, happened, ("a",))


def test_the_intercept_does_not_run_off() -> None:
    learnt = fit([{"a": 0.99}] * 19 + [{"a": 0.01}], [False] * 19 + [True], ("a",))
    assert abs(learnt.intercept) < 3
    nearly = fit([{"a": 0.5}] * 2000, [True] * 1999 + [False], ("a",))
    assert nearly.intercept < 7.2  # the odds alone would say 7.6
