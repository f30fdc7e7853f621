"""The runs under way, for who watches them from outside: what has happened so far, and what happens next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from moa.core.events import TERMINAL, Delta, Event


@dataclass(eq=False)
class Following:
    """One run under way: its events but for deltas."""

    events: list[Event] = field(default_factory=list)
    _more: asyncio.Event | None = None

    def add(self, event: Event) -> None:
        """Take in one event and wake who waits for it."""
        self.events.append(event)
        if self._more is not None:
            self._more.set()
            self._more = None

    async def follow(self) -> AsyncIterator[Event]:
        """All events, from the first to the one that ends the run, as they happen."""
        place = 0
        while True:
            for event in self.events[place:]:
                yield event
                if isinstance(event.fact, TERMINAL):
                    return
                place += 1
            if place == len(self.events):
                self._more = self._more or asyncio.Event()
                await self._more.wait()


class Live:
    """All runs under way. Its `add` is a Sink; a run is forgotten when it ends (who follows it sees it to its end)."""

    def __init__(self) -> None:
        self._runs: dict[str, Following] = {}
        self.ended: list[Callable[[list[Event]], None]] = []
        """Who is told of each run when it has ended, however it did: all its events."""

    def add(self, event: Event) -> None:
        """Take in one event of any run."""
        if isinstance(event.fact, Delta):
            return
        run = self._runs.get(event.run)
        if run is None:
            run = self._runs[event.run] = Following()
        run.add(event)
        if isinstance(event.fact, TERMINAL):
            del self._runs[event.run]
            for tell in self.ended:
                tell(run.events)

    def find(self, run: str) -> Following | None:
        """The run of that id, while it is under way."""
        return self._runs.get(run)
