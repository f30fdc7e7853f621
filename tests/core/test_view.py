"""fold: what a person sees of a run."""

from __future__ import annotations

from functools import reduce

from moa.core.events import (
    CallCancelled,
    CallFailed,
    CallFinished,
    CallRetried,
    CallStarted,
    Delta,
    Event,
    Fact,
    Failure,
    Noted,
    RunFailed,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
)
from moa.core.types import Reply, Usage, user
from moa.core.view import View, fold, folded


def seen(*facts: tuple[Fact, int, int]) -> View:
    events = [Event(fact, "r1", seq, 100.0 + seq, span, parent) for seq, (fact, span, parent) in enumerate(facts)]
    view = reduce(fold, events, View())
    assert view == folded(events)
    return view


def started(span: int, agent: str, role: str = "proposer") -> tuple[Fact, int, int]:
    return CallStarted("k", agent, f"x:{agent}", role, 0, 0), span, 1


FAILURE = Failure("Unreachable", "refused", "unreachable", "x", "b")


def test_a_run_is_seen_from_its_start_to_its_answer() -> None:
    view = seen(
        (RunStarted("m", (user("Hi"),)), 0, 0),
        (StepStarted("layer 1", 2), 1, 0),
        started(2, "a"),
        started(3, "b"),
        (Delta("Par"), 2, 0),
        (Delta("is"), 2, 0),
        (CallFinished(Reply("Paris", usage=Usage(5, 7), cost=0.5), 1.0), 2, 0),
        (CallRetried(1, 0.5, FAILURE), 3, 0),
        (CallFailed(FAILURE, 1.0), 3, 0),
        (StepFinished(1, 1, 0), 1, 0),
        (StepStarted("aggregate", 1, final=True), 4, 0),
        started(5, "c", "aggregator"),
        (Delta("It is ", final=True), 5, 0),
        (Delta("thinking", "reasoning", final=True), 5, 0),
        (Delta("Paris.", final=True), 5, 0),
    )
    assert view.state == "running"
    assert view.answer == "It is Paris."
    first, second, third = view.calls
    assert (first.state, first.text, first.tokens, first.cost) == ("done", "Paris", 7, 0.5)
    assert (second.state, second.problem) == ("failed", "Unreachable: x:b: refused")
    assert (third.state, third.tokens, third.text) == ("running", 3, "It is Paris.")
    assert [step.open for step in view.steps] == [False, True]
    ended = fold(view, Event(RunFinished(Reply("It is Paris!"), Usage(9, 9), 0.7, 2.0, True), "r1", 99, 200.0))
    assert (ended.state, ended.answer, ended.cost, ended.degraded) == ("done", "It is Paris!", 0.7, True)


def test_a_cancelled_run_is_told_from_a_failed_one() -> None:
    assert seen((RunFailed(Failure("CancelledError", ""), Usage(), 0.0, 1.0), 0, 0)).state == "cancelled"
    failed = seen((RunFailed(FAILURE, Usage(), 0.0, 1.0), 0, 0))
    assert (failed.state, failed.problem) == ("failed", "Unreachable: x:b: refused")


def test_notes_and_cancelled_calls_are_shown() -> None:
    view = seen(
        (RunStarted("m", ()), 0, 0),
        started(2, "a"),
        (CallCancelled("its step closed", 1.0), 2, 0),
        (Noted("fallback", "x"), 0, 0),
    )
    assert view.calls[0].state == "cancelled"
    assert view.calls[0].problem == "its step closed"
    assert view.notes == ("fallback: x",)


def test_a_whole_answer_passed_on_at_once_is_the_answer() -> None:
    view = seen((RunStarted("m", ()), 0, 0), (Delta("Paris", final=True), 0, 0))
    assert view.answer == "Paris"
