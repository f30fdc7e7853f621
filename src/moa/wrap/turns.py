"""One model at a time, for a machine that can hold only one: calls of one model run together, models one after the other.

A server with one GPU (Ollama, LM Studio, llama.cpp) that is asked for several models at once unloads and loads them again and
again. Here calls are grouped: whoever holds the machine lets in further calls of its own model, up to `most_in_a_row` while
others wait; then the model that has waited longest gets it. Within one model the order of asking is kept.
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


@dataclass(eq=False)
class Machine:
    """What one machine is doing: the model it holds, how many calls of it run, and who waits, in whatever thread."""

    at_once: int = 4
    most_in_a_row: int = 32
    model: str = ""
    running: int = 0
    in_a_row: int = 0
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

    def leave(self) -> None:
        """A call has ended: let in whoever may start now."""
        with self._lock:
            self.running -= 1
            self._wake()

    def give_up(self, turn: Turn) -> None:
        """Somebody does not wait any more: let in the next, where the turn had just come."""
        with self._lock:
            if turn.given:
                self.leave()
            else:
                self.waiting.remove(turn)
                self._wake()

    def _admits(self, model: str) -> bool:
        if self.running == 0:
            return True
        others = any(turn.model != model for turn in self.waiting)
        return (
            model == self.model and self.running < self.at_once and not (others and self.in_a_row >= self.most_in_a_row)
        )

    def _start(self, model: str) -> None:
        self.in_a_row = self.in_a_row + 1 if model == self.model else 1
        self.model, self.running = model, self.running + 1

    def _wake(self) -> None:
        """Start the calls that may: those of the model that is there first, else of the one that has waited longest."""
        mine = [turn for turn in self.waiting if turn.model == self.model]
        others = [turn for turn in self.waiting if turn.model != self.model]
        for turn in (*others, *mine) if self.in_a_row >= self.most_in_a_row else (*mine, *others):
            if not self._admits(turn.model):
                continue
            self.waiting.remove(turn)
            try:
                turn.give()
            except RuntimeError:  # its event loop has ended, and whoever waited with it
                continue
            self._start(turn.model)


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
        turn = self.machine.enter(request.call.model)
        if turn is not None:
            await self._wait(turn, request, scope)
        try:
            scope.sent()
            return await self.inner.send(request, scope)
        finally:
            self.machine.leave()

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
