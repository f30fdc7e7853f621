"""Named parts: who sees which, how a model is shown them, and that nothing is lost or renamed on the way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa.core.agents import Agent
from moa.core.conversation import conversation_of
from moa.core.errors import ConfigError
from moa.core.named import headed, joined, seen_by, text_of
from moa.core.plain import plain, restored
from moa.core.prompts import frame_fenced, frame_quoted, render, unframe_fenced, unframe_quoted
from moa.core.types import Form, Image, Message, Reply, Text, assistant, names_of, system, user

SCAN = Image("https://x/y.png")
ASKED = (system("Be kind."), user("Is it urgent?", labs="K 6.8", history="Tired.", scan=SCAN))
NAMES = st.sampled_from(["labs", "history", "scan"])


def shown(message: Message) -> str:
    return message.text


def test_keys_of_what_has_no_named_parts_are_as_they_always_were() -> None:
    conversation = (user("Which?", SCAN), assistant("a"))
    call = Agent("x:a", prompt="Be brief.", temperature=0.5).call(conversation, (Reply("4", agent="b"),), task="t")
    assert call.key == "7d23a61164201d4f6d1f6f14da5903cc6e4875aea03157856ecfe62f486d2eae"
    formed = replace(call, form=Form(schema="{}"))
    assert formed.key == "fba68f0c7bec92597fb6211514624df67b53ea0794cbb4203c7954beafa3fa73"


def test_a_name_is_part_of_the_key_and_of_what_is_stored() -> None:
    one, other, none = (user(Text("K 6.8", name)) for name in ("labs", "blood", ""))
    assert len({Agent("x:a").call((message,)).key for message in (one, other, none)}) == 3
    assert restored(Message, plain(ASKED[1])) == ASKED[1]
    assert plain(user("hi")) == {"role": "user", "parts": [{"kind": "text", "text": "hi"}]}


def test_a_view_leaves_what_has_no_name_and_what_it_names() -> None:
    assert seen_by((), ASKED) == ASKED
    assert seen_by(("labs",), ASKED) == (ASKED[0], user("Is it urgent?", labs="K 6.8"))
    assert seen_by(("scan", "labs"), ASKED)[1] == user("Is it urgent?", labs="K 6.8", scan=SCAN)
    assert seen_by(("other",), ASKED) == (ASKED[0], user("Is it urgent?"))


def test_a_turn_of_which_nothing_is_left_is_gone_and_the_others_stay_in_order() -> None:
    talk = (user(labs="K 6.8"), assistant("Noted."), user("And now?", history="Tired."))
    assert seen_by(("history",), talk) == talk[1:]
    assert names_of(talk) == ("labs", "history")


def test_a_part_is_shown_under_its_name_apart_from_what_stands_beside_it() -> None:
    (_, turn) = headed(ASKED)
    assert turn.parts == (
        Text("Is it urgent?"),
        Text("\n\nlabs:\nK 6.8"),
        Text("\n\nhistory:\nTired."),
        Text("\n\nscan:\n"),
        SCAN,
    )
    assert headed((user(Text("K", "labs"), "And?"),)) == (user("labs:\nK", "\n\nAnd?"),)
    plain_ones = (user("a", SCAN),)
    assert headed(plain_ones) is plain_ones


@given(st.lists(st.tuples(st.text(min_size=1), NAMES | st.just("")), min_size=1))
def test_no_byte_of_a_part_is_lost_where_it_is_shown(parts: list[tuple[str, str]]) -> None:
    (turn,) = headed((user(*(Text(text, name) for text, name in parts)),))
    assert len(turn.parts) == len(parts)
    for part, (text, name) in zip(turn.parts, parts, strict=True):
        assert isinstance(part, Text)
        assert part.text.endswith(text)
        assert part.text.removesuffix(text) in (f"\n\n{name}:\n", f"{name}:\n") if name else ("", "\n\n")
        assert part.name == ""


def test_a_model_is_sent_only_what_its_agent_sees_with_the_headings() -> None:
    call = Agent("x:a", view=["labs"], framing="quoted").call(ASKED)
    assert [shown(message) for message in render(call, "")] == ["Be kind.", "Is it urgent?\n\nlabs:\nK 6.8"]
    assert "Tired" not in repr(call)


def test_an_aggregator_reads_beside_each_reference_what_other_parts_its_author_saw() -> None:
    references = (Reply("high", agent="secret", saw=("labs",)), Reply("all", saw=("labs", "history", "scan")))
    text = render(Agent("x:agg").call(ASKED, references), "N0")[-1].text
    assert "N0; its author saw: labs]\nhigh\n" in text
    assert "N0]\nall\n" in text
    assert "secret" not in text
    quoted = render(Agent("x:agg", framing="quoted").call(ASKED, references), "")[-1].text
    assert " (saw labs):\n> high" in quoted
    assert ":\n> all" in quoted
    same = render(Agent("x:agg", view=["labs"]).call(ASKED, references[:1]), "N0")[-1].text
    assert "its author saw" not in same


def test_what_is_told_of_an_author_is_part_of_the_key() -> None:
    calls = [Agent("x:agg").call(ASKED, (Reply("high", saw=saw),)) for saw in ((), ("labs",), ("history",))]
    assert len({call.key for call in calls}) == 3


@given(st.lists(st.tuples(st.text(), NAMES | st.just("")), min_size=1, max_size=4))
def test_frames_that_tell_what_authors_saw_are_reversible(said: list[tuple[str, str]]) -> None:
    texts, saw = tuple(text for text, _ in said), tuple(name for _, name in said)
    nonce = "5f0c" * 8
    assert unframe_fenced(frame_fenced(texts, "task", nonce, saw), nonce) == texts
    assert unframe_quoted(frame_quoted(texts, saw)) == texts


def test_a_question_may_be_handed_in_as_its_parts() -> None:
    asked = conversation_of({"question": "Is it urgent?", "labs": "K 6.8", "scan": SCAN, "history": None})
    assert asked == (user("Is it urgent?", labs="K 6.8", scan=SCAN),)
    assert names_of(asked) == ("labs", "scan")
    assert text_of(asked, "labs") == "K 6.8"
    assert text_of(asked, "history") == ""
    assert conversation_of({"labs": "K 6.8"}) == (user(labs="K 6.8"),)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"labs": "  "}, "empty"),
        ({"labs": "K 6.8", "history": ""}, "part 'history' is empty; leave it out"),
        ({"a\nb": "x"}, "names no part"),
        ({"": "x"}, "'' names no part"),
        ({"labs]": "x"}, "names no part"),
        ({"labs": 5}, "part 'labs': text or an Image is needed, not int"),
        ({"role": "user", "content": "hi"}, "put this message into a list"),
        ([user("hi"), Message("assistant", (Text("x", "labs"),))], r"messages\[1\].*only a user's turn"),
        (user("hi", Text("x", "question")), "is what all agents see"),
    ],
)
def test_what_cannot_be_a_part_is_told(question: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        conversation_of(question)  # type: ignore[arg-type]


def test_parts_can_join_the_last_turn_of_the_user() -> None:
    talk = (user("one"), assistant("two"), user("three"), assistant("four"))
    assert joined(talk, (Text("K", "labs"),))[2] == user("three", labs="K")
    assert joined(talk[1:2], (Text("K", "labs"),)) == (assistant("two"), user(labs="K"))
