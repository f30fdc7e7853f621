"""Ends an attempt that takes too long."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from moa.core.errors import TimedOut
from moa.core.events import Delta, Fact
from moa.core.ports import Provider, Scope
from moa.core.types import Reply, Request


@dataclass(frozen=True, slots=True)
class Timeout:
    """Gives each attempt `seconds` in all, and never more than what is left until the scope's deadline."""

    inner: Provider
    seconds: float

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider.

        Raises:
            TimedOut: no whole answer in time; carries the text that had been streamed.
        """
        ends = asyncio.get_running_loop().time() + self.seconds
        if scope.deadline is not None:
            ends = min(ends, scope.deadline)
        heard: list[str] = []

        def listen(fact: Fact) -> None:
            if isinstance(fact, Delta) and fact.what == "text":
                heard.append(fact.text)
            scope.emit(fact)

        emit = listen if scope.want_deltas else scope.emit
        try:
            async with asyncio.timeout_at(ends) as timer:
                return await self.inner.send(request, replace(scope, deadline=ends, emit=emit))
        except TimeoutError:
            if not timer.expired():  # the provider's own, not ours
                raise
            provider, _, model = request.call.model.partition(":")
            why = f"within {self.seconds:g} s" if ends != scope.deadline else "before the deadline"
            raise TimedOut(f"no whole answer {why}", provider=provider, model=model, partial="".join(heard)) from None
