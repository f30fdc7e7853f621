"""The ways a flow may take by what it finds out: a plan plays each of them, though its placeholders say nothing of a question."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from moa.core.flow import Choose

T = TypeVar("T")
Chooser: TypeAlias = Callable[[Choose], int]

MOST_CHOICES = 32
"""Among how many ways a classifier or a learnt router may choose."""
MOST_WAYS = 128
"""So many ways are played, each choice with each of the ones before it; and besides, the n-th of every choice."""


@dataclass(slots=True)
class _Way:
    """One way: the `number`-th of all, of which each choice takes its digit (where `same`: the whole of it); None: those taken.
    `product` is of how many ways it is one, as far as it was played, `widest` the most a choice had, `met` the routes there. Of
    ways that are `rising` it takes the first, or the `last`, and has then `risen`."""

    number: int | None
    routes: bool
    last: bool = False
    same: bool = False
    product: int = 1
    widest: int = 1
    met: list[str] = field(default_factory=list)
    risen: bool = False

    def __call__(self, choice: Choose) -> int:
        """Which of the ways is taken."""
        if choice.rising:
            self.risen = True
            return len(choice.names) - 1 if self.last else 0
        if choice.told and not self.routes:
            return choice.taken
        self.met += filter(None, choice.names if choice.told else ())
        ways, passed = len(choice.names), self.product
        self.product, self.widest = passed * ways, max(self.widest, ways)
        if self.number is None:
            return choice.taken
        return (self.number if self.same else self.number // passed) % ways


def every_way(play: Callable[[Chooser], T], *, routes: bool) -> Iterator[tuple[T, Sequence[str]]]:
    """What `play` comes to on each way, first on the one that is taken, and the routes met there. With `routes` those are chosen
    among, too, where the question tells which is taken. Those that are `rising` are all played on the first of them, and all on the
    last."""
    risen = False
    for result, way in _every(play, routes, last=False):
        risen = risen or way.risen
        yield result, way.met
    if risen:
        yield from ((result, way.met) for result, way in _every(play, routes, last=True))


def _every(play: Callable[[Chooser], T], routes: bool, *, last: bool) -> Iterator[tuple[T, _Way]]:
    first = _Way(None, routes, last)
    yield play(first), first
    number, ways, widest = 0, first.product, first.widest
    while ways > 1 and number < min(ways, MOST_WAYS):
        one = _Way(number, routes, last)
        yield play(one), one
        number, ways, widest = number + 1, max(ways, one.product), max(widest, one.widest)
    for number in range(widest if ways > MOST_WAYS else 0):
        one = _Way(number, routes, last, same=True)
        yield play(one), one
