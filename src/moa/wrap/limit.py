"""Sends at most so many calls at once to one endpoint."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from moa.core.errors import TimedOut
from moa.core.ports import Provider, Scope
from moa.core.types import Reply, Request


class Here:
    """The places of an endpoint in one event loop: how many are free, and who waits, in the order of asking."""

    __slots__ = ("_waiting", "free")

    def __init__(self, free: int) -> None:
        self.free = free
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self, deadline: float | None) -> None:
        """Take a place as soon as one is given back; raises TimeoutError at the deadline."""
        given = asyncio.get_running_loop().create_future()
        self._waiting.append(given)
        try:
            async with asyncio.timeout_at(deadline):
                await given
        except BaseException:
            if given.done() and not given.cancelled():  # it was given at the very moment of giving up
                self.give_back()
            elif given in self._waiting:
                self._waiting.remove(given)
            raise

    def give_back(self) -> None:
        """Hand a place to whoever has waited longest."""
        while self._waiting:
            given = self._waiting.popleft()
            if not given.done():
                given.set_result(None)
                return
        self.free += 1


@dataclass(eq=False)
class Places:
    """The places of one endpoint, shared by every Limit before it. Each event loop counts its own."""

    at_once: int
    _of_loop: dict[asyncio.AbstractEventLoop, Here] = field(default_factory=dict, init=False, repr=False)

    def here(self) -> Here:
        """The places of the running event loop."""
        loop = asyncio.get_running_loop()
        here = self._of_loop.get(loop)
        if here is None:  # other threads may be here, too, with loops of their own
            for ended in [known for known in list(self._of_loop) if known.is_closed()]:
                self._of_loop.pop(ended, None)
            here = self._of_loop[loop] = Here(self.at_once)
        return here


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
        here = self.places.here()
        if here.free:
            here.free -= 1
        else:
            try:
                await here.wait(scope.deadline)
            except TimeoutError:
                provider, _, model = request.call.model.partition(":")
                why = f"all {self.places.at_once} places were taken until the deadline; nothing was sent"
                raise TimedOut(why, provider=provider, model=model, sent=False) from None
        try:
            scope.sent()
            return await self.inner.send(request, scope)
        finally:
            here.give_back()
