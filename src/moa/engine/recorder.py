"""Stamps each fact of a run and hands it to every sink. The only place that reads wall-clock time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from moa.core.events import TERMINAL, Event, Fact, Noted
from moa.core.ports import Sink
from moa.engine.chance import token


class Recorder:
    """One run's events, in order.

    A sink that raises is dropped and counted in `dropped`; the run goes on. Nothing is recorded after the terminal event.
    """

    __slots__ = ("_clock", "_seq", "_sinks", "_spans", "dropped", "ended", "run")

    def __init__(self, sinks: Iterable[Sink], *, run: str = "", clock: Callable[[], float] = time.time) -> None:
        self.run = run or new_id(clock())
        self.dropped = 0
        self.ended = False
        self._sinks = list(sinks)
        self._clock = clock
        self._seq = 0
        self._spans = 0

    def open(self, fact: Fact, parent: int = 0) -> int:
        """Record the fact that opens a span, and return the span's number."""
        self._spans += 1
        self.emit(fact, self._spans, parent)
        return self._spans

    def emit(self, fact: Fact, span: int = 0, parent: int = 0) -> None:
        """Record a fact of a span."""
        if self.ended:
            return
        event = Event(fact, self.run, self._seq, self._clock(), span, parent)
        self._seq += 1
        self.ended = fact.__class__ in TERMINAL
        broken: tuple[tuple[Sink, str], ...] = ()
        for sink in self._sinks:
            try:
                sink(event)
            except Exception as error:  # noqa: BLE001 - a listener must not end a run
                broken += ((sink, repr(error)),)
        for sink, problem in broken:
            self._sinks.remove(sink)
            self.dropped += 1
            self.emit(Noted("sink dropped", f"{getattr(sink, '__qualname__', sink)}: {problem}"))


def new_id(now: float) -> str:
    """A run id: sorts by time, unique: 8 hex digits of seconds and 10 of chance."""
    return f"{int(now):08x}{token(5)}"
