"""What single hosts do otherwise than the rest: each is read as it means it, and gets what it takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moa.core.errors import OutOfCredit
from moa.core.events import Delta
from moa.core.ports import Scope
from moa.core.types import Call, Message, Reply, Request, Text, ToolCall, ToolResult, assistant, user
from moa.providers._failure import failed
from moa.providers._sse import ServerEvent
from moa.providers.hosts import HOSTS
from moa.providers.remote import WIRES


def whole(wire: str, content: dict[str, Any]) -> Reply:
    reading = WIRES[wire].reading(Scope(), "m")
    list(reading.whole(json.dumps(content).encode()))
    return reading.reply(ended=True)


def chat(text: str, finish: str = "stop", **more: Any) -> Reply:
    return whole("chat", {"choices": [{"message": {"content": text}, "finish_reason": finish}], **more})


def sent(host: str, *messages: Message, model: str = "m") -> Any:
    call = Call(f"{host}:{model}", messages)
    return WIRES[HOSTS[host].wire].body(Request(call, messages), HOSTS[host], stream=False)


@pytest.mark.parametrize(("total", "made"), [(3041, 3009), (41, 9)], ids=["xai: beside", "all others: within"])
def test_reasoning_that_is_counted_beside_the_answer_is_billed(total: int, made: int) -> None:
    thought = {"reasoning_tokens": total - 41 or 9}
    usage = {"prompt_tokens": 32, "completion_tokens": 9, "total_tokens": total, "completion_tokens_details": thought}
    assert chat("9", usage=usage).usage.output == made


@pytest.mark.parametrize(
    ("wire", "reason", "finish"),
    [
        ("chat", "insufficient_system_resource", "error"),
        ("chat", "network_error", "error"),
        ("chat", "sensitive", "content_filter"),
        ("gemini", "MALFORMED_RESPONSE", "error"),
        ("gemini", "MISSING_THOUGHT_SIGNATURE", "error"),
        ("gemini", "TOO_MANY_TOOL_CALLS", "error"),
    ],
)
def test_an_answer_that_failed_is_not_taken_for_a_whole_one(wire: str, reason: str, finish: str) -> None:
    part = {"content": {"parts": [{"text": "The answer is fo"}]}, "finishReason": reason}
    reply = chat("The answer is fo", reason) if wire == "chat" else whole("gemini", {"candidates": [part]})
    assert reply.finish == finish


@pytest.mark.parametrize(
    "fragments",
    [
        [
            {"id": "a1", "name": "f", "arguments": ""},
            {"id": "a2", "arguments": '{"c":'},
            {"id": "a3", "arguments": "1}"},
        ],
        [{"name": "f"}, {"id": "a1", "arguments": '{"c":1}'}],
    ],
    ids=["an id each", "the id late"],
)
def test_fragments_of_one_call_stay_together_whatever_their_ids(fragments: list[dict[str, str]]) -> None:
    reading, heard = WIRES["chat"].reading(Scope(), "m"), list[Delta]()
    for one in fragments:
        function = {name: value for name, value in one.items() if name != "id"}
        tool = {"index": 0, "id": one.get("id"), "function": function}
        data = json.dumps({"choices": [{"delta": {"tool_calls": [tool]}}]}).encode()
        heard += reading.event(ServerEvent("", data))
    (call,) = reading.reply(ended=True).tool_calls
    assert heard[0].id == call.id
    assert (call.name, call.arguments) == ("f", '{"c":1}')


def test_reasoning_whose_opening_tag_the_template_wrote_is_no_answer() -> None:
    reply = chat("Okay, 2+2. Maybe 5? No.\n</think>\n\n4")
    assert (reply.text, reply.reasoning) == ("4", "Okay, 2+2. Maybe 5? No.\n")
    assert chat("I only think.\n</think>").blank


@pytest.mark.parametrize("text", ["Close it by </think> as usual.", "<p>\n</think>\nx</think>\ny", "4", "a\n</think>b"])
def test_a_text_about_such_tags_is_the_answer(text: str) -> None:
    assert chat(text).text == text


CALLED = assistant("\n\n", ToolCall("functions.look:0", "look", "{}"))
LOOP = (user("hi"), CALLED, Message("tool", (ToolResult("functions.look:0", "4"),)))


def test_anthropic_gets_ids_it_takes_and_no_blank_text() -> None:
    _, (use,), (result,) = [turn["content"] for turn in sent("anthropic", *LOOP)["messages"]]
    assert use["type"] == "tool_use"
    assert use["id"] == result["tool_use_id"]
    assert use["id"].replace("_", "").isalnum()


def test_mistral_gets_ids_of_nine_signs_and_who_made_others_gets_its_own() -> None:
    _, turn, result = sent("mistral", *LOOP)["messages"]
    assert turn["tool_calls"][0]["id"] == result["tool_call_id"]
    assert len(result["tool_call_id"]) == 9
    assert result["tool_call_id"].isalnum()
    assert sent("moonshot", *LOOP)["messages"][2]["tool_call_id"] == "functions.look:0"


@pytest.mark.parametrize(("model", "signed"), [("gemini-4-argon", True), ("gemini-2.5-pro", False)])
def test_gemini_is_told_that_another_made_the_call(model: str, signed: bool) -> None:
    parts = sent("gemini", *LOOP, model=model)["contents"][1]["parts"]
    call = next(part for part in parts if "functionCall" in part)
    assert call.get("thoughtSignature") == ("skip_thought_signature_validator" if signed else None)
    own = (user("hi"), assistant(ToolCall("c~S1", "look", "{}"), ToolCall("d", "look", "{}")))
    first, second = sent("gemini", *own, model=model)["contents"][1]["parts"]
    assert first["thoughtSignature"] == "S1"
    assert "thoughtSignature" not in second


def test_gemini_gets_results_in_the_order_of_their_calls() -> None:
    calls = assistant(ToolCall("p", "see", '{"c":"Paris"}'), ToolCall("r", "see", '{"c":"Rome"}'))
    results = [Message("tool", (ToolResult(one, text),)) for one, text in (("r", "Rome 30"), ("p", "Paris 10"))]
    turns = sent("gemini", user("hi"), calls, *results, Message("user", (Text("so?"),)))["contents"]
    first, second, words = turns[2]["parts"]
    assert [one["functionResponse"]["response"]["result"] for one in (first, second)] == ["Paris 10", "Rome 30"]
    assert words == {"text": "so?"}


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (429, "Your prepayment credits are depleted. Please go to AI Studio."),
        (400, "Your credit balance is too low to access the Anthropic API."),
    ],
)
def test_what_is_said_about_money_in_words_alone_is_about_money(status: int, message: str) -> None:
    error = {"error": {"message": message, "status": "RESOURCE_EXHAUSTED", "type": "invalid_request_error"}}
    assert isinstance(failed(status, {}, json.dumps(error).encode()), OutOfCredit)
