"""A value that is made quickly is the frozen dataclass it was, in all that one can see of it."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from moa.core.values import quickly_made


@quickly_made
@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 2
    tags: list[str] = field(default_factory=list, compare=False)
    total: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", self.x + self.y)


@pytest.mark.parametrize("made", [Point(1), Point(1, 2), Point(x=1, y=2), Point(1, tags=[])])
def test_it_takes_what_its_fields_say(made: Point) -> None:
    assert (made.x, made.y, made.tags, made.total) == (1, 2, [], 3)
    assert repr(made) == "Point(x=1, y=2, tags=[], total=3)"


def test_what_is_missing_or_too_much_is_an_error() -> None:
    with pytest.raises(TypeError, match="x"):
        Point()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="z"):
        Point(1, z=2)  # type: ignore[call-arg]


def test_it_is_frozen_equal_and_hashable() -> None:
    with pytest.raises(FrozenInstanceError):
        Point(1).x = 5  # type: ignore[misc]
    assert Point(1, 2) == Point(1)
    assert len({Point(1), Point(1), Point(2)}) == 2
    assert Point(1) != (1, 2)


def test_each_has_a_factorys_own_content() -> None:
    assert Point(1).tags is not Point(1).tags


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one)), replace])
def test_it_is_copied_whole(again: object) -> None:
    one = Point(1, 5, ["a"])
    two = again(one)  # type: ignore[operator]
    assert (two, two.tags, type(two)) == (one, ["a"], Point)


def test_patterns_match_it() -> None:
    match Point(3):
        case Point(x, y):
            assert (x, y) == (3, 2)
