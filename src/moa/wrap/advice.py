"""Remembers what proposers advised on a user's turn, so that the steps of a tool loop do not buy it again.

A loop asks the same model again and again, each time with one more tool result behind the same user turn. Proposers are asked about
the conversation up to that turn, so their calls have the same keys each time; the nonce that fences their advice is kept, too, so
that the aggregator's prompt only grows at its end and the host's prompt cache holds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from moa.core.ports import Provider, Scope
from moa.core.prompts import last_turn
from moa.core.tokens import written
from moa.core.types import Call, Reply, Request
from moa.wrap.cache import Cache, Kept

MOST = 4096


@dataclass(eq=False)
class Advice:
    """The advice of all conversations under way, by tenant."""

    replies: Kept = field(default_factory=lambda: Kept(MOST))
    _nonces: OrderedDict[tuple[str, str, str], str] = field(default_factory=OrderedDict, init=False, repr=False)

    def nonce(self, tenant: str, mixture: str, call: Call, draw: Callable[[Call], str]) -> str:
        """The nonce of this turn of a conversation; a new one where none was drawn yet, or where it occurs in what came since."""
        turn = last_turn(call)
        key = (tenant, mixture, replace(turn, manner=replace(turn.manner, behind=0)).key)
        known = self._nonces.get(key)
        if known is None or _occurs(known, call):
            known = self._nonces[key] = draw(call)
        self._nonces.move_to_end(key)
        while len(self._nonces) > MOST:
            self._nonces.popitem(last=False)
        return known


def _occurs(nonce: str, call: Call) -> bool:
    return any(nonce in written(part) for message in call.conversation for part in message.parts)


@dataclass(frozen=True, slots=True)
class Advised:
    """A Provider that answers from the advice that is kept, but for the call whose text is the answer."""

    inner: Provider
    kept: Kept

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider."""
        if scope.final or request.call.form.tools:
            return await self.inner.send(request, scope)
        return await Cache(self.inner, self.kept).send(request, scope)
