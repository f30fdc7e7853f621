"""So many models at a time, for a machine that cannot hold or run more: calls of one model run together, models in turns.

A server with one GPU (Ollama, LM Studio, llama.cpp) that is asked for several models at once unloads and loads them again and
again; and on a few cores many models at once answer one call each, where one that has all cores for itself answers several in
little more time (continuous batching: Yu et al. 2022, https://www.usenix.org/conference/osdi22/presentation/yu). Here calls are
grouped: a model on the machine lets in further calls of its own, up to `most_in_a_row` while others wait; then the model that has
waited longest gets the place. Within one model the order of asking is kept.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass, field

from moa.core.errors import TimedOut
from moa.core.ports import Provider, Scope
from moa.core.types import Reply, Request


@dataclass(eq=False, slots=True)
class Turn:
    """A call that waits for the machine. `given`: it has its turn, whether or not its event loop has told it yet."""

    model: str
    loop: asyncio.AbstractEventLoop
    told: asyncio.Future[None]
    given: bool = False

    def give(self) -> None:
        """It may start. Raises RuntimeError where its event loop has ended."""
        self.given = True
        self.loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if not self.told.done():
            self.told.set_result(None)


@dataclass(slots=True)
class Held:
    """A model on the machine: how many of its calls run, and how many were let in since it came."""

    running: int = 0
    in_a_row: int = 0


@dataclass(eq=False)
class Machine:
    """What one machine is doing: the models it holds, `models` at most, with `at_once` calls of each, and who waits, in whatever
    thread."""

    at_once: int = 4
    most_in_a_row: int = 32
    models: int = 1
    held: dict[str, Held] = field(default_factory=dict)
    waiting: deque[Turn] = field(default_factory=deque)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def enter(self, model: str) -> Turn | None:
        """Start a call of this model at once, or give it a place in the queue."""
        with self._lock:
            if not self.waiting and self._admits(model):
                self._start(model)
                return None
            loop = asyncio.get_running_loop()
            turn = Turn(model, loop, loop.create_future())
            self.waiting.append(turn)
            self._wake()
            return turn

    def leave(self, model: str) -> None:
        """A call has ended: let in whoever may start now."""
        with self._lock:
            held = self.held[model]
            held.running -= 1
            self._wake()
            if not held.running:
                self.held = {name: one for name, one in self.held.items() if one.running}

    def give_up(self, turn: Turn) -> None:
        """Somebody does not wait any more: let in the next, where the turn had just come."""
        with self._lock:
            if turn.given:
                self.leave(turn.model)
            else:
                self.waiting.remove(turn)
                self._wake()

    def _admits(self, model: str) -> bool:
        running = {name for name, held in self.held.items() if held.running}
        if model not in running:
            return len(running) < self.models
        held, others = self.held[model], any(turn.model not in running for turn in self.waiting)
        return held.running < self.at_once and not (others and held.in_a_row >= self.most_in_a_row)

    def _start(self, model: str) -> None:
        held = self.held.setdefault(model, Held())
        held.running += 1
        held.in_a_row += 1

    def _wake(self) -> None:
        """Start the calls that may: those of the models that are there first, else of the one that has waited longest."""
        for turn in sorted(self.waiting, key=self._rank):
            if not self._admits(turn.model):
                continue
            self.waiting.remove(turn)
            try:
                turn.give()
            except RuntimeError:  # its event loop has ended, and whoever waited with it
                continue
            self._start(turn.model)

    def _rank(self, turn: Turn) -> int:
        held = self.held.get(turn.model)
        return 1 if held is None else 0 if held.in_a_row < self.most_in_a_row else 2


@dataclass(frozen=True, slots=True)
class Turns:
    """Waits until the machine holds, or may load, the call's model."""

    inner: Provider
    machine: Machine

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider.

        Raises:
            TimedOut: its turn did not come before the deadline; nothing was sent.
        """
        model = request.call.model
        turn = self.machine.enter(model)
        if turn is not None:
            await self._wait(turn, request, scope)
        try:
            scope.sent()
            return await self.inner.send(request, scope)
        finally:
            self.machine.leave(model)

    async def _wait(self, turn: Turn, request: Request, scope: Scope) -> None:
        try:
            async with asyncio.timeout_at(scope.deadline):
                await turn.told
        except TimeoutError:
            self.machine.give_up(turn)
            provider, _, name = request.call.model.partition(":")
            why = "its model did not get its turn on this machine before the deadline; nothing was sent"
            raise TimedOut(why, provider=provider, model=name, sent=False) from None
        except asyncio.CancelledError:
            self.machine.give_up(turn)
            raise
