"""Tries again, and hedges: the one owner of attempts, so that no two layers multiply them.

A logical call is at most `most` attempts. A second one goes out after a retryable failure, or, hedging, beside the first once that
takes longer than nearly all calls of its model did ("The Tail at Scale", Dean & Barroso, CACM 2013). The first piece that passes
elects its attempt: the other is cancelled. Once it is a piece of an answer nothing is tried again, since two texts must never mix;
what a model thinks is none, nor is blank text, which waits for what comes behind it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from moa.core.errors import Halt, ProviderError, TimedOut
from moa.core.events import CallHedged, CallRetried, Delta, Fact, Failure, Wasted
from moa.core.ports import Provider, Scope
from moa.core.types import Reply, Request
from moa.wrap.alarms import Alarm, alarms_of
from moa.wrap.pace import Allowance, Pace, Paces


@dataclass(frozen=True, slots=True)
class Attempts:
    """Sends once more after a retryable error, at most `most` times in all, and as long as `retries` allow it.

    It waits what the provider asked for (`retry_after`) and, on top, a random part of `backoff` seconds (full jitter). It
    does not try again where that would be after the deadline, more than `longest` seconds after the first attempt began, after
    more than `patience` seconds where somebody else can answer, or where the host was silent for the time it had (who hung for
    a minute would only hang for two; against slow ones there are hedges).

    Where there are `hedges`, a call that takes longer than `percentile` of its model's calls gets a second attempt at once.
    """

    inner: Provider
    most: int = 2
    backoff: float = 0.5
    longest: float = 60.0
    patience: float = 1.0
    chance: Callable[[], float] = random.random
    retries: Allowance = field(default_factory=lambda: Allowance(0.1))
    paces: Paces = field(default_factory=Paces, compare=False)
    hedges: Allowance | None = None
    percentile: float = 0.95

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider; raises what the last attempt raised."""
        self.retries.earn()
        pace, slow = self.paces[request.call.model], None
        if self.hedges is not None and self.most > 1:
            self.hedges.earn()
            slow = pace.percentile(self.percentile)
        loop = asyncio.get_running_loop()
        attempt, began = scope.attempt, loop.time()
        last: ProviderError | None = None
        if scope.deadline is not None and (least := pace.least) and scope.deadline - began < HOPELESS * least:
            raise _hopeless(request, scope.deadline - began, least)
        while True:
            try:
                race = _Race(
                    self, request, scope, pace, attempt, slow if attempt == scope.attempt < self.most else None, loop
                )
                return await race.run()
            except Halt:
                if last is None:
                    raise
                raise last from None  # no money for another attempt: the call has failed, the run goes on
            except ProviderError as error:
                last = error
                wait = (error.retry_after or 0.0) + self.chance() * self.backoff * 2 ** (attempt - 1)
                attempt += race.attempts + error.resent
                if attempt > self.most or race.answering or not self._worth(error, wait, began, scope):
                    raise
                scope.emit(CallRetried(attempt - 1, wait, Failure.of(error)))
            await asyncio.sleep(wait)

    def _worth(self, error: ProviderError, wait: float, began: float, scope: Scope) -> bool:
        """Whether the next attempt, after that wait, is still worth its while; takes a retry from what is allowed."""
        if not error.retryable and not error.mended:
            return False
        silent = isinstance(error, TimedOut) and error.http_status is None
        if silent or not error.sent or not scope.awaited() or (scope.spare and wait > self.patience):
            return False
        again = asyncio.get_running_loop().time() + wait
        if again - began > self.longest or (scope.deadline is not None and again >= scope.deadline):
            return False
        return error.mended or self.retries.spend()


HOPELESS = 0.5
"""A call is not sent where less than this part of the least time that its model ever took is left."""


def _hopeless(request: Request, left: float, least: float) -> TimedOut:
    """What cannot finish is not started: it would cost money and bring nothing."""
    provider, _, model = request.call.model.partition(":")
    why = f"not sent: {left:.3g} s are left, and no answer of this model ever came in less than {least:.3g} s"
    return TimedOut(why, provider=provider, model=model, sent=False)


class _Race:
    """One attempt, and where it is slow a second beside it."""

    __slots__ = (
        "_alarms",
        "_began",
        "_blank",
        "_cancelling",
        "_interrupted",
        "_loop",
        "_of",
        "_out",
        "_over",
        "_pace",
        "_request",
        "_scope",
        "_second",
        "_slow",
        "_task",
        "_timer",
        "answering",
        "attempts",
        "elected",
    )

    def __init__(
        self,
        of: Attempts,
        request: Request,
        scope: Scope,
        pace: Pace,
        attempt: int,
        slow: float | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._of, self._request, self._scope, self._pace, self._slow = of, request, scope, pace, slow
        if attempt != scope.attempt:
            self._scope = scope.but(attempt=attempt)
        self.attempts = 1
        self.elected = 0  # the number of the attempt whose pieces are passed on
        self.answering = False  # whether one of them was a piece of an answer
        self._blank: list[tuple[int, Delta]] = []  # text held back, and of which attempt
        self._task: asyncio.Task[object] | None = None
        self._timer: Alarm | None = None
        self._second: asyncio.Task[Reply] | None = None
        self._interrupted = self._over = False
        self._loop, self._began, self._cancelling = loop, loop.time(), 0
        self._out = False  # whether the first attempt has left the limiter

    async def run(self) -> Reply:
        """The reply of whichever attempt is first; the failure of the first, where both fail."""
        loop, scope, pace = self._loop, self._scope, self._pace
        listening = scope.but(emit=partial(self._emit, scope.attempt), sent=self._sent)
        try:
            reply = await self._of.inner.send(self._request, listening)
            self._over = True
            pace.add(loop.time() - self._began)
            if self._second is not None:
                self._both_came(self._second)
        except asyncio.CancelledError:
            if self._out:
                pace.missed(loop.time() - self._began, self._of.chance())
            if not self._interrupted or not self._taken_back():
                raise
            assert self._second is not None
            reply = await self._second
        except ProviderError as failure:
            if self._interrupted and not self._taken_back():
                raise asyncio.CancelledError from failure
            self._over = True
            if self._second is None or self.elected == self._scope.attempt:
                raise
            try:
                reply = await self._second
            except (ProviderError, Halt):
                raise failure from None
        finally:
            self._over = True
            if self._timer is not None:
                self._alarms.cancel(self._timer)
            if self._second is not None:
                await self._end(self._second)
        return reply

    def _sent(self) -> None:
        """The first attempt goes out: from now on it may be slow."""
        self._began, self._out = self._loop.time(), True
        if self._slow is not None:
            self._task = asyncio.current_task(self._loop)
            self._cancelling = self._task.cancelling() if self._task else 0
            self._alarms = alarms_of(self._loop)
            self._timer = self._alarms.at(self._began + self._slow, self._hedge)
        self._scope.sent()

    def _hedge(self, now: float) -> None:
        """The first attempt is slow: send the second."""
        hedges = self._of.hedges
        if self.elected or self._over or hedges is None or not self._scope.awaited() or not hedges.spend():
            return
        number = self._scope.attempt + 1
        self.attempts = 2
        self._scope.emit(CallHedged(number))
        scope = self._scope.but(attempt=number, emit=partial(self._emit, number))
        self._second = self._loop.create_task(self._of.inner.send(self._request, scope))
        self._second.add_done_callback(self._second_ended)

    def _second_ended(self, second: asyncio.Task[Reply]) -> None:
        if not second.cancelled() and second.exception() is None:
            self._interrupt()

    def _interrupt(self) -> None:
        """The second attempt has won: stop waiting for the first."""
        if not self._over and not self._interrupted and self._task is not None:
            self._interrupted = True
            self._task.cancel()

    def _taken_back(self) -> bool:
        """Whether the cancellation of this task was ours alone."""
        self._interrupted, self._over = False, True
        return self._task is not None and self._task.uncancel() <= self._cancelling

    def _both_came(self, second: asyncio.Task[Reply]) -> None:
        """The first is taken; tell what the second has cost, where it ended at the same moment."""
        if self._interrupted:
            self._taken_back()
        if second.done() and not second.cancelled() and second.exception() is None:
            self._scope.emit(Wasted(second.result().usage, second.result().cost))

    def _emit(self, number: int, fact: Fact) -> None:
        """Pass on what comes of an attempt, unless the other is elected."""
        if isinstance(fact, Delta):
            if self.elected not in (0, number):
                return
            if not self.answering:
                if fact.what == "text" and not fact.text.strip():
                    self._blank.append((number, fact))
                    return
                self._elect(number, fact)
        self._scope.emit(fact)

    def _elect(self, number: int, piece: Delta) -> None:
        """This attempt speaks: the other is cancelled. Where it begins to answer, what was held back goes first."""
        if not self.elected:
            self.elected = number
            if number != self._scope.attempt:
                self._interrupt()
            elif self._second is not None:
                self._second.cancel()
        if piece.what != "reasoning":
            self.answering = True
            for whose, blank in self._blank:
                if whose == number:
                    self._scope.emit(blank)

    async def _end(self, second: asyncio.Task[Reply]) -> None:
        """Whatever happened, nothing of this race goes on."""
        if not second.done():
            second.cancel()
            await asyncio.wait((second,))
        if not second.cancelled():
            second.exception()  # seen: it is the first's that counts
