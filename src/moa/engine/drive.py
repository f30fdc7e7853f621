"""Carries out what a flow asks: calls at once, order kept, stragglers cancelled, one deadline.

`drive` hands a flow its outcomes until it returns. Every task it starts belongs to the run's one task group (`watch.py`),
which alone ends a run. All waiting is on the event loop's clock; a step's share of the time left is `share`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, TypeVar

from moa.core.errors import CallError, DeadlinePassed, TimedOut
from moa.core.events import StepFinished, StepStarted
from moa.core.flow import Ask, Choose, Flow, Fork, Outcome, Outcomes, Returned, advance, enough
from moa.core.types import Late, Reply
from moa.engine.call import Run, Step, carry
from moa.engine.tasks import RUN_ENDED

T = TypeVar("T")

STEP_CLOSED = "its step closed"
TIME_USED_UP = "the time of its step was used up"
LEAST_SECONDS = 0.001
"""With less time left no step is started: its share would be halved again and again for ever."""


async def drive(flow: Flow[T], run: Run, deadline: float | None = None, parent: int = 0) -> T:
    """Run a flow to its end and return its answer. `deadline` is on the loop's clock.

    Raises:
        CallError: a step had too few replies and the flow did not go on without them.
        Halt: the run must end now.
    """
    late: list[Reply] = []
    try:
        step = advance(flow)
        while not isinstance(step, Returned):
            if isinstance(step, Choose):
                step = advance(flow, step.taken)
            else:
                step = advance(flow, await _carry_out(step, run, deadline, parent, late))
        return step.value
    finally:
        flow.close()


def share(left: float, steps: int | None) -> float:
    """The seconds a step may take of the `left` ones: 1/steps of them, half if unknown, never the last tenth."""
    return min(left / (steps or 2), 0.9 * left)


async def _carry_out(
    rules: Ask | Fork[Any], run: Run, deadline: float | None, parent: int, late: list[Reply]
) -> object:
    now = asyncio.get_running_loop().time()
    if deadline is not None and deadline - now < LEAST_SECONDS:
        left = _unasked(rules)
        if rules.extra:
            return enough(rules, 0, (TimedOut("no time is left for it"),)) or left
        raise DeadlinePassed(f"the deadline passed before step {rules.label!r} could start")
    closes = None if deadline is None else now + share(deadline - now, rules.steps)
    size = len(rules.calls) if isinstance(rules, Ask) else len(rules.flows)
    final = isinstance(rules, Ask) and rules.final
    step = Step(
        rules, run.recorder.open(StepStarted(rules.label, size, rules.need, final), parent), closes, deadline, late
    )
    if isinstance(rules, Ask) and size == 1 and not rules.keep:
        result = await _carry_alone(rules, step, run)
        return _close(step, [result], run, result is not None)
    if isinstance(rules, Ask):
        tasks = [run.tasks.start(carry(call, rules, step, run)) for call in rules.calls]
    else:
        tasks = [run.tasks.start(_branch(flow, step, run)) for flow in rules.flows]
        for task, flow in zip(tasks, rules.flows, strict=True):
            task.add_done_callback(partial(_closed, flow))
    try:
        in_time = await _until_closed(tasks, step, run)
    except BaseException as stop:  # this branch is cancelled, or `until` has a bug: nobody will read what still comes
        step.closed = True
        _stop(tasks, str(stop) if isinstance(stop, asyncio.CancelledError) else RUN_ENDED)
        _finish(step, _results(tasks), run)
        raise
    # a Halt or a bug of one ends the flow here
    results = [task.result() if task.done() and not task.cancelled() else None for task in tasks]
    if not (isinstance(rules, Ask) and rules.keep):
        _stop(tasks, STEP_CLOSED if in_time else TIME_USED_UP)
    return _close(step, results, run, in_time)


async def _carry_alone(rules: Ask, step: Step, run: Run) -> Outcome | None:
    """What comes of a step's only call, which needs no task of its own; None where the step's time was used up first."""
    (call,), loop, task = rules.calls, asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    used_up, cancelling = False, task.cancelling()  # whoever asks may have caught a cancellation before

    def end() -> None:
        nonlocal used_up
        used_up = True
        task.cancel(TIME_USED_UP)

    timer = None if step.closes is None else loop.call_at(step.closes, end)
    try:
        return await carry(call, rules, step, run)
    except asyncio.CancelledError:
        ours, used_up = used_up, False
        if ours and task.uncancel() <= cancelling:
            return None
        _finish(step, [None], run)
        raise
    except BaseException:  # a Halt or a bug ends the flow here
        _finish(step, [None], run)
        raise
    finally:
        step.closed = True
        if timer is not None:
            timer.cancel()
        if used_up:  # a provider swallowed the cancellation: it must not stay with whoever runs this
            task.uncancel()


async def _until_closed(tasks: Sequence[asyncio.Task[Any]], step: Step, run: Run) -> bool:
    """Wait until the step may close; False where its time was used up first."""
    loop, rules, closes = asyncio.get_running_loop(), step.rules, step.closes
    opened = loop.time()
    pending, in_time = set(tasks), True
    grace_ends: float | None = None
    everyone = rules.need is None and rules.until is None
    while pending:
        ends = closes if grace_ends is None else grace_ends if closes is None else min(closes, grace_ends)
        left = None if ends is None else max(ends - loop.time(), 0.0)
        when = asyncio.ALL_COMPLETED if everyone else asyncio.FIRST_COMPLETED
        done, pending = await asyncio.wait(pending, timeout=left, return_when=when)
        if left is not None and not done:
            in_time = ends == grace_ends
            break
        if everyone:
            continue
        results = _results(tasks)
        if rules.until is not None and rules.until(_outcomes(rules, results)):
            break
        if rules.need is not None and grace_ends is None and len(_good(results)) >= rules.need:
            grace_ends = (
                max(loop.time(), opened + _learnt_grace(rules, results, run))
                if rules.grace is None
                else loop.time() + rules.grace
            )
    step.closed = True
    return in_time


def _learnt_grace(rules: Ask | Fork[Any], results: Sequence[Any], run: Run) -> float:
    """The seconds, from the opening of a step, within which nearly all calls of the models still out end; 0 where nobody knows."""
    if isinstance(rules, Fork):
        return 0.0
    out = [call.model for call, result in zip(rules.calls, results, strict=True) if result is None]
    return max((run.nearly_all(model) or 0.0 for model in out), default=0.0)


def _results(tasks: Iterable[asyncio.Task[Any]]) -> list[Any]:
    """What each task has come to; None for those still under way (or broken: their error ends the run)."""
    return [None if not task.done() or task.cancelled() or task.exception() else task.result() for task in tasks]


def _stop(tasks: Iterable[asyncio.Task[Any]], reason: str) -> None:
    for task in tasks:
        if not task.done():
            task.cancel(reason)


def _good(results: Iterable[Any]) -> list[Any]:
    return [result for result in results if result is not None and not isinstance(result, CallError)]


def _outcomes(rules: Ask | Fork[Any], results: Sequence[Any]) -> Any:
    if isinstance(rules, Fork):
        return tuple(results)
    return Outcomes(
        [Late(call) if result is None else result for call, result in zip(rules.calls, results, strict=True)]
    )


def _close(step: Step, results: Sequence[Any], run: Run, in_time: bool) -> object:
    """What the flow is given: its outcomes, or the error that they are too few."""
    rules, outcomes = step.rules, _outcomes(step.rules, results)
    late = _finish(step, results, run)
    if isinstance(outcomes, Outcomes):
        outcomes.late = tuple(step.late)
        step.late.clear()
    errors = [result for result in results if isinstance(result, CallError)]
    if late and not in_time:
        run.failed += late
        errors.append(TimedOut(f"{late} of {len(results)} had not answered when the time of this step was used up"))
    return enough(rules, len(_good(results)), errors) or outcomes


def _unasked(rules: Ask | Fork[Any]) -> Outcomes | tuple[None, ...]:
    """What a step comes to that is not begun."""
    if isinstance(rules, Ask):
        return Outcomes(map(Late, rules.calls))
    rules.close()
    return (None,) * len(rules.flows)


def _finish(step: Step, results: Sequence[Any], run: Run) -> int:
    """Record that a step has closed; the number of calls that were still under way."""
    late, good = len([result for result in results if result is None]), len(_good(results))
    run.recorder.emit(StepFinished(good, len(results) - good - late, late), step.span)
    return late


async def _branch(flow: Flow[Any], step: Step, run: Run) -> Any:
    try:
        return await drive(flow, run, step.closes, step.span)
    except CallError as error:
        return error
    except DeadlinePassed as error:  # the branch's share of the time is used up, not the run's
        return TimedOut(str(error))


def _closed(flow: Flow[Any], task: asyncio.Task[Any]) -> None:
    """Close a branch whose task has ended: one that was cancelled before it began has not closed its flow itself."""
    flow.close()
