"""One logical call: from CallStarted to exactly one of CallFinished, CallFailed, CallCancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from moa.core.errors import Abstained, BudgetExceeded, CallError, MoaError
from moa.core.events import (
    CacheHit,
    CallCancelled,
    CallFailed,
    CallFinished,
    CallStarted,
    Delta,
    Fact,
    Failure,
    Noted,
    Wasted,
)
from moa.core.flow import Ask, Fork, Outcome
from moa.core.growing import grow
from moa.core.money import Account
from moa.core.offered import offered, only_offered
from moa.core.ports import Provider, Scope
from moa.core.prices import Price, cost, sensible
from moa.core.profile import with_room
from moa.core.prompts import render, unseen
from moa.core.tokens import written
from moa.core.types import Call, Reply, Request, Usage, names_of
from moa.core.usable import blind, broken, no_answer
from moa.engine.chance import token
from moa.engine.recorder import Recorder
from moa.engine.tasks import RUN_ENDED, Tasks


@dataclass(slots=True)
class Run:
    """One run under way: what is needed to carry out its flow, and what it has used so far.

    `deltas` says who is streamed: "none", the "final" step, or "all" calls. Of a model, `price` is what it costs, `context` the
    most tokens it takes, and `nearly_all` the seconds within which nearly all its calls end; None where unknown. `nonce` gives the
    code that fences a call's references (None: a new one each time).
    """

    provider: Provider
    recorder: Recorder
    deltas: str = "none"
    price: Callable[[str], Price | None] = lambda model: None
    context: Callable[[str], int | None] = lambda model: None
    nearly_all: Callable[[str], float | None] = lambda model: None
    accounts: tuple[Account, ...] = ()
    tenant: str = ""
    mixture: str = ""
    nonce: Callable[[Call], str] | None = None
    tasks: Tasks = field(default_factory=Tasks)
    usage: Usage = Usage()
    costs: list[float | None] = field(default_factory=list)
    known: set[int] = field(default_factory=set)  # spans whose answer was there before they asked
    failed: int = 0
    streamed: list[str] = field(default_factory=list)
    spoke: set[str] = field(default_factory=set)  # what of it: text, reasoning, tools

    def emit(self, span: int, fact: Fact) -> None:
        """Record a fact of a call; what the final step streams is remembered, and what was spent in vain counted."""
        if isinstance(fact, Delta) and fact.final:
            self.spoke.add(fact.what)
            if fact.what == "text":
                grow(self.streamed, fact.text)
        elif isinstance(fact, Wasted):
            self.usage += fact.usage
            self.costs.append(fact.cost)
        elif isinstance(fact, CacheHit):
            self.known.add(span)
        self.recorder.emit(fact, span)


@dataclass(slots=True)
class Step:
    """A step under way: its rules and span, the loop times at which it closes and its flow must end, and whether it has closed.

    `late` collects what comes after a step of this flow has closed, for the flow's next Ask.
    """

    rules: Ask | Fork[Any]
    span: int
    closes: float | None
    deadline: float | None
    late: list[Reply]
    closed: bool = False

    def awaited(self) -> bool:
        """Whether anybody still waits for its calls."""
        return not self.closed


async def carry(call: Call, ask: Ask, step: Step, run: Run) -> Outcome:
    """One logical call, from CallStarted to exactly one of CallFinished, CallFailed, CallCancelled."""
    clock = asyncio.get_running_loop().time
    nonce = (run.nonce or draw_nonce)(call) if call.references and call.manner.framing == "fenced" else ""
    fact = CallStarted(
        call.key, call.agent, call.model, call.role, call.sample, len(call.references), call.digests, nonce
    )
    span, started = run.recorder.open(fact, step.span), clock()
    emit, streamed = partial(run.emit, span), run.deltas == "all" or (run.deltas == "final" and ask.final)
    scope = Scope(
        emit=only_offered(emit, call) if streamed else emit,
        deadline=step.deadline if ask.keep else step.closes,
        want_deltas=streamed,
        final=ask.final,
        run=run.recorder.run,
        span=span,
        role=call.role,
        tenant=run.tenant,
        mixture=run.mixture,
        accounts=run.accounts,
        awaited=step.awaited,
    )
    try:
        if (abstained := blind(call)) is not None:
            raise abstained
        shown, note = (
            with_room(call, run.context(call.model), spare=bool(call.fallbacks)) if call.references else (call, "")
        )
        if note:
            run.emit(span, Noted("fitted", note))
        if call.references and (hidden := unseen(call)):
            run.emit(span, Noted("unseen", hidden))
        request = Request(shown, render(shown, nonce), nonce, call if note else None)
        try:
            reply = await run.provider.send(request, scope)
        except MoaError:
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise broken(f"it raised {error!r}, though nobody had cancelled it", call) from error
        except Exception as error:  # a provider is foreign code: one that breaks its word fails its call, not the run
            raise broken(repr(error), call) from error
        reply = _usable(reply, call, ask, run, span)
    except MoaError as error:
        run.failed += not isinstance(error, Abstained)
        run.recorder.emit(CallFailed(Failure.of(error), clock() - started), span)
        if isinstance(error, CallError):
            return error
        if ask.extra and isinstance(error, BudgetExceeded):
            return CallError(f"no money is left for it: {error}")
        raise  # a Halt, or a mistake in the configuration: the run ends
    except asyncio.CancelledError as stop:
        run.recorder.emit(CallCancelled(str(stop) or RUN_ENDED, clock() - started), span)
        raise
    run.recorder.emit(CallFinished(reply, clock() - started, late=step.closed), span)
    if step.closed:
        step.late.append(reply)
    return reply


def _usable(reply: Reply, call: Call, ask: Ask, run: Run, span: int) -> Reply:
    """The reply with its price and agent; what it used is counted, and told, even where it is no answer.

    Raises:
        Abstained: its author says that it has nothing to say.
        BadReply: blank, reasoning only, broken off, or cut at its token limit on the way to another model.
        Refused: the provider's filter cut it.
    """
    if not isinstance(reply, Reply):
        raise broken(f"it returned {type(reply).__name__}, not a Reply", call)
    if not isinstance(reply.text, str):
        raise broken(f"it returned a Reply whose text is of type {type(reply.text).__name__}", call)
    spent, strange = reply.cost, ""
    if spent is None and (price := run.price(call.model)) is not None:
        spent = sensible(cost(reply.usage, price))
    if reply.tool_calls or call.form.tool_choice:
        reply, strange = offered(reply, call)
        if strange:
            run.emit(span, Noted("tool", strange))
    if (problem := no_answer(reply, call, final=ask.acts, without=strange)) is not None:
        run.emit(span, Wasted(reply.usage, spent))
        raise problem
    if span not in run.known or spent:  # what is kept was counted when it was bought
        run.usage += reply.usage
    run.costs.append(spent)
    if reply.finish == "length":
        reply = reply.noted("cut: the answer ends at its token limit; raise max_tokens")
    return reply.billed(spent, call.agent, names_of(call.conversation))


def draw_nonce(call: Call) -> str:
    """128 bits of chance (hex) that occur nowhere in what the call shows."""
    said = [written(part) for message in call.conversation for part in message.parts]
    shown = "\n".join([reference.text for reference in call.references] + said)
    while (nonce := token()) in shown:
        pass
    return nonce
