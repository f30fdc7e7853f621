"""Every way a flow may choose is played, each choice with each of the ones before it."""

from __future__ import annotations

from moa.core.ways import MOST_WAYS, every_way, route, way


def test_every_way_is_played_where_choices_depend_on_choices() -> None:
    def play() -> tuple[int | None, ...]:
        first = way(2)
        return (first, way(3)) if first else (first,)

    assert {result for result, _ in every_way(play, routes=False)} == {(None,), (0,), (1, 0), (1, 1), (1, 2)}


def test_routes_are_chosen_and_named_only_where_they_are_wanted() -> None:
    def play() -> int | None:
        return route(["law", "code", ""])

    assert [result for result, _ in every_way(play, routes=False)] == [None]
    assert {result for result, _ in every_way(play, routes=True)} == {None, 0, 1, 2}
    assert all(met == ["law", "code"] for _, met in every_way(play, routes=True))


def test_of_too_many_ways_each_choice_is_still_played_once() -> None:
    def play() -> list[int | None]:
        return [way(10) for _ in range(5)]

    played = [result for result, _ in every_way(play, routes=False)]
    assert len(played) <= MOST_WAYS + 20
    assert all({result[place] for result in played} >= set(range(10)) for place in range(5))


def test_outside_a_plan_nothing_is_chosen() -> None:
    assert (way(2), route(["a", ""])) == (None, None)
