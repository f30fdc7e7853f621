"""Remembers replies: the very same call of the same tenant is answered without sending anything."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace

from moa.core.events import CacheHit, deltas_of
from moa.core.ports import Provider, Scope
from moa.core.types import Reply, Request


@dataclass(eq=False)
class Kept:
    """Replies by (tenant, `Call.key`), at most `most`; the one longest unused goes first."""

    most: int = 1024
    _replies: OrderedDict[tuple[str, str], Reply] = field(default_factory=OrderedDict, init=False, repr=False)

    def find(self, tenant: str, key: str) -> Reply | None:
        """The reply, if there is one; it counts as used now."""
        reply = self._replies.get((tenant, key))
        if reply is not None:
            self._replies.move_to_end((tenant, key))
        return reply

    def keep(self, tenant: str, key: str, reply: Reply) -> None:
        """Remember a reply."""
        self._replies[tenant, key] = reply
        self._replies.move_to_end((tenant, key))
        while len(self._replies) > self.most:
            self._replies.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Cache:
    """Answers from `kept` where it can. Only whole answers are kept: no errors, nothing blank, cut or filtered.

    A cached reply costs nothing (`cost` 0); that it was cached is an event of the call, no flaw to note. Its usage stays,
    since clients measure context by it.
    Equal calls under way at the same time all go through.
    """

    inner: Provider
    kept: Kept = field(default_factory=Kept)

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider."""
        key = request.call.key
        known = self.kept.find(scope.tenant, key)
        if known is None:
            reply = await self.inner.send(request, scope)
            if not reply.blank and reply.finish in ("stop", "tool_calls"):
                self.kept.keep(scope.tenant, key, reply)
            return reply
        scope.emit(CacheHit(key))
        for delta in deltas_of(known, scope.attempt, final=scope.final) if scope.want_deltas else ():
            scope.emit(delta)
        return replace(known, cost=0.0)
