"""What a person sees of a run: `fold(view, event) -> view`, the same for a live screen, a stored trace and the tests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from moa.core.events import (
    CacheHit,
    CallCancelled,
    CallFailed,
    CallFinished,
    CallRetried,
    CallStarted,
    Delta,
    Event,
    Noted,
    RunFailed,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
    Wasted,
)
from moa.core.types import Conversation, Usage

State: TypeAlias = Literal["running", "retrying", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class CallView:
    """One call: who, how it stands, what it has said so far. `cost` is in US dollars, times are Unix seconds.

    `wasted` is what attempts without a reply have cost on top of it; None where a price is unknown.
    """

    span: int
    step: int
    agent: str
    model: str
    role: str
    state: State
    started: float
    ended: float | None = None
    text: str = ""
    tokens: int = 0
    usage: Usage = Usage()
    cost: float | None = None
    cached: bool = False
    wasted: float | None = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class StepView:
    """One step: its label, and whether it has closed."""

    span: int
    label: str
    calls: int
    final: bool
    open: bool = True


@dataclass(frozen=True, slots=True)
class View:
    """A run as a person sees it. `answer` grows while the final step streams and is the reply's text in the end."""

    run: str = ""
    mixture: str = ""
    state: State = "running"
    conversation: Conversation = ()
    started: float = 0.0
    ended: float | None = None
    steps: tuple[StepView, ...] = ()
    calls: tuple[CallView, ...] = ()
    answer: str = ""
    notes: tuple[str, ...] = ()
    usage: Usage = field(default=Usage())
    cost: float | None = None
    degraded: bool = False
    problem: str = ""


def fold(view: View, event: Event) -> View:
    """The view after one more event."""
    fact = event.fact
    match fact:
        case RunStarted():
            return View(event.run, fact.mixture, conversation=fact.conversation, started=event.time)
        case StepStarted():
            return replace(view, steps=(*view.steps, StepView(event.span, fact.label, fact.calls, fact.final)))
        case StepFinished():
            steps = tuple(replace(step, open=False) if step.span == event.span else step for step in view.steps)
            return replace(view, steps=steps)
        case CallStarted():
            call = CallView(event.span, event.parent, fact.agent, fact.model, fact.role, "running", event.time)
            return replace(view, calls=(*view.calls, call))
        case Noted():
            return replace(view, notes=(*view.notes, f"{fact.reason}: {fact.detail}" if fact.detail else fact.reason))
        case RunFinished():
            return replace(
                view,
                state="done",
                ended=event.time,
                answer=fact.reply.text,
                usage=fact.usage,
                cost=fact.cost,
                degraded=fact.degraded,
            )
        case RunFailed():
            state: State = "cancelled" if fact.failure.kind == "CancelledError" else "failed"
            return replace(
                view, state=state, ended=event.time, usage=fact.usage, cost=fact.cost, problem=str(fact.failure)
            )
        case _:
            return _fold_call(view, event)


def _fold_call(view: View, event: Event) -> View:
    fact = event.fact
    if isinstance(fact, Delta) and fact.final and fact.what == "text":
        view = replace(view, answer=view.answer + fact.text)
    for index in range(len(view.calls) - 1, -1, -1):
        if view.calls[index].span == event.span:
            return replace(view, calls=(*view.calls[:index], _next(view.calls[index], event), *view.calls[index + 1 :]))
    return view


def _next(call: CallView, event: Event) -> CallView:
    fact = event.fact
    match fact:
        case Delta():
            text = call.text + fact.text if fact.what == "text" else call.text
            return replace(call, state="running", text=text, tokens=call.tokens + 1)
        case CallFinished():
            return replace(
                call,
                state="done",
                ended=event.time,
                text=fact.reply.text,
                tokens=fact.reply.usage.output or call.tokens,
                usage=fact.reply.usage,
                cost=fact.reply.cost,
                problem="",
            )
        case CallFailed():
            return replace(call, state="failed", ended=event.time, problem=str(fact.failure))
        case CallCancelled():
            return replace(call, state="cancelled", ended=event.time, problem=fact.reason)
        case CallRetried():
            return replace(call, state="retrying", text="", tokens=0, problem=str(fact.failure))
        case Wasted():
            wasted = None if call.wasted is None or fact.cost is None else call.wasted + fact.cost
            return replace(call, wasted=wasted)
        case CacheHit():
            return replace(call, cached=True)
        case _:
            return call
