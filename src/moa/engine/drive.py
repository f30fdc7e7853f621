"""Carries out what a flow asks: calls at once, order kept, stragglers cancelled, one deadline.

`drive` hands a flow its outcomes until it returns. Every task it starts belongs to the run's one task group (`watch.py`),
which alone ends a run. All waiting is on the event loop's clock; a step's share of the time left is `share`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from moa.core.errors import BadReply, CallError, DeadlinePassed, MoaError, TimedOut
from moa.core.events import (
    CallCancelled,
    CallFailed,
    CallFinished,
    CallStarted,
    Delta,
    Fact,
    Failure,
    StepFinished,
    StepStarted,
)
from moa.core.flow import Ask, Flow, Fork, Outcome, Outcomes, Returned, advance, enough
from moa.core.ports import Provider, Scope
from moa.core.prices import Price, cost
from moa.core.prompts import render
from moa.core.types import Call, Late, Reply, Request, Usage
from moa.engine.recorder import Recorder

T = TypeVar("T")

STEP_CLOSED = "its step closed"
TIME_USED_UP = "the time of its step was used up"
RUN_ENDED = "the run ended"
LEAST_SECONDS = 0.001
"""With less time left no step is started: its share would be halved again and again for ever."""


@dataclass(slots=True)
class Run:
    """One run under way: what is needed to carry out its flow, and what it has used so far.

    `deltas` says who is streamed: "none", the "final" step, or "all" calls.
    """

    provider: Provider
    recorder: Recorder
    deltas: str = "none"
    price: Callable[[str], Price | None] = lambda model: None
    tenant: str = ""
    group: asyncio.TaskGroup = field(default_factory=asyncio.TaskGroup)
    usage: Usage = Usage()
    costs: list[float | None] = field(default_factory=list)
    failed: int = 0
    streamed: list[str] = field(default_factory=list)
    late: list[Reply] = field(default_factory=list)
    tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def start(self, coroutine: Any) -> asyncio.Task[Any]:
        """A task of this run's group, remembered until it has ended."""
        task = self.group.create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def stop(self) -> None:
        """Cancel every task still under way."""
        for task in tuple(self.tasks):
            task.cancel(RUN_ENDED)

    def emit(self, fact: Fact, span: int) -> None:
        """Record a fact of a call; what the final step streams is remembered."""
        if isinstance(fact, Delta) and fact.final and fact.what == "text":
            self.streamed.append(fact.text)
        self.recorder.emit(fact, span)


@dataclass(slots=True)
class _Step:
    """A step under way: its rules and span, the loop times at which it closes and the run must end, and whether it has closed."""

    rules: Ask | Fork[Any]
    span: int
    closes: float | None
    deadline: float | None
    closed: bool = False


async def drive(flow: Flow[T], run: Run, deadline: float | None = None, parent: int = 0) -> T:
    """Run a flow to its end and return its answer. `deadline` is on the loop's clock.

    Raises:
        CallError: a step had too few replies and the flow did not go on without them.
        Halt: the run must end now.
    """
    try:
        step = advance(flow)
        while not isinstance(step, Returned):
            step = advance(flow, await _carry_out(step, run, deadline, parent))
        return step.value
    finally:
        flow.close()


def share(left: float, steps: int | None) -> float:
    """The seconds a step may take of the `left` ones: 1/steps of them, half if unknown, never the last tenth."""
    return min(left / (steps or 2), 0.9 * left)


async def _carry_out(rules: Ask | Fork[Any], run: Run, deadline: float | None, parent: int) -> object:
    now = asyncio.get_running_loop().time()
    if deadline is not None and deadline - now < LEAST_SECONDS:
        raise DeadlinePassed(f"the deadline passed before step {rules.label!r} could start")
    closes = None if deadline is None else now + share(deadline - now, rules.steps)
    size = len(rules.calls) if isinstance(rules, Ask) else len(rules.flows)
    final = isinstance(rules, Ask) and rules.final
    step = _Step(rules, run.recorder.open(StepStarted(rules.label, size, rules.need, final), parent), closes, deadline)
    if isinstance(rules, Ask):
        tasks = [run.start(_call(call, rules, step, run)) for call in rules.calls]
    else:
        tasks = [run.start(_branch(flow, step, run)) for flow in rules.flows]
        for task, flow in zip(tasks, rules.flows, strict=True):
            task.add_done_callback(partial(_closed, flow))
    in_time = await _until_closed(tasks, step)
    results = _results(tasks)
    _stop_stragglers(tasks, rules, STEP_CLOSED if in_time else TIME_USED_UP)
    return _close(step, results, run, in_time)


async def _until_closed(tasks: Sequence[asyncio.Task[Any]], step: _Step) -> bool:
    """Wait until the step may close; False where its time was used up first."""
    loop, rules, closes = asyncio.get_running_loop(), step.rules, step.closes
    pending, in_time = set(tasks), True
    grace_ends: float | None = None
    everyone = rules.need is None and rules.until is None
    while pending:
        ends = min((time for time in (closes, grace_ends) if time is not None), default=None)
        left = None if ends is None else max(ends - loop.time(), 0.0)
        when = asyncio.ALL_COMPLETED if everyone else asyncio.FIRST_COMPLETED
        done, pending = await asyncio.wait(pending, timeout=left, return_when=when)
        if left is not None and not done:
            in_time = ends == grace_ends
            break
        results = _results(tasks)
        if rules.until is not None and rules.until(_outcomes(rules, results)):
            break
        if rules.need is not None and grace_ends is None and len(_good(results)) >= rules.need:
            grace_ends = loop.time() + rules.grace
    step.closed = True
    return in_time


def _results(tasks: Iterable[asyncio.Task[Any]]) -> list[Any]:
    """What each task has come to; None for those still under way."""
    return [task.result() if task.done() and not task.cancelled() else None for task in tasks]


def _stop_stragglers(tasks: Iterable[asyncio.Task[Any]], rules: Ask | Fork[Any], reason: str) -> None:
    if isinstance(rules, Ask) and rules.keep:
        return
    for task in tasks:
        if not task.done():
            task.cancel(reason)


def _good(results: Iterable[Any]) -> list[Any]:
    return [result for result in results if result is not None and not isinstance(result, CallError)]


def _outcomes(rules: Ask | Fork[Any], results: Sequence[Any]) -> Any:
    if isinstance(rules, Fork):
        return tuple(results)
    return Outcomes(Late(call) if result is None else result for call, result in zip(rules.calls, results, strict=True))


def _close(step: _Step, results: Sequence[Any], run: Run, in_time: bool) -> object:
    rules, outcomes = step.rules, _outcomes(step.rules, results)
    good, errors = _good(results), [result for result in results if isinstance(result, CallError)]
    late = len(results) - len(good) - len(errors)
    run.recorder.emit(StepFinished(len(good), len(errors), late), step.span)
    if isinstance(outcomes, Outcomes):
        outcomes.late, run.late = tuple(run.late), []
    if late and not in_time:
        run.failed += late
        errors.append(TimedOut(f"{late} of {len(results)} had not answered when the time of this step was used up"))
    return enough(rules, len(good), errors) or outcomes


async def _branch(flow: Flow[Any], step: _Step, run: Run) -> Any:
    try:
        return await drive(flow, run, step.closes, step.span)
    except CallError as error:
        return error


def _closed(flow: Flow[Any], task: asyncio.Task[Any]) -> None:
    """Close a branch whose task has ended: one that was cancelled before it began has not closed its flow itself."""
    flow.close()


async def _call(call: Call, ask: Ask, step: _Step, run: Run) -> Outcome:
    """One logical call, from CallStarted to exactly one of CallFinished, CallFailed, CallCancelled."""
    clock = asyncio.get_running_loop().time
    nonce = draw_nonce(call) if call.references and call.manner.framing == "fenced" else ""
    fact = CallStarted(
        call.key, call.agent, call.model, call.role, call.sample, len(call.references), call.digests, nonce
    )
    span, started = run.recorder.open(fact, step.span), clock()
    scope = Scope(
        emit=lambda fact: run.emit(fact, span),
        deadline=step.deadline if ask.keep else step.closes,
        want_deltas=run.deltas == "all" or (run.deltas == "final" and ask.final),
        final=ask.final,
        run=run.recorder.run,
        span=span,
        role=call.role,
        tenant=run.tenant,
    )
    try:
        reply = _usable(await _send(run.provider, Request(call, render(call, nonce), nonce), scope), call, ask, run)
    except MoaError as error:
        run.failed += 1
        run.recorder.emit(CallFailed(Failure.of(error), clock() - started), span)
        if isinstance(error, CallError):
            return error
        raise  # a Halt, or a mistake in the configuration: the run ends
    except asyncio.CancelledError as stop:
        run.recorder.emit(CallCancelled(str(stop) or RUN_ENDED, clock() - started), span)
        raise
    run.recorder.emit(CallFinished(reply, clock() - started, late=step.closed), span)
    if step.closed:
        run.late.append(reply)
    return reply


async def _send(provider: Provider, request: Request, scope: Scope) -> Reply:
    """What the provider replies. A provider is foreign code: one that breaks its word fails its call, not the run."""
    try:
        return await provider.send(request, scope)
    except MoaError:
        raise
    except Exception as error:
        name, _, model = request.call.model.partition(":")
        raise BadReply(f"the provider broke: {error!r}", provider=name, model=model) from error


def _usable(reply: Reply, call: Call, ask: Ask, run: Run) -> Reply:
    """The reply with its price and agent; what it used is counted even where it is no answer.

    Raises:
        BadReply: blank, reasoning only, or cut at its token limit on the way to another model.
    """
    spent = reply.cost
    if spent is None and (price := run.price(call.model)) is not None:
        spent = cost(reply.usage, price)
    run.usage += reply.usage
    run.costs.append(spent)
    provider, _, model = call.model.partition(":")
    if reply.blank:
        what = "only reasoning, no answer" if reply.reasoning.strip() else "an empty answer"
        raise BadReply(f"{what} came back", provider=provider, model=model)
    if reply.finish == "length" and not ask.final:
        raise BadReply(
            "the answer was cut at its token limit; raise max_tokens",
            provider=provider,
            model=model,
            partial=reply.text,
        )
    return replace(reply, cost=spent, agent=call.agent)


def draw_nonce(call: Call) -> str:
    """128 bits of chance (hex) that occur nowhere in what the call shows."""
    while True:
        nonce = secrets.token_hex(16)
        if not any(nonce in reference.text for reference in call.references) and nonce not in repr(call.conversation):
            return nonce
