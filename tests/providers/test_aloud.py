"""Models that think aloud, in tags that no parser of their host has parted from the answer."""

from __future__ import annotations

from typing import Any

import pytest

from moa.core.errors import Cut
from moa.core.ports import Scope
from moa.core.types import Reply
from moa.providers._aloud import Aloud
from moa.providers._completion import Answer
from moa.providers._sse import ServerEvent
from providers.upstream import events, piece

SAID = [
    ("<think>\n2 and 2 make </thin 4\n</think>\n\nFour.", "\n2 and 2 make </thin 4\n", "Four."),
    ("  <think></think>Four.", "", "Four."),
    ("<think>It may be four", "It may be four", ""),
    ("<think>It may be four</thi", "It may be four</thi", ""),
    ("Write <think> first.</think>", "", "Write <think> first.</think>"),
    ("<thinking>aloud</thinking>", "", "<thinking>aloud</thinking>"),
    ("<thi", "", "<thi"),
    (" \n", "", " \n"),
    ("4 < 5", "", "4 < 5"),
]


def read(pieces: list[str], finish: str | None = "stop") -> tuple[Reply, list[Any]]:
    facts: list[Any] = []
    answer = Answer(Scope(facts.append, want_deltas=True), "m")
    for part in (*(piece(content=text) for text in pieces), piece(finish)):
        facts += answer.event(ServerEvent("", events(part).removeprefix(b"data: ").strip()))
    return answer.reply(ended=True), facts


@pytest.mark.parametrize(("text", "thought", "answer"), SAID)
def test_a_text_is_parted_alike_however_it_is_cut(text: str, thought: str, answer: str) -> None:
    for size in range(1, len(text) + 1):
        reply, facts = read([text[at : at + size] for at in range(0, len(text), size)])
        assert (reply.reasoning, reply.text) == (thought, answer)
        told = {what: "".join(fact.text for fact in facts if fact.what == what) for what in ("reasoning", "text")}
        assert told == {"reasoning": thought, "text": answer}


def test_who_only_thinks_has_not_answered() -> None:
    reply, _ = read(["<think>\nWhat is asked?\n</think>\n\n"])
    assert (reply.blank, bool(reply.reasoning)) == (True, True)


def test_a_piece_costs_nothing_once_the_answer_has_begun() -> None:
    parts = Aloud()
    assert (parts.feed("Fo"), parts.over) == ([(False, "Fo")], True)


def test_what_was_thought_before_a_break_is_no_part_of_the_text() -> None:
    facts: list[Any] = []
    answer = Answer(Scope(facts.append), "m")
    answer.event(ServerEvent("", events(piece(content="<think>hm")).removeprefix(b"data: ").strip()))
    with pytest.raises(Cut) as caught:
        answer.reply(ended=False)
    assert caught.value.partial == ""
