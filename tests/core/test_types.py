"""Values: equal means same, and a call's key is over its content only."""

from __future__ import annotations

from dataclasses import fields, replace

from hypothesis import given
from hypothesis import strategies as st

from moa.core.agents import Agent
from moa.core.types import (
    Call,
    Conversation,
    Form,
    Image,
    Manner,
    Message,
    Reply,
    Sampling,
    Text,
    ToolCall,
    Usage,
    assistant,
    user,
)

QUESTION = (user("What is 2 + 2?"),)
CALL = Agent("x:a", temperature=0.5).call(QUESTION, (Reply("4", model="m"),), task="improve")


def test_equal_messages_are_equal() -> None:
    assert user("a", Image("https://x/y.png")) == Message("user", (Text("a"), Image("https://x/y.png")))
    assert user("a") != assistant("a")


def test_the_key_changes_with_every_field_that_is_content() -> None:
    other = [
        replace(CALL, model="x:b"),
        replace(CALL, conversation=(user("What is 2 + 3?"),)),
        replace(CALL, references=(Reply("5"),)),
        replace(CALL, task="judge"),
        replace(CALL, manner=Manner("be brief")),
        replace(CALL, manner=Manner(framing="quoted")),
        replace(CALL, sampling=Sampling(temperature=0.6)),
        replace(CALL, sample=1),
    ]
    assert len({call.key for call in (CALL, *other)}) == len(other) + 1


def test_the_key_does_not_change_with_names_or_with_what_a_reference_cost() -> None:
    renamed = replace(
        CALL, agent="other", role="judge", references=(Reply("4", model="elsewhere", usage=Usage(5, 6), cost=1.0),)
    )
    assert renamed.key == CALL.key


def test_samples_of_a_seeded_agent_draw_with_different_seeds() -> None:
    agent = Agent("x:a", seed=7)
    assert [agent.call(QUESTION, sample=n).sampling.seed for n in range(3)] == [7, 8, 9]
    assert Agent("x:a").call(QUESTION, sample=2).sampling.seed is None


@given(st.text(), st.text())
def test_field_boundaries_cannot_be_confused(one: str, two: str) -> None:
    first = Agent("x:a").call((user(one),), task=two)
    second = Agent("x:a").call((user(one + two),), task="")
    assert (first.key == second.key) == (two == "")


def test_equal_calls_have_equal_keys_however_their_numbers_are_written() -> None:
    calls = [Agent("x:a", temperature=temperature).call(QUESTION) for temperature in (0, 0.0, 1, 1.0)]
    assert calls[0] == calls[1]
    assert [call.key for call in calls] == [calls[0].key] * 2 + [calls[2].key] * 2


def test_blank_replies_are_recognised() -> None:
    assert Reply("").blank
    assert Reply(" \n\t").blank
    assert Reply(" \u200b\u2060\n\ufeff").blank  # which nobody sees
    assert not Reply("4").blank
    assert not Reply("\u200b…").blank
    assert not Reply("", tool_calls=(ToolCall("1", "f", "{}"),)).blank


def test_usage_adds_up() -> None:
    assert Usage(1, 2, 3, 4) + Usage(10, 20, 30, 40) == Usage(11, 22, 33, 44)


async def function_of_no_use(conversation: Conversation) -> None: ...


def test_a_call_drawn_otherwise_is_the_same_but_for_that() -> None:
    call = Call(
        "h:m", (user("hi"),), (Reply("a"),), "task", Manner("prompt", "quoted"), Sampling(temperature=0.5), 3, "agent", "judge",
        Form(schema="{}"), ("h:n",), function_of_no_use,
    )  # fmt: skip
    assert all(getattr(call, field.name) != field.default for field in fields(call) if field.init), (
        "a field is not set here"
    )
    assert call.drawn(Sampling(max_tokens=7)) == replace(call, sampling=Sampling(max_tokens=7))
