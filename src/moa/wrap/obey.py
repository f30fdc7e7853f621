"""Holds an agent to its own schema: a reply that does not obey is asked for once more, and then it is none."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from moa.core.errors import BadReply, CallError, Halt
from moa.core.events import Wasted, deltas_of
from moa.core.ports import Provider, Scope
from moa.core.prompts import repairing
from moa.core.types import Reply, Request
from moa.core.usable import abstained, no_answer


@dataclass(frozen=True, slots=True)
class Obey:
    """Checks what comes of calls whose schema is their agent's (`Form.own`); `problem` compiles a schema.

    Nothing is streamed before it is known to obey. Who abstains does so under any schema. A function is not asked again: it would
    only say the same.
    """

    inner: Provider
    problem: Callable[[str], Callable[[str], str | None]]

    def send(self, request: Request, scope: Scope) -> Coroutine[Any, Any, Reply]:
        """See Provider; raises BadReply where the second reply does not obey either."""
        return self._held(request, scope) if request.call.form.own else self.inner.send(request, scope)

    async def _held(self, request: Request, scope: Scope) -> Reply:
        quiet, problem = scope.but(want_deltas=False), self.problem(request.call.form.schema)
        reply = await self.inner.send(request, quiet)
        if (wrong := _wrong(reply, request, problem)) is not None:
            first, reply = reply, await self._again(request, quiet, reply, wrong, problem)
            cost = None if first.cost is None or reply.cost is None else first.cost + reply.cost
            notes = (*first.notes, *reply.notes, f"repaired: {request.call.agent} did not obey its schema at first")
            reply = replace(reply, usage=first.usage + reply.usage, cost=cost, notes=notes)
        for delta in deltas_of(reply, scope.attempt, final=scope.final) if scope.want_deltas else ():
            scope.emit(delta)
        return reply

    async def _again(
        self, request: Request, scope: Scope, first: Reply, wrong: str, problem: Callable[[str], str | None]
    ) -> Reply:
        """The second reply; where there is none that obeys, what both have used is told."""
        try:
            if request.call.function is not None:
                raise _disobeyed(request, wrong)
            reply = await self.inner.send(repairing(request, first, wrong), scope)
            if (still := _wrong(reply, request, problem)) is not None:
                scope.emit(Wasted(reply.usage, reply.cost))
                raise _disobeyed(request, still)
        except Halt:
            scope.emit(Wasted(first.usage, first.cost))
            raise _disobeyed(request, wrong) from None  # no money to ask again: the call has failed, the run goes on
        except CallError:
            scope.emit(Wasted(first.usage, first.cost))
            raise
        return reply


def _wrong(reply: Reply, request: Request, problem: Callable[[str], str | None]) -> str | None:
    """Why a reply does not obey; None where it does, abstains, or is no answer anyway."""
    call = request.call
    if reply.tool_calls or abstained(reply, call) or no_answer(reply, call, final=False):
        return None
    return problem(reply.text)


def _disobeyed(request: Request, wrong: str) -> BadReply:
    provider, _, model = request.call.model.partition(":")
    return BadReply(f"it does not obey its schema: {wrong}", provider=provider, model=model)
