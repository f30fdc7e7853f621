"""Timers that are nearly always taken back: the event loop has one of them armed, the rest wait in a heap of lists.

asyncio's own are objects that compare themselves in Python, and stay in its heap when they are cancelled. A mixture sets a dozen
and cancels them all: here setting one costs a list, and taking it back an assignment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from typing import Any, TypeAlias

Alarm: TypeAlias = list[Any]
"""When it rings (loop time), a number that no other has, and what it does; None where it was taken back."""

GRAIN = 1e-9
"""Seconds by which an event loop's timers may go off early (its clock's resolution); alarms do as they do."""

DEAD = 64
"""Alarms taken back that may stay in the heap, beside as many as are live."""


class Alarms:
    """The alarms of one event loop."""

    __slots__ = ("_armed", "_dead", "_handle", "_heap", "_live", "_loop", "_numbers")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._heap, self._numbers = loop, list[Alarm](), count()
        self._handle: asyncio.TimerHandle | None = None
        self._armed, self._live, self._dead = inf, 0, 0

    def at(self, when: float, act: Callable[[float], None]) -> Alarm:
        """Call `act` at that time of the loop, soon where it has passed; it is told the time, which is never before `when`."""
        alarm = [when, next(self._numbers), act]
        heappush(self._heap, alarm)
        self._live += 1
        if when < self._armed:
            self._arm(when)
        return alarm

    def cancel(self, alarm: Alarm) -> None:
        """Take one back; one that has rung stays rung."""
        if alarm[2] is None:
            return
        alarm[2] = None
        self._live -= 1
        self._dead += 1
        if self._dead > DEAD + self._live:
            self._heap = [one for one in self._heap if one[2] is not None]
            heapify(self._heap)
            self._dead = 0

    def _arm(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._armed, self._handle = when, self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        now, self._armed, self._handle = self._loop.time(), inf, None
        try:
            while self._heap and (self._heap[0][2] is None or self._heap[0][0] <= now + GRAIN):
                alarm = heappop(self._heap)
                act, alarm[2] = alarm[2], None
                if act is None:
                    self._dead -= 1
                else:
                    self._live -= 1
                    act(max(now, alarm[0]))
        finally:
            if self._heap and self._heap[0][0] < self._armed:
                self._arm(self._heap[0][0])


_OF: dict[asyncio.AbstractEventLoop, Alarms] = {}


def alarms_of(loop: asyncio.AbstractEventLoop) -> Alarms:
    """The alarms of an event loop, made at their first use."""
    found = _OF.get(loop)
    if found is None:
        for ended in [known for known in _OF if known.is_closed()]:
            del _OF[ended]
        found = _OF[loop] = Alarms(loop)
    return found
