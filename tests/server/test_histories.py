"""A conversation in which tool calls and their results do not belong together is refused, as both vendors do."""

from __future__ import annotations

from typing import Any

import pytest

from moa.server.chat import Chat
from moa.server.messages import Messages, counted
from moa.server.refusals import Rejection
from moa.server.responses import Responses

HI = {"role": "user", "content": "hi"}


def chat_call(*ids: str) -> dict[str, Any]:
    calls = [{"id": one, "type": "function", "function": {"name": "f", "arguments": "{}"}} for one in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def chat_result(one: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": one, "content": "4"}


def read_chat(*messages: Any) -> None:
    Chat().read({"model": "m", "messages": [HI, *messages]})


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([chat_call("a", "b"), chat_result("a")], "messages[1]"),
        ([chat_call("a", "b"), chat_result("a"), HI], "messages[1]"),
        ([chat_call("a"), HI, chat_result("a")], "messages[1]"),
        ([chat_result("zz")], "messages[1]"),
        ([chat_call("a"), chat_result("a"), HI, chat_result("a")], "messages[4]"),
        ([chat_call("a"), chat_result("a"), chat_result("b")], "messages[3]"),
    ],
)
def test_chat_refuses_what_does_not_belong_together(messages: list[Any], param: str) -> None:
    with pytest.raises(Rejection) as refused:
        read_chat(*messages)
    assert (refused.value.status, refused.value.param) == (400, param)


def test_chat_takes_calls_with_their_results_in_any_order() -> None:
    read_chat(chat_call("a", "b"), chat_result("b"), chat_result("a"), chat_call("a"), chat_result("a"), HI)


def use(*ids: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": one, "name": "f", "input": {}} for one in ids]}


def results(*ids: str) -> dict[str, Any]:
    given = [{"type": "tool_result", "tool_use_id": one, "content": "4"} for one in ids]
    return {"role": "user", "content": [*given, {"type": "text", "text": "go on"}]}


def read_messages(*messages: Any) -> None:
    Messages().read({"model": "m", "max_tokens": 9, "messages": [HI, *messages]})


@pytest.mark.parametrize("messages", [[use("a", "b"), results("a")], [results("zz")], [use("a"), HI]])
def test_messages_refuse_what_does_not_belong_together(messages: list[Any]) -> None:
    with pytest.raises(Rejection) as refused:
        read_messages(*messages)
    assert (refused.value.status, refused.value.param) == (400, "messages")


def test_messages_take_calls_with_their_results_and_count_any() -> None:
    read_messages(use("a", "b"), results("a", "b"))
    assert counted({"model": "m", "messages": [HI, use("a")]})["input_tokens"] > 0


def test_responses_refuse_a_call_without_output() -> None:
    called = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "a", "output": "4"}
    Responses().read({"model": "m", "input": [HI, called, output]})
    with pytest.raises(Rejection, match="no output of tool call a"):
        Responses().read({"model": "m", "input": [HI, called, HI]})
