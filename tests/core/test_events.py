"""Pieces of an answer that come right behind one another, as one."""

from __future__ import annotations

import pytest

from moa.core.events import Delta, joined


def test_pieces_of_one_thing_become_one_and_those_of_another_stay_apart_and_in_order() -> None:
    spoken = [Delta("hm", "reasoning"), Delta("Pa"), Delta("r"), Delta("is"), Delta("so", "reasoning")]
    assert joined(spoken) == [Delta("hm", "reasoning"), Delta("Paris"), Delta("so", "reasoning")]
    assert joined([]) == []


@pytest.mark.parametrize(
    "pieces",
    [
        [Delta("a", attempt=1), Delta("b", attempt=2)],
        [Delta("a", final=False), Delta("b", final=True)],
        [Delta("{", "tool", index=0), Delta("{", "tool", index=1)],
        [Delta("{}", "tool", index=0, id="x", name="one"), Delta("{}", "tool", index=0, id="y", name="two")],
    ],
)
def test_what_is_not_of_one_thing_is_never_one(pieces: list[Delta]) -> None:
    assert joined(pieces) == pieces


def test_a_tool_call_keeps_its_id_and_name() -> None:
    begun, more = Delta('{"a":', "tool", index=2, id="x", name="one"), Delta(" 1}", "tool", index=2)
    assert joined([begun, more]) == [Delta('{"a": 1}', "tool", index=2, id="x", name="one")]
