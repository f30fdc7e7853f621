"""Ends an attempt that takes too long: in all, before its first piece, or between two pieces."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from moa.core.errors import TimedOut
from moa.core.events import Delta, Fact
from moa.core.growing import grow
from moa.core.ports import Provider, Scope
from moa.core.types import Reply, Request
from moa.wrap.alarms import Alarm, alarms_of
from moa.wrap.pace import Paces

QUICK = 0.5
"""A model whose slowest calls take less than this part of `first` is quick: it is asked for whole answers."""


@dataclass(frozen=True, slots=True)
class Timeout:
    """Gives each attempt `seconds` in all, and never more than what is left until the scope's deadline.

    `first` and `between` are the seconds allowed before the first piece of an answer, and between two of them. They need a
    stream, which costs many times the CPU of a whole answer; so a model known to be quick (by `paces`) is asked for whole
    answers all the same, and gets `first` for all of it: who always answers in a second and is silent for 30 hangs.
    """

    inner: Provider
    seconds: float
    first: float | None = None
    between: float | None = None
    paces: Paces = field(default_factory=Paces, compare=False)

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider.

        Raises:
            TimedOut: no whole answer in time; carries the text that had been streamed.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        ends = now + self.seconds
        if scope.deadline is not None and scope.deadline < ends:
            ends = scope.deadline
        quick = not scope.want_deltas and self.first is not None and self._is_quick(request.call.model)
        heard = _Heard(scope, self.first, self.between if not quick else None, ends, loop, now)
        watched = scope.want_deltas or not (quick or (self.first is None and self.between is None))
        emit = heard.emit if watched else scope.emit
        inner = scope.but(deadline=ends, want_deltas=watched, emit=emit, timed=True)
        try:
            return await self.inner.send(request, inner)
        except asyncio.CancelledError:
            if not heard.rung or heard.end() > heard.cancelling:  # somebody else wants it to stop
                raise
            provider, _, model = request.call.model.partition(":")
            raise TimedOut(
                heard.why(self.seconds, scope.deadline), provider=provider, model=model, partial=heard.text
            ) from None
        finally:
            heard.end()

    def _is_quick(self, model: str) -> bool:
        slowest = self.paces[model].percentile(1.0)
        return self.first is not None and slowest is not None and slowest < QUICK * self.first


class _Heard:
    """What one attempt has said so far, and when it must say more: else its task is cancelled. (Cheaper than asyncio.timeout.)"""

    __slots__ = (
        "_alarm",
        "_alarms",
        "_between",
        "_due",
        "_ends",
        "_first",
        "_loop",
        "_scope",
        "_silent",
        "_task",
        "_texts",
        "cancelling",
        "rung",
    )

    def __init__(
        self,
        scope: Scope,
        first: float | None,
        between: float | None,
        ends: float,
        loop: asyncio.AbstractEventLoop,
        now: float,
    ) -> None:
        task = asyncio.current_task(loop)
        assert task is not None
        self._scope, self._first, self._between, self._ends = scope, first, between, ends
        self._loop, self._task, self._alarms = loop, task, alarms_of(loop)
        self._texts: list[str] = []
        self._silent = True
        self.rung, self.cancelling = False, task.cancelling()  # how often this task is being cancelled as it is
        self._due = ends if first is None else min(ends, now + first)
        self._alarm: Alarm | None = self._alarms.at(self._due, self._ring)

    @property
    def text(self) -> str:
        return "".join(self._texts)

    def end(self) -> int:
        """Stop the clock and take back its cancellation; says how often the task is still being cancelled."""
        if self._alarm is not None:
            self._alarms.cancel(self._alarm)
            self._alarm = None
        if self.rung:
            self.rung = False
            return self._task.uncancel()
        return self._task.cancelling()

    def _ring(self, now: float) -> None:
        if self._due > now:  # a piece came meanwhile
            self._alarm = self._alarms.at(self._due, self._ring)
        else:
            self._alarm, self.rung = None, True
            self._task.cancel()

    def emit(self, fact: Fact) -> None:
        """Note a piece, and pass it on where somebody wants it."""
        if isinstance(fact, Delta):
            if fact.what == "text":
                grow(self._texts, fact.text)
            if self._silent or self._between is not None:
                self._silent = False
                self._more()
            if not self._scope.want_deltas:
                self._scope.heard(fact)
                return
        self._scope.emit(fact)

    def _more(self) -> None:
        """The next piece is due `between` seconds from now, all of it at the end; an alarm that rings too early is set again."""
        due = self._ends if self._between is None else self._loop.time() + self._between
        self._due = min(self._ends, due)
        if self._alarm is not None and self._due < self._alarm[0]:
            self._alarms.cancel(self._alarm)
            self._alarm = self._alarms.at(self._due, self._ring)

    def why(self, seconds: float, deadline: float | None) -> str:
        """What was waited for in vain."""
        now = self._loop.time()
        if now >= self._ends:
            return (
                "no whole answer before the deadline"
                if self._ends == deadline
                else f"no whole answer within {seconds:g} s"
            )
        if self._silent:
            return f"not a piece of an answer within {self._first:g} s"
        return f"the answer stopped for {self._between:g} s"
