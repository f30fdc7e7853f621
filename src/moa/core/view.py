"""What a person sees of a run: `fold(view, event) -> view`, the same for a live screen, a stored trace and the tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

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
from moa.core.values import quickly_made

State: TypeAlias = Literal["running", "retrying", "done", "failed", "cancelled", "abstained"]


@quickly_made
@dataclass(frozen=True, slots=True)
class CallView:
    """One call: who, how it stands, what it has said so far. `cost` is in US dollars, times are Unix seconds.

    `saw` are the names of the parts it was shown (known once it has replied), `read` is how many references were.
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
    saw: tuple[str, ...] = ()
    read: int = 0


@quickly_made
@dataclass(frozen=True, slots=True)
class StepView:
    """One step: its label, and whether it has closed. `parent` is the span of the step that it is a part of; 0: of none."""

    span: int
    label: str
    calls: int
    final: bool
    open: bool = True
    parent: int = 0


@quickly_made
@dataclass(frozen=True, slots=True)
class View:
    """A run as a person sees it. `answer` grows while the final step streams and is the reply's text in the end; `answers` is of
    what kind the mixture's answers are compared as."""

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
    answers: str = "auto"


def fold(view: View, event: Event) -> View:
    """The view after one more event."""
    return _folded(view, (event,))


def folded(events: Iterable[Event]) -> View:
    """The view after all these events of a run, made at once: what `fold` comes to, one by one."""
    return _folded(View(), events)


def _folded(view: View, events: Iterable[Event]) -> View:
    run, steps, calls = _fields(view), {step.span: step for step in view.steps}, dict[int, CallView | _Fields]()
    calls.update((call.span, call) for call in view.calls)
    for event in events:
        fact = event.fact
        match fact:
            case RunStarted():
                run = _fields(
                    View(
                        event.run,
                        fact.mixture,
                        conversation=fact.conversation,
                        started=event.time,
                        answers=fact.answers,
                    )
                )
            case StepStarted():
                steps[event.span] = StepView(event.span, fact.label, fact.calls, fact.final, parent=event.parent)
            case StepFinished():
                if event.span in steps:
                    steps[event.span] = replace(steps[event.span], open=False)
            case CallStarted():
                calls[event.span] = {
                    "span": event.span, "step": event.parent, "agent": fact.agent, "model": fact.model, "role": fact.role,
                    "state": "running", "started": event.time, "tokens": 0, "text": "", "wasted": 0.0, "read": fact.references,
                }  # fmt: skip
            case Noted():
                run["notes"] += (f"{fact.reason}: {fact.detail}" if fact.detail else fact.reason,)
            case RunFinished() | RunFailed():
                run |= _ended(fact, event.time)
            case _:
                if isinstance(fact, Delta) and fact.final and fact.what == "text":
                    run["answer"] += fact.text
                if (call := calls.get(event.span)) is not None:
                    open_call = calls[event.span] = _fields(call) if isinstance(call, CallView) else call
                    open_call |= _changes(open_call, event)
    whole = (call if isinstance(call, CallView) else CallView(**call) for call in calls.values())
    return View(**run | {"steps": tuple(steps.values()), "calls": tuple(whole)})


_Fields: TypeAlias = dict[str, Any]


def _fields(view: View | CallView) -> _Fields:
    return {name: getattr(view, name) for name in view.__slots__}


def _ended(fact: RunFinished | RunFailed, at: float) -> _Fields:
    ended: _Fields = {"ended": at, "usage": fact.usage, "cost": fact.cost}
    if isinstance(fact, RunFinished):
        return ended | {"state": "done", "answer": fact.reply.text, "degraded": fact.degraded}
    state = "cancelled" if fact.failure.kind == "CancelledError" else "failed"
    return ended | {"state": state, "problem": str(fact.failure)}


def _changes(call: _Fields, event: Event) -> _Fields:
    """What becomes of a call."""
    fact = event.fact
    match fact:
        case Delta():
            text = call["text"] + fact.text if fact.what == "text" else call["text"]
            return {"state": "running", "text": text, "tokens": call["tokens"] + 1}
        case CallFinished():
            reply = fact.reply
            tokens = reply.usage.output or call["tokens"]
            said = {"text": reply.text, "tokens": tokens, "usage": reply.usage, "cost": reply.cost, "saw": reply.saw}
            return {"state": "done", "ended": event.time, "problem": "", **said}
        case CallFailed():
            state = "abstained" if fact.failure.kind == "Abstained" else "failed"
            return {"state": state, "ended": event.time, "problem": str(fact.failure)}
        case CallCancelled():
            return {"state": "cancelled", "ended": event.time, "problem": fact.reason}
        case CallRetried():
            return {"state": "retrying", "text": "", "tokens": 0, "problem": str(fact.failure)}
        case Wasted():
            known = call["wasted"] is not None and fact.cost is not None
            return {"wasted": call["wasted"] + fact.cost if known else None}
        case CacheHit():
            return {"cached": True}
    return {}
