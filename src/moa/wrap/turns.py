"""One model at a time, for a machine that can hold only one: calls of one model run together, models one after the other.

A server with one GPU (Ollama, LM Studio, llama.cpp) that is asked for several models at once unloads and loads them again and
again. Here calls are grouped: whoever holds the machine lets in further calls of its own model, up to `most_in_a_row` while
others wait; then the model that has waited longest gets it. Within one model the order of asking is kept.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from moa.core.errors import TimedOut
from moa.core.ports import Provider, Scope
from moa.core.types import Reply, Request


@dataclass(eq=False)
class Machine:
    """What one machine is doing: the model it holds, how many calls of it run, and who waits."""

    at_once: int = 4
    most_in_a_row: int = 32
    model: str = ""
    running: int = 0
    in_a_row: int = 0
    waiting: deque[tuple[str, asyncio.Future[None]]] = field(default_factory=deque)

    def admits(self, model: str) -> bool:
        """Whether a call of this model may start now."""
        if self.running == 0:
            return True
        others = any(one != model and not turn.done() for one, turn in self.waiting)
        return (
            model == self.model and self.running < self.at_once and not (others and self.in_a_row >= self.most_in_a_row)
        )

    def start(self, model: str) -> None:
        """A call of this model starts."""
        self.in_a_row = self.in_a_row + 1 if model == self.model else 1
        self.model, self.running = model, self.running + 1

    def end(self) -> None:
        """A call has ended: let in whoever may start now."""
        self.running -= 1
        self.wake()

    def wake(self) -> None:
        """Start the calls that may: those of the model that is there first, else of the one that has waited longest."""
        self.waiting = deque((model, turn) for model, turn in self.waiting if not turn.done())
        mine = [one for one in self.waiting if one[0] == self.model]
        others = [one for one in self.waiting if one[0] != self.model]
        for model, turn in (*others, *mine) if self.in_a_row >= self.most_in_a_row else (*mine, *others):
            if not turn.done() and self.admits(model):
                self.start(model)
                turn.set_result(None)


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
        model, machine = request.call.model, self.machine
        if machine.admits(model) and not machine.waiting:
            machine.start(model)
        else:
            await self._turn(model, request, scope)
        try:
            scope.sent()
            return await self.inner.send(request, scope)
        finally:
            machine.end()

    async def _turn(self, model: str, request: Request, scope: Scope) -> None:
        machine = self.machine
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        machine.waiting.append((model, turn))
        machine.wake()
        try:
            async with asyncio.timeout_at(scope.deadline):
                await turn
        except TimeoutError:
            _give_on(turn, machine)
            provider, _, name = request.call.model.partition(":")
            why = "its model did not get its turn on this machine before the deadline; nothing was sent"
            raise TimedOut(why, provider=provider, model=name, sent=False) from None
        except asyncio.CancelledError:
            _give_on(turn, machine)
            raise


def _give_on(turn: asyncio.Future[None], machine: Machine) -> None:
    """Let in the next where a turn came to somebody who has just stopped waiting."""
    if turn.done() and not turn.cancelled():
        machine.end()
