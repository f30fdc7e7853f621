"""How fast each model answers, learnt from its calls: what hedging, learnt grace and quick hang-ups go by."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass, field

LEAST = 20
"""Calls before anything is said about a model."""


@dataclass(eq=False)
class Pace:
    """The seconds that the last `most` calls of one model took, from leaving the limiter to the whole answer."""

    most: int = 1000
    _last: deque[float] = field(default_factory=deque, init=False, repr=False)
    _sorted: list[float] = field(default_factory=list, init=False, repr=False)

    def add(self, seconds: float) -> None:
        """One more call."""
        self._last.append(seconds)
        insort(self._sorted, seconds)
        if len(self._last) > self.most:
            del self._sorted[bisect_left(self._sorted, self._last.popleft())]

    def missed(self, seconds: float, chance: float) -> None:
        """One more call, which was stopped after so many seconds: it would have taken longer, as long as one of those that did.

        Without these, models would seem quicker the oftener their slow calls are stopped. (Efron's redistribution to the right,
        which makes Kaplan and Meier's estimate; `chance` from 0 to 1 chooses which.)
        """
        at = bisect_left(self._sorted, seconds)
        longer = len(self._sorted) - at
        self.add(self._sorted[at + min(int(chance * longer), longer - 1)] if longer else seconds)

    @property
    def least(self) -> float:
        """The seconds the quickest call took; 0 before there are LEAST of them."""
        return self._sorted[0] if len(self._sorted) >= LEAST else 0.0

    def percentile(self, share: float) -> float | None:
        """The seconds within which that share of the calls ended; None before there are LEAST of them."""
        count = len(self._sorted)
        return None if count < LEAST else self._sorted[min(int(share * count), count - 1)]


class Paces(dict[str, Pace]):
    """The Pace of each model ("host:model"), made when it is first asked for."""

    def __missing__(self, model: str) -> Pace:
        pace = self[model] = Pace()
        return pace


@dataclass(eq=False)
class Allowance:
    """Extra calls, as a share of all: each call earns `share` of one, at most `most` are saved up, and one is spent at a time.

    So extras stop when everything is slow or failing. What is there at the start is lent: the first calls pay it back before any
    is earned, so that there are never more extras than their share of all calls so far, or than what was lent.
    (A retry token bucket, as AWS's and Google's SRE books advise.)
    """

    share: float
    most: float = 10.0
    saved: float = 10.0
    _owed: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._owed = self.saved

    def earn(self) -> None:
        """One more call went out."""
        if self._owed > 0:
            self._owed -= self.share
        elif self.saved < self.most:
            self.saved += self.share

    def spend(self) -> bool:
        """Take one extra; False where there is none to take."""
        if self.saved < 1.0:
            return False
        self.saved -= 1.0
        return True
