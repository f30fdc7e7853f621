"""Which tools a client lets the model call, in each protocol, and what it sends back of an answer that was a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from moa.core.types import Form
from moa.server.chat import Chat
from moa.server.messages import Messages
from moa.server.refusals import Rejection
from moa.server.responses import Responses

NAMES = ("see", "hear", "none")


def chat(choice: Any) -> Form:
    tools = [{"type": "function", "function": {"name": name}} for name in NAMES]
    return Chat().read({"model": "m", "messages": HI, "tools": tools, "tool_choice": choice}).form


def responses(choice: Any) -> Form:
    tools = [{"type": "function", "name": name} for name in NAMES]
    return Responses().read({"model": "m", "input": "hi", "tools": tools, "tool_choice": choice}).form


def messages(choice: Any) -> Form:
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in NAMES]
    return Messages().read({"model": "m", "max_tokens": 9, "messages": HI, "tools": tools, "tool_choice": choice}).form


HI = [{"role": "user", "content": "hi"}]
SEE = {"type": "function", "function": {"name": "see"}}


def left(form: Form) -> tuple[str, list[str]]:
    return form.tool_choice, [tool.name for tool in form.tools]


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_chat_lets_a_client_allow_some_of_its_tools(mode: str) -> None:
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [SEE]}}
    assert left(chat(allowed)) == (mode, ["see"])


@pytest.mark.parametrize(
    "allowed",
    [
        {"mode": "auto", "tools": []},
        {"mode": "auto", "tools": [{"type": "function", "function": {"name": "smell"}}]},
        {"mode": "auto", "tools": [SEE, {"type": "web_search"}]},
        {"mode": "often", "tools": [SEE]},
        {"tools": [SEE]},
        None,
    ],
)
def test_tools_that_are_not_there_are_not_allowed(allowed: Any) -> None:
    with pytest.raises(Rejection) as refused:
        chat({"type": "allowed_tools", "allowed_tools": allowed})
    assert refused.value.param == "tool_choice"


def test_a_tool_that_is_called_as_a_choice_is_can_be_chosen() -> None:
    assert left(chat({"type": "function", "function": {"name": "none"}})) == ("required", ["none"])
    assert left(responses({"type": "function", "name": "none"})) == ("required", ["none"])
    assert left(messages({"type": "tool", "name": "none"})) == ("required", ["none"])


def test_any_other_tool_is_chosen_by_its_name_among_all() -> None:
    assert left(chat(SEE)) == left(responses({"type": "function", "name": "see"})) == ("see", [*NAMES])
    assert left(messages({"type": "tool", "name": "see"})) == ("see", [*NAMES])
    assert left(chat("none")) == left(messages({"type": "none"})) == ("none", [*NAMES])


@pytest.mark.parametrize(
    "said",
    [
        {"role": "assistant", "content": None, "refusal": "I cannot."},
        {"role": "assistant", "refusal": "I cannot."},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "I cannot."}]},
    ],
)
def test_a_refusal_that_is_sent_back_is_what_the_assistant_said(said: dict[str, Any]) -> None:
    asked = Chat().read({"model": "m", "messages": [*HI, said, {"role": "user", "content": "Why?"}]})
    assert asked.conversation[1].text == "I cannot."


def test_an_assistant_that_said_nothing_is_still_refused() -> None:
    with pytest.raises(Rejection) as refused:
        Chat().read({"model": "m", "messages": [*HI, {"role": "assistant", "content": None}]})
    assert refused.value.param == "messages[1].content"


@pytest.mark.parametrize("choice", ["required", SEE])
def test_a_demand_for_a_call_of_no_tool_is_refused(choice: Any) -> None:
    named = {"type": "function", "name": "see"}
    bodies: list[tuple[Any, dict[str, Any]]] = [
        (Chat(), {"model": "m", "messages": HI, "tool_choice": choice}),
        (Responses(), {"model": "m", "input": "hi", "tool_choice": "required" if choice == "required" else named}),
        (
            Messages(),
            {
                "model": "m",
                "max_tokens": 9,
                "messages": HI,
                "tool_choice": {"type": "any"} if choice == "required" else {"type": "tool", "name": "see"},
            },
        ),
    ]
    for dialect, body in bodies:
        with pytest.raises(Rejection) as refused:
            dialect.read(body)
        assert str(refused.value.param).startswith("tool_choice")
