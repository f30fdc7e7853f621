"""A verifier that fails has failed the text that it looked at, and not the run that was paid for."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from moa.core.agents import Agent
from moa.core.errors import CallError, ConfigError
from moa.core.flow import play
from moa.core.types import Reply, user
from moa.flows.best_of import best_of, within
from moa.flows.check import LONGEST, checked
from moa.flows.combine import synthesise
from moa.flows.escalate import escalate
from moa.flows.guard import anchored
from moa.flows.layered import layered

QUESTION = (user("What is 2 + 2?"),)
PROPOSED = tuple(map(Reply, ("Answer: 4", "Answer: 4", "Answer: 5")))
AGGREGATOR, JUDGE = Agent("x:agg"), Agent("x:judge")
COMBINE = synthesise(AGGREGATOR)


def boom(text: str) -> float:
    raise ValueError("boom")


async def later(text: str) -> float:
    return 1.0


def fives(text: str) -> bool:
    return "5" in text


ODD: list[tuple[Any, str]] = [
    (boom, "verify: test_check:boom raised ValueError: boom, which counts as failed"),
    (lambda text: float("nan"), "gave NaN"),
    (lambda text: None, "gave no number but None"),
    (lambda text: "yes", "gave no number but a str"),
    (later, "gave no number but a coroutine"),
    (lambda text: 10**400, "raised OverflowError"),
    (lambda text: exit(3), "raised SystemExit: 3"),
    (lambda: 1, "raised TypeError"),
]


@pytest.mark.parametrize(("verifier", "problem"), ODD)
def test_what_fails_to_verify_fails_the_text_and_is_told_once(verifier: Any, problem: str) -> None:
    reply = play(best_of(verifier)(QUESTION, PROPOSED), []).answer
    assert reply.text == "Answer: 4"
    assert [problem in note for note in reply.notes] == [False, True]
    guarded = play(anchored(COMBINE, verifier=verifier)(QUESTION, PROPOSED), ["Answer: 7"]).answer
    assert guarded.text == "Answer: 7"
    assert [problem in note for note in guarded.notes] == [False, True]
    full = partial(layered, layers=[[Agent("x:b")]], combine=COMBINE)
    called = play(escalate(QUESTION, [Agent("x:a")], full, verifier=verifier), ["4", "6", "six"]).answer
    assert (called.text, [problem in note for note in called.notes]) == ("six", [True])


def test_what_passes_is_the_answer_though_the_check_raises_on_another() -> None:
    reply = play(best_of(lambda text: 1 / ("5" in text))(QUESTION, PROPOSED), []).answer
    assert reply.text == "Answer: 5"
    assert len(reply.notes) == 1
    assert "raised ZeroDivisionError" in reply.notes[0]


def test_numbers_of_any_kind_are_scores_and_a_long_problem_is_cut() -> None:
    assert checked(fives, ["5", "4"]) == ([1.0, 0.0], ())

    class Score:
        def __float__(self) -> float:
            return 0.5

    assert checked(lambda text: Score(), ["5"]) == ([0.5], ())  # type: ignore[arg-type,return-value]

    def long(text: str) -> float:
        raise ValueError("x" * 9999)

    assert len(checked(long, ["5"])[1][0]) < LONGEST + 200


@pytest.mark.parametrize(("low", "high"), [(float("nan"), 5.0), (1.0, float("nan")), (5.0, 1.0)])
def test_a_range_that_holds_no_number_is_refused(low: float, high: float) -> None:
    with pytest.raises(ConfigError, match="number: there is none from"):
        within(low, high)


def test_the_anchor_is_a_proposal_that_passes() -> None:
    reply = play(anchored(COMBINE, verifier=fives)(QUESTION, PROPOSED), ["Answer: 7"]).answer
    assert reply.text == "Answer: 5"
    assert reply.notes == ("guard: the best proposal passes the verifier, the synthesis does not",)
    same = play(anchored(COMBINE, verifier=fives)(QUESTION, PROPOSED), ["Answer: 4"]).answer
    assert same.text == "Answer: 5"  # also where the synthesis is what most proposals say


def test_where_nothing_passes_the_synthesis_stands_and_it_is_said() -> None:
    reply = play(anchored(COMBINE, verifier=lambda text: False)(QUESTION, PROPOSED), ["Answer: 7"]).answer
    assert (reply.text, len(reply.notes)) == ("Answer: 7", 1)
    assert reply.notes[0].startswith("guard: neither the synthesis nor the best proposal passes")


def test_no_judge_puts_what_fails_in_the_place_of_what_passes() -> None:
    guarded = anchored(COMBINE, JUDGE, lambda text: "7" in text)
    played = play(guarded(QUESTION, PROPOSED), ["Answer: 7", "Best: Response 1", "Best: Response 2"])
    assert (played.answer.text, len(played.asked)) == ("Answer: 7", 1)


@pytest.mark.parametrize(
    "verdicts", [("dunno", "dunno"), ("Best: 1", "dunno"), ("dunno", "Best: 2"), (CallError("down"), "Best: 2")]
)
def test_a_judge_that_cannot_be_read_guards_nothing_and_it_is_said(verdicts: tuple[Any, Any]) -> None:
    played = play(anchored(COMBINE, JUDGE)(QUESTION, PROPOSED), ["Answer: 7", *verdicts])
    assert played.answer.text == "Answer: 7"
    assert played.answer.notes == ("guard: the judge could not be read, so the synthesis stands unguarded",)


def test_a_check_that_fails_twice_in_a_run_is_told_once() -> None:
    full = partial(layered, layers=[[Agent("x:b")]], combine=anchored(COMBINE, verifier=boom))
    reply = play(escalate(QUESTION, [Agent("x:a")], full, verifier=boom), ["4", "6", "six"]).answer
    assert sum("boom raised" in note for note in reply.notes) == 1
