"""What a user hands in becomes a conversation, or an error that names the place."""

from __future__ import annotations

from typing import Any

import pytest

from moa.core.conversation import conversation_of
from moa.core.errors import ConfigError
from moa.core.types import Image, Message, Text, ToolCall, ToolResult, assistant, system, user


def test_a_question_a_message_and_messages_are_understood() -> None:
    assert conversation_of("Hi") == (user("Hi"),)
    assert conversation_of(user("Hi")) == (user("Hi"),)
    assert conversation_of([system("Be brief."), user("Hi")]) == (system("Be brief."), user("Hi"))


def test_openai_shaped_messages_are_understood() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": "data:x"}}],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "42"},
    ]
    assert conversation_of(messages) == (
        system("Be brief."),
        user("See", Image("data:x")),
        assistant(ToolCall("1", "f", "{}")),
        Message("tool", (ToolResult("1", "42"),)),
    )


@pytest.mark.parametrize(
    "question", ["", "  \n", [], [system("Be brief.")], [{"role": "user", "content": ""}], Message("user", ())]
)
def test_an_empty_question_is_an_error(question: Any) -> None:
    with pytest.raises(ConfigError, match="question is empty"):
        conversation_of(question)


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ({"role": "users", "content": "Hi"}, r"messages\[0\]\.role: 'users'"),
        ({"role": "user", "content": 5}, r"messages\[0\]\.content"),
        ({"role": "user", "content": [{"type": "video"}]}, r"messages\[0\]\.content\[0\]"),
        ("Hi", r"messages\[0\]"),
        ({"role": "assistant", "content": None, "tool_calls": [{}]}, r"messages\[0\]\.tool_calls\[0\]"),
    ],
)
def test_a_wrong_message_is_named(entry: Any, place: str) -> None:
    with pytest.raises(ConfigError, match=place):
        conversation_of([entry])


def test_an_image_alone_is_a_question() -> None:
    assert conversation_of(user(Image("data:x")))[0].parts == (Image("data:x"),)
    assert conversation_of([user(Text(""), Image("data:x"))])
