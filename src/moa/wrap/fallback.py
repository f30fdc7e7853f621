"""Asks the next model where one has no answer, and says so in the reply."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from moa.core.errors import CallError, Halt, ProviderError
from moa.core.events import Delta, Fact, Noted, Wasted
from moa.core.offered import offered, only_offered
from moa.core.ports import Provider, Scope
from moa.core.profile import with_room
from moa.core.prompts import render
from moa.core.types import Call, Reply, Request
from moa.core.usable import no_answer


@dataclass(frozen=True, slots=True)
class Fallback:
    """Sends to the call's own model, and where that fails to its `fallbacks`, one after the other.

    Each but the last gets its share of the time left. Once a piece of an answer was passed on there is no falling back: two texts
    must never mix (what a model thinks is no answer, nor is a call of a tool that it was not offered). A reply of another model
    carries a note. `context` is the most tokens a model takes, where somebody knows: references that fitted the call's own model
    may not fit the next, or the other way round.
    """

    inner: Provider
    context: Callable[[str], int | None] = lambda model: None

    def send(self, request: Request, scope: Scope) -> Coroutine[Any, Any, Reply]:
        """See Provider; where all fail, raises what the call's own model raised."""
        return self._first_of(request, scope) if request.call.fallbacks else self.inner.send(request, scope)

    async def _first_of(self, request: Request, scope: Scope) -> Reply:
        call = request.call
        models = (call.model, *call.fallbacks)
        speaking = _Speaking(scope.emit)
        first: ProviderError | None = None
        for place, model in enumerate(models):
            left = len(models) - place
            spare, ends = left > 1 or scope.spare, _share(scope.deadline, left)
            heard = only_offered(speaking.emit, call) if scope.want_deltas else speaking.emit
            mine = scope.but(emit=heard, spare=spare, deadline=ends)
            try:
                asked = request if model == call.model else self._asked(request, model, scope, spare=left > 1)
                reply = await self.inner.send(asked, mine)
                if (problem := _problem(reply, asked.call, scope, last=left == 1)) is not None:
                    raise problem
            except Halt:
                if first is None:
                    raise
                raise first from None  # no money for the next model: the call has failed, the run goes on
            except ProviderError as error:
                if left == 1 or speaking.begun:
                    if first is not None:
                        scope.emit(Noted("fallback", f"{model} has no answer either ({error.kind}: {error})"))
                    raise first or error from None
                first = first or error
                scope.emit(
                    Noted("fallback", f"{models[place + 1]} is asked in place of {model} ({error.kind}: {error})")
                )
                continue
            return (
                reply if first is None else reply.noted(f"fallback: {model} answered for {call.model} ({first.kind})")
            )
        raise AssertionError("unreachable")

    def _asked(self, request: Request, model: str, scope: Scope, *, spare: bool) -> Request:
        """The request as it goes to another model."""
        call, note = with_room(replace(request.uncut or request.call, model=model), self.context(model), spare=spare)
        if not note and request.uncut is None:
            return replace(request, call=call)
        if note:
            scope.emit(Noted("fitted", note))
        return Request(call, render(call, request.nonce), request.nonce)


def _problem(reply: Reply, call: Call, scope: Scope, *, last: bool) -> CallError | None:
    """Why a reply is no answer, and that it was paid for; None where it is one. The last word may end at its token limit."""
    allowed, strange = offered(reply, call)
    problem = no_answer(allowed, call, final=scope.final or last, without=strange)
    if problem is not None:
        scope.emit(Wasted(reply.usage, reply.cost))
        if strange:
            scope.emit(Noted("tool", strange))
    return problem


def _share(deadline: float | None, left: int) -> float | None:
    """The deadline of one candidate of the `left` ones: an equal share of the time, and the last gets all of it."""
    if deadline is None or left == 1:
        return deadline
    now = asyncio.get_running_loop().time()
    return now + max(deadline - now, 0.0) / left


class _Speaking:
    """Notices whether any of an answer was passed on."""

    def __init__(self, emit: Callable[[Fact], None]) -> None:
        self._emit = emit
        self.begun = False

    def emit(self, fact: Fact) -> None:
        """Pass a fact on."""
        self.begun = self.begun or (isinstance(fact, Delta) and fact.what != "reasoning")
        self._emit(fact)
