"""One run: a task group, its events, exactly one terminal event. Leaving a watched run cancels every call of it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from moa.core.errors import ConfigError, MoaError
from moa.core.events import (
    TERMINAL,
    Delta,
    Event,
    Fact,
    Failure,
    Noted,
    RunFailed,
    RunFinished,
    RunStarted,
    deltas_of,
    joined,
)
from moa.core.flow import Flow
from moa.core.money import Account
from moa.core.ports import Provider, Sink
from moa.core.prices import Price, total
from moa.core.types import Call, Conversation, Reply
from moa.core.values import quickly_made
from moa.engine.call import Run
from moa.engine.drive import drive
from moa.engine.recorder import Recorder


@quickly_made
@dataclass(frozen=True, slots=True)
class Order:
    """What a run is started with. `deadline` is in seconds from its start; `deltas` is "none", "final" or "all"; `answers` is
    of what kind its answers are.

    What is known of a model: `price`, `context` and `nearly_all`, as in `Run`; so is `nonce`.
    """

    flow: Callable[[Conversation], Flow[Reply]]
    conversation: Conversation
    provider: Provider
    mixture: str = ""
    deadline: float | None = None
    deltas: str = "none"
    sinks: tuple[Sink, ...] = ()
    price: Callable[[str], Price | None] = lambda model: None
    context: Callable[[str], int | None] = lambda model: None
    nearly_all: Callable[[str], float | None] = lambda model: None
    accounts: tuple[Account, ...] = ()
    tenant: str = ""
    run: str = ""
    nonce: Callable[[Call], str] | None = None
    answers: str = "auto"


async def run(order: Order) -> Reply:
    """Carry out one run and return its answer.

    Raises:
        MoaError: the run ended without an answer.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    state = Run(
        order.provider,
        Recorder(order.sinks, run=order.run),
        deltas=order.deltas,
        price=order.price,
        context=order.context,
        nearly_all=order.nearly_all,
        accounts=order.accounts,
        tenant=order.tenant,
        mixture=order.mixture,
        nonce=order.nonce,
    )
    state.recorder.emit(RunStarted(order.mixture, order.conversation, order.deadline, order.tenant, order.answers))
    outcome: Reply | BaseException
    try:
        async with state.tasks:
            outcome = await _drive(order, state, None if order.deadline is None else started + order.deadline)
    except Exception as error:  # noqa: BLE001 - a bug, or a Halt of a task: it is told, and raised again
        outcome = error
    except BaseException as stop:  # cancelled, or the interpreter is told to end
        state.recorder.emit(_failed(stop, state, loop.time() - started))
        raise
    if not isinstance(outcome, Reply | BaseException):
        outcome = ConfigError(f"the flow returned {type(outcome).__name__}; a mixture's flow returns a Reply")
    if isinstance(outcome, Reply):
        _reconcile(outcome, order, state)
        state.recorder.emit(_finished(outcome, state, loop.time() - started))
        return outcome
    state.recorder.emit(_failed(outcome, state, loop.time() - started))
    raise outcome


async def _drive(order: Order, state: Run, deadline: float | None) -> Reply | MoaError:
    """The answer, or the error that ends the run: caught here, inside the group, so that it comes out bare."""
    try:
        return await drive(order.flow(order.conversation), state, deadline)
    except MoaError as error:
        return error


def _reconcile(reply: Reply, order: Order, state: Run) -> None:
    """See to it that what was streamed and what is returned agree, and say so where they do not."""
    streamed = "".join(state.streamed)
    if not streamed and order.deltas != "none":
        for delta in deltas_of(reply, final=True):
            if delta.what == "text" or delta.what not in state.spoke:
                state.recorder.emit(delta)
    elif streamed and streamed != reply.text:
        state.recorder.emit(
            Noted("replaced", "what was streamed is not the answer; the answer is that of run_finished")
        )
    for note in reply.notes:
        reason, _, detail = note.partition(": ")
        state.recorder.emit(Noted(reason, detail))


def _finished(reply: Reply, state: Run, seconds: float) -> Fact:
    return RunFinished(reply, state.usage, total(state.costs), seconds, degraded=bool(state.failed or reply.notes))


def _failed(error: BaseException, state: Run, seconds: float) -> Fact:
    return RunFailed(Failure.of(error), state.usage, total(state.costs), seconds)


UNREAD = 256 << 10
"""Most characters of answers that wait for whoever watches; a reader slower than that ends its run."""
BEHIND, PIECE = 16, 16 << 10
"""Whoever has so many events still to read gets the answer in larger pieces, of so many characters: a word by itself takes up
fifty times as much memory."""


class Watching:
    """The events of a run under way; iterate them to the end, then ask for the `reply`.

    A slow reader never slows a model: what waits to be read is joined, that of the proposers first, and where more comes while
    more than UNREAD characters wait, the run is cancelled.
    """

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._unread = 0
        self._wake: asyncio.Event = asyncio.Event()
        self._task: asyncio.Task[Reply] | None = None
        self._ended = False

    def add(self, event: Event) -> None:
        """Take one event (this is a Sink)."""
        if isinstance(event.fact, Delta):
            if self._unread > UNREAD and self._task is not None:
                self._task.cancel("who watched it read too slowly")
            self._unread += len(event.fact.text)
            behind = len(self._events) > BEHIND
            if self._events and (both := _joined(self._events[-1], event, behind)) is not None:
                self._events[-1] = both
                return
        self._events.append(event)
        self._wake.set()

    async def reply(self) -> Reply:
        """Wait for the answer.

        Raises:
            MoaError: the run ended without one.
        """
        assert self._task is not None
        return await asyncio.shield(self._task)

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        event = self._events.popleft()
        if isinstance(event.fact, Delta):
            self._unread -= len(event.fact.text)
        self._ended = isinstance(event.fact, TERMINAL)
        return event

    def end(self) -> None:
        """No more events will come."""
        self._ended = True
        self._wake.set()


def _joined(last: Event, event: Event, behind: bool) -> Event | None:
    """Two pieces of one answer as one, the later one's stamp on it; None where they are not that, or stay apart: the last answer's
    until somebody is behind, and those that would become too long."""
    one, two = last.fact, event.fact
    if not isinstance(one, Delta) or not isinstance(two, Delta) or last.span != event.span:
        return None
    if (two.final and not behind) or len(one.text) >= PIECE:
        return None
    both = joined((one, two))
    return replace(event, fact=both[0]) if len(both) == 1 else None


@asynccontextmanager
async def watch(order: Order) -> AsyncIterator[Watching]:
    """Carry out one run and watch its events; leaving before its end cancels it and waits for its last event."""
    watching = Watching()
    task = asyncio.create_task(run(replace(order, sinks=(*order.sinks, watching.add))))
    watching._task = task
    try:
        yield watching
    finally:
        task.cancel()
        await asyncio.wait((task,))
        watching.end()
        if not task.cancelled() and not isinstance(task.exception(), MoaError | None):
            task.result()  # a bug is not to be missed
