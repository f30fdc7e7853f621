"""Sends at most so many calls at once to one endpoint."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from moa.core.errors import TimedOut
from moa.core.ports import Provider, Scope
from moa.core.types import Reply, Request


@dataclass(eq=False)
class Places:
    """The places of one endpoint, shared by every Limit before it. Each event loop counts its own."""

    at_once: int
    _of_loop: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = field(default_factory=dict, init=False, repr=False)

    def here(self) -> asyncio.Semaphore:
        """The places of the running event loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._of_loop:
            open_ones = {known: places for known, places in self._of_loop.items() if not known.is_closed()}
            self._of_loop = open_ones | {loop: asyncio.Semaphore(self.at_once)}
        return self._of_loop[loop]


@dataclass(frozen=True, slots=True)
class Limit:
    """Waits for a place of the endpoint before it sends, at most until the deadline."""

    inner: Provider
    places: Places

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider.

        Raises:
            TimedOut: no place came free before the deadline; nothing was sent.
        """
        places = self.places.here()
        try:
            if places.locked():
                async with asyncio.timeout_at(scope.deadline):
                    await places.acquire()
            else:  # at once: no timer is needed
                await places.acquire()
        except TimeoutError:
            provider, _, model = request.call.model.partition(":")
            why = f"all {self.places.at_once} places were taken until the deadline; nothing was sent"
            raise TimedOut(why, provider=provider, model=model, sent=False) from None
        try:
            scope.sent()
            return await self.inner.send(request, scope)
        finally:
            places.release()
