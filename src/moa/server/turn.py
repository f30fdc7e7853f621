"""Runs what is asked: whole, or streamed while it works. A client that leaves ends its run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from moa.core.errors import CallError, MoaError, Refused
from moa.core.events import (
    CallFailed,
    CallFinished,
    CallStarted,
    Delta,
    Event,
    Fact,
    Failure,
    RunFailed,
    RunFinished,
    StepStarted,
)
from moa.core.growing import grow
from moa.core.money import Account
from moa.core.types import Reply
from moa.core.view import folded
from moa.engine.watch import Watching
from moa.mixture import Mixture
from moa.server.asked import Answered, Asked, Speaking
from moa.server.door import ClientGone, Receive
from moa.server.refusals import Rejection, meant, status_of, wait_of
from moa.server.seen import seen, told, unsaid

PULSE_SECONDS = 5.0
"""How long a stream is silent at most."""
PULSE = b": moa is working\n\n"

Say = Callable[[bytes], Any]


@asynccontextmanager
async def attended(receive: Receive) -> AsyncIterator[None]:
    """While the client is there; when it leaves, what runs inside is cancelled.

    Raises:
        ClientGone: it left.
    """
    task, gone = asyncio.current_task(), False
    assert task is not None

    async def wait() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel("the client left")

    waiting = asyncio.create_task(wait())
    try:
        yield
    except asyncio.CancelledError:
        if not gone:
            raise
        task.uncancel()
        raise ClientGone from None
    finally:
        waiting.cancel()


async def whole(mixture: Mixture, asked: Asked, payer: Account | None, tenant: str) -> Answered:
    """The answer, when it is there. Of the request's limits and the mixture's own the tighter hold.

    Raises:
        MoaError: there is none.
    """
    events: list[Event] = []
    try:
        answer = await mixture.ask(
            asked.conversation, payer=payer, tenant=tenant, sinks=(events.append,), **_wishes(mixture, asked)
        )
    except CallError as error:
        if (answered := declined(error, events, asked)) is not None:
            return answered
        raise hushed(error, asked) from None
    return Answered.of(answer.events, gated=asked.gated)


def declined(error: Exception, events: Iterable[Event], asked: Asked) -> Answered | None:
    """The answer that a refusal is, as OpenAI and Anthropic have it: SDKs send again what ends in an error. Behind a gate nobody's
    words are in it."""
    if not isinstance(error := meant(error), Refused):
        return None
    partial, said = ("", "") if asked.gated else (error.partial, error.said)
    view = folded(seen(event, gated=asked.gated) for event in events)
    reply = Reply(partial, finish="content_filter", usage=error.usage or view.usage, cost=error.cost)
    return Answered(reply, view, said)


def hushed(error: CallError, asked: Asked) -> MoaError:
    """The error; behind a gate without the words in it that may be a model's."""
    if not asked.gated:
        return error
    words = unsaid(Failure.of(error), gated=True).message
    return Rejection(words, status_of(error), code=error.code, retry_after=wait_of(error))


@asynccontextmanager
async def streamed(mixture: Mixture, asked: Asked, payer: Account | None, tenant: str) -> AsyncIterator[Watching]:
    """The events of the run; entering raises what is wrong with the request itself, before anything was sent."""
    async with mixture.watch(asked.conversation, payer=payer, tenant=tenant, **_wishes(mixture, asked)) as events:
        yield events


def _wishes(mixture: Mixture, asked: Asked) -> dict[str, Any]:
    """What the request wants of the run."""
    return {
        "deadline": _less(asked.options.deadline, mixture.deadline),
        "max_cost": _less(asked.options.max_cost, mixture.max_cost),
        "form": asked.form,
        "sampling": asked.sampling,
    }


def _less(asked: float | None, own: float | None) -> float | None:
    """The tighter of two limits."""
    return min((limit for limit in (asked, own) if limit is not None), default=None)


async def speak(
    events: Watching,
    asked: Asked,
    speaking: Speaking,
    say: Say,
    begun: Callable[[str], None],
    outward: Callable[[Exception], Exception],
) -> bool:
    """Tell a run to a client as it goes; whether there was a whole answer. `say` sends bytes; `begun` is told the run's id as
    soon as there is one; `outward` gives an error as a client may see it."""
    kept, said = list[Event](), list[str]()
    async with kept_alive(say) as telling:
        async for event in events:
            fact = event.fact
            if event.seq == 0:
                begun(event.run)
            if not isinstance(fact, Delta):
                kept.append(event)
            elif fact.final and fact.what == "text":
                grow(said, fact.text)
            if isinstance(fact, RunFinished) and said and "".join(said) != fact.reply.text:
                broke = Rejection("the answer broke off; what was sent is not the whole of one", 502, code="cut")
                await telling(speaking.failure(broke))
                return False
            frames = _frames(event, asked, speaking, kept)
            if isinstance(fact, RunFailed):
                error = await _why(events, fact)
                answered = declined(error, kept, asked)
                if answered is not None:
                    frames += speaking.closing(answered)
                else:
                    frames += speaking.failure(outward(hushed(error, asked) if isinstance(error, CallError) else error))
            if frames:
                await telling(frames)
    return isinstance(kept[-1].fact, RunFinished)


@asynccontextmanager
async def kept_alive(say: Say) -> AsyncIterator[Say]:
    """The same, and a comment line whenever nothing was said for PULSE_SECONDS: nobody between here and the client hangs up."""
    loop = asyncio.get_running_loop()
    spoken = loop.time()

    async def telling(frames: bytes) -> None:
        nonlocal spoken
        spoken = loop.time()
        await say(frames)

    async def pulse() -> None:
        while True:
            await asyncio.sleep(max(spoken + PULSE_SECONDS - loop.time(), 0.01))
            if loop.time() - spoken >= PULSE_SECONDS:
                await telling(PULSE)

    pulsing = asyncio.create_task(pulse())
    try:
        yield telling
    finally:
        pulsing.cancel()


def _frames(event: Event, asked: Asked, speaking: Speaking, kept: list[Event]) -> bytes:
    fact = seen(event, gated=asked.gated).fact
    if isinstance(fact, Delta):
        return speaking.delta(fact) if fact.final and (fact.text or fact.what == "tool") else b""
    aside = b""
    if event.seq == 0:
        aside = speaking.opening(event.run)
    if asked.options.events:
        aside += speaking.aside(_told(event, asked))
    if asked.options.progress and (words := _words(fact, event.span, kept)):
        aside += speaking.progress(words)
    if isinstance(fact, RunFinished):
        return aside + speaking.closing(Answered.of(tuple(kept), gated=asked.gated))
    return aside


async def _why(events: Watching, fact: RunFailed) -> Exception:
    """The error that a run has ended in, as it is told where nothing was streamed."""
    (error,) = await asyncio.gather(events.reply(), return_exceptions=True)
    return error if isinstance(error, Exception) else Rejection(str(fact.failure), 502, code="run_failed")


def _told(event: Event, asked: Asked) -> dict[str, Any]:
    """An event as who asked sees it: without the conversation, which it has sent."""
    return {name: value for name, value in told(event, gated=asked.gated).items() if name != "conversation"}


def _words(fact: Fact, span: int, kept: list[Event]) -> str:
    """One line of what has happened; empty for what nobody wants to read."""
    match fact:
        case StepStarted(label, calls):
            return f"{label}: {calls} {'call' if calls == 1 else 'calls'}"
        case CallFinished(Reply() as reply, seconds):
            return f"{reply.agent} answered after {seconds:.1f} s"
        case CallFailed(failure, seconds):
            started = next((e.fact for e in kept if e.span == span and isinstance(e.fact, CallStarted)), None)
            if failure.kind == "Abstained":
                return failure.message
            return f"{started.agent if started else 'a call'} failed after {seconds:.1f} s: {failure.message}"
    return ""
