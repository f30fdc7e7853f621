"""The ways a flow may take by what it finds out: a plan plays each of them, though its placeholders say nothing of a question."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

MOST_CHOICES = 32
"""Among how many ways a classifier or a learnt router may choose."""
MOST_WAYS = 128
"""So many ways are played, each choice with each of the ones before it; and besides, the n-th of every choice."""


@dataclass(slots=True)
class _Way:
    """One way: the `number`-th of all, of which each choice takes its digit (where `same`: the whole of it); None: nothing chosen.
    `product` is of how many ways it is one, as far as it was played, `widest` the most a choice had, `met` the routes there."""

    number: int | None
    routes: bool
    same: bool = False
    product: int = 1
    widest: int = 1
    met: list[str] = field(default_factory=list)

    def choose(self, ways: int) -> int | None:
        """The next choice, of so many."""
        passed, self.product, self.widest = self.product, self.product * ways, max(self.widest, ways)
        if self.number is None:
            return None
        return (self.number if self.same else self.number // passed) % ways


_taken: ContextVar[_Way | None] = ContextVar("_taken", default=None)


def every_way(play: Callable[[], T], *, routes: bool) -> Iterator[tuple[T, Sequence[str]]]:
    """What `play` comes to on each way, first on the one where nothing is chosen, and the routes met there. With `routes` those are
    chosen among, too."""
    first = _Way(None, routes)
    yield _on(play, first), first.met
    number, ways, widest = 0, first.product, first.widest
    while ways > 1 and number < min(ways, MOST_WAYS):
        one = _Way(number, routes)
        yield _on(play, one), one.met
        number, ways, widest = number + 1, max(ways, one.product), max(widest, one.widest)
    for number in range(widest if ways > MOST_WAYS else 0):
        one = _Way(number, routes, same=True)
        yield _on(play, one), one.met


def _on(play: Callable[[], T], one: _Way) -> T:
    token = _taken.set(one)
    try:
        return play()
    finally:
        _taken.reset(token)


def way(ways: int) -> int | None:
    """Which of so many ways is played; None where nothing is, or nothing is chosen."""
    one = _taken.get()
    return None if one is None else one.choose(ways)


def route(names: Sequence[str]) -> int | None:
    """The same for routes of these names, the last for where none holds; None where a plan wants only those that hold."""
    one = _taken.get()
    if one is None or not one.routes:
        return None
    one.met += names[:-1]
    return one.choose(len(names))
