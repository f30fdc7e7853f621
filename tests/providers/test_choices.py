"""Several answers of one call: none is merged, dropped or empty in silence, and one that is withheld costs the others nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moa.core.errors import Cut, Refused
from moa.core.events import Delta
from moa.core.ports import Scope
from moa.core.types import Choice, Reply, ToolCall, Usage
from moa.providers._sse import EventStream
from moa.providers.remote import WIRES

GOOD, BLANK, NULL = {"content": "good"}, {"content": " "}, {"content": None}
REFUSED = {"content": None, "refusal": "no"}
COUNTS = {"prompt_tokens": 7, "completion_tokens": 9, "cost": 0.5}


def choice(index: int | None, message: dict[str, Any], finish: str = "stop", kind: str = "message") -> dict[str, Any]:
    return {"finish_reason": finish, kind: message} | ({} if index is None else {"index": index})


def whole(*choices: dict[str, Any], wire: str = "chat", want_deltas: bool = False) -> tuple[Reply, list[Any]]:
    """The reply to an answer with these choices, and what was emitted for it in the end."""
    facts: list[Any] = []
    reading = WIRES[wire].reading(Scope(facts.append, want_deltas=want_deltas, final=True), "m")
    name = {"chat": "choices", "gemini": "candidates"}[wire]
    list(reading.whole(json.dumps({name: choices, "usage": COUNTS, "model": "m-1"}).encode()))
    return reading.reply(ended=True), facts


def streamed(*chunks: list[dict[str, Any]], end: bool = True) -> tuple[Reply, list[str]]:
    """The reply to a stream of chunks with these choices, and the pieces of it."""
    facts: list[Any] = []
    reading = WIRES["chat"].reading(Scope(facts.append, want_deltas=True, final=True), "m")
    lines = b"".join(b"data: %s\n\n" % json.dumps({"choices": chunk}).encode() for chunk in chunks)
    for event in EventStream().feed(lines):
        facts += reading.event(event)
    return reading.reply(ended=end), [fact.text for fact in facts if isinstance(fact, Delta)]


@pytest.mark.parametrize("indices", [(None, None, None), (0, 0, 0), (0, 1, 2), (None, 1, 2)])
def test_choices_are_told_apart_by_their_number_or_their_place(indices: tuple[int | None, ...]) -> None:
    given = [choice(index, {"content": text}) for index, text in zip(indices, "abc", strict=True)]
    reply, _ = whole(*given)
    assert (reply.text, [other.text for other in reply.others], reply.notes) == ("a", ["b", "c"], ())


def test_a_first_choice_that_has_no_number_is_the_first_wherever_it_stands() -> None:
    reply, _ = whole(choice(1, {"content": "b"}), choice(None, {"content": "a"}))
    assert (reply.text, reply.others) == ("a", (Choice("b"),))


def test_gemini_s_candidates_without_a_number_are_told_apart_by_their_place() -> None:
    given = [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"} for text in "ab"]
    reply, _ = whole(*given, wire="gemini")
    assert (reply.text, reply.others) == ("a", (Choice("b"),))


def test_choices_without_a_number_in_a_chunk_are_told_apart_and_pieces_of_one_are_not() -> None:
    a, b = (choice(None, {"content": text}, kind="delta") for text in "ab")
    reply, _ = streamed([a, b], [a, b])
    assert (reply.text, reply.others) == ("aa", (Choice("bb"),))
    reply, _ = streamed([choice(0, {"content": text}, kind="delta") for text in "ab"])
    assert (reply.text, reply.others) == ("ab", ())


def test_a_further_choice_that_was_withheld_stays_one_and_is_noted() -> None:
    reply, _ = whole(choice(0, GOOD), choice(1, REFUSED), choice(2, {"content": "half"}, "content_filter"))
    assert (reply.text, reply.others) == ("good", (Choice("", "content_filter"), Choice("half", "content_filter")))
    assert reply.notes == ("choice 2 of 3 was withheld: the model declined: no",)


@pytest.mark.parametrize(
    ("message", "finish", "note"),
    [(NULL, "stop", "is empty, and is left out"), (BLANK, "stop", "is empty, and is left out"),
     (GOOD, "error", "broke off with an error, and is left out")],
)  # fmt: skip
def test_a_further_choice_that_is_no_answer_is_left_out_and_noted(message: Any, finish: str, note: str) -> None:
    reply, _ = whole(choice(0, GOOD), choice(1, message, finish), choice(2, {"content": "too"}))
    assert (reply.text, reply.others, reply.notes) == ("good", (Choice("too"),), (f"choice 2 of 3 {note}",))


@pytest.mark.parametrize(
    ("message", "finish", "others"),
    [(REFUSED, "stop", (Choice("", "content_filter"),)), (NULL, "content_filter", (Choice("", "content_filter"),)),
     ({"content": "half"}, "content_filter", (Choice("half", "content_filter"),)), (NULL, "stop", ()), (GOOD, "error", ())],
)  # fmt: skip
def test_where_the_first_choice_is_no_answer_the_first_good_one_stands_in_its_place(
    message: Any, finish: str, others: tuple[Choice, ...]
) -> None:
    reply, facts = whole(choice(0, message, finish), choice(1, {"content": "fine"}, "length"), choice(2, GOOD))
    assert (reply.text, reply.finish, reply.others) == ("fine", "length", (*others, Choice("good")))
    assert (reply.usage, reply.cost, reply.model, facts) == (Usage(7, 9), 0.5, "m-1", [])


def test_an_answer_that_stands_in_the_place_of_the_first_is_streamed_too() -> None:
    call = {"id": "c", "index": 0, "function": {"name": "f", "arguments": "{}"}}
    last = choice(1, {"content": "good", "tool_calls": [call]}, kind="delta")
    reply, said = streamed([choice(0, {"refusal": "no"}, kind="delta")], [last])
    assert (reply.text, reply.tool_calls) == ("good", (ToolCall("c", "f", "{}"),))
    assert said == ["good", "{}"]


def test_what_was_streamed_of_the_first_choice_stays_the_answer() -> None:
    reply, said = streamed([choice(0, {"content": "ha"}, "content_filter", "delta"), choice(1, GOOD, kind="delta")])
    assert (reply.text, reply.finish, reply.others, said) == ("ha", "content_filter", (Choice("good"),), ["ha"])


def test_where_no_choice_is_an_answer_the_first_one_says_why() -> None:
    with pytest.raises(Refused, match="no") as caught:
        whole(choice(0, REFUSED), choice(1, NULL))
    assert caught.value.usage == Usage(7, 9)
    reply, _ = whole(choice(0, NULL), choice(1, REFUSED))
    assert reply.blank


def test_a_stream_of_several_choices_that_breaks_off_is_cut() -> None:
    with pytest.raises(Cut):
        streamed([choice(0, {"content": "ha"}, "", "delta"), choice(1, GOOD, kind="delta")], end=False)
