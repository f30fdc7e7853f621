"""Every way a flow may choose is played, each choice with each of the ones before it."""

from __future__ import annotations

from moa.core.flow import Choose
from moa.core.ways import MOST_WAYS, Chooser, every_way

TWO, THREE = Choose(0, ("a", "b")), Choose(0, ("a", "b", "c"))
ROUTES = Choose(2, ("law", "code", ""), told=True)


def test_every_way_is_played_where_choices_depend_on_choices() -> None:
    def play(choose: Chooser) -> tuple[int, ...]:
        first = choose(TWO)
        return (first, choose(THREE)) if first else (first,)

    assert {result for result, _ in every_way(play, routes=False)} == {(0,), (1, 0), (1, 1), (1, 2)}


def test_routes_are_chosen_and_named_only_where_they_are_wanted() -> None:
    def play(choose: Chooser) -> int:
        return choose(ROUTES)

    assert list(every_way(play, routes=False)) == [(2, [])]
    assert [result for result, _ in every_way(play, routes=True)] == [2, 0, 1, 2]
    assert all(met == ["law", "code"] for _, met in every_way(play, routes=True))


def test_of_too_many_ways_each_choice_is_still_played_once() -> None:
    ten = Choose(0, tuple("abcdefghij"))

    def play(choose: Chooser) -> list[int]:
        return [choose(ten) for _ in range(5)]

    played = [result for result, _ in every_way(play, routes=False)]
    assert len(played) <= MOST_WAYS + 20
    assert all({result[place] for result in played} >= set(range(10)) for place in range(5))


def test_of_rising_ways_all_are_played_on_the_first_and_all_on_the_last() -> None:
    rising = Choose(0, ("", "more"), rising=True)

    def play(choose: Chooser) -> tuple[int, ...]:
        return (choose(rising), choose(TWO), choose(rising))

    played = [result for result, _ in every_way(play, routes=False)]
    assert set(played) == {(0, 0, 0), (0, 1, 0), (1, 0, 1), (1, 1, 1)}
