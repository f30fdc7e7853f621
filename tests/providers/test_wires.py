"""Every wire by transcript: the very bytes that are sent, and one and the same reply from the whole answer, from its stream, and
from its stream cut at every byte.

The exchanges are written after each vendor's public reference; no vendor was called. Those of chat completions, Responses and
Messages are also held against llama.cpp's own server, at the end.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from moa.core.errors import BadReply, BadRequest, Cut, Overloaded, ProviderError, Refused
from moa.core.events import Delta
from moa.core.ports import Scope
from moa.core.tokens import most_tokens
from moa.core.types import (
    Call,
    Choice,
    Form,
    Image,
    Logprob,
    Message,
    Reply,
    Request,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
    assistant,
    system,
    user,
)
from moa.providers._http import Aiohttp
from moa.providers.anthropic import Messages
from moa.providers.hosts import HOSTS, Host, custom
from moa.providers.remote import Remote
from providers.upstream import STREAM_HEAD, Pieces, http, told, upstream

KEY = "sk-test-canary-7f3a"
SCHEMA = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}'
TALK = (
    system("Be brief."),
    user("Look:", Image("data:image/png;base64,AAAA"), Image("https://example.org/a.png")),
    assistant("I look.", ToolCall("c1", "see", '{"a":1}')),
    Message("tool", (ToolResult("c1", "one"),)),
    user("And now?"),
)
FORM = Form(
    tools=(Tool("see", "looks", SCHEMA),), tool_choice="see", parallel_tools=False, schema=SCHEMA, schema_name="place"
)
SAMPLING = Sampling(temperature=0.5, top_p=0.9, max_tokens=64, seed=7, stop=("END",), reasoning_effort="low")


def asked(form: Form = FORM, sampling: Sampling = SAMPLING, talk: tuple[Message, ...] = TALK, **more: Any) -> Request:
    call = Call("host:m", talk, sampling=sampling, form=form, **more)
    return Request(call, talk)


def stream(*events: Any, names: bool = False) -> bytes:
    """A stream of events; with `names`, each is also named by its type."""
    lines = []
    for event in events:
        name = f"event: {event['type']}\n" if names else ""
        lines.append(f"{name}data: {event if isinstance(event, str) else json.dumps(event)}\n\n")
    return "".join(lines).encode()


@dataclass(frozen=True)
class Wire:
    """One wire: what must be sent for `asked()`, an answer whole and streamed, and what it means."""

    name: str
    path: str
    streamed_path: str
    headers: dict[str, str]
    sent: dict[str, Any]
    whole: dict[str, Any]
    stream: bytes
    reply: Reply


FUNCTION = json.loads(SCHEMA)

CHAT = Wire(
    "chat", "/v1/chat/completions", "/v1/chat/completions", {"authorization": f"Bearer {KEY}"},
    {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
            ]},
            {"role": "assistant", "content": "I look.", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "see", "arguments": '{"a":1}'}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "one"},
            {"role": "user", "content": "And now?"},
        ],
        "temperature": 0.5, "top_p": 0.9, "stop": ["END"], "reasoning_effort": "low", "max_tokens": 64, "seed": 7,
        "tools": [{"type": "function", "function": {"name": "see", "description": "looks", "parameters": FUNCTION}}],
        "tool_choice": {"type": "function", "function": {"name": "see"}},
        "parallel_tool_calls": False,
        "response_format": {"type": "json_schema", "json_schema": {"name": "place", "schema": FUNCTION}},
    },
    {
        "model": "m-1",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": "Pa\u0301ris 🗼", "reasoning_content": "hm …",
            "tool_calls": [{"id": "c2", "type": "function", "function": {"name": "see", "arguments": '{"b":2}'}}]}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4},
                  "completion_tokens_details": {"reasoning_tokens": 2}, "cost": 0.25},
    },
    stream(
        {"model": "m-1", "choices": [{"index": 0, "delta": {"role": "assistant", "reasoning_content": "hm …"}}]},
        {"choices": [{"index": 0, "delta": {"content": "Pa\u0301"}}]},
        {"choices": [{"index": 0, "delta": {"content": "ris 🗼"}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [
            {"index": 0, "id": "c2", "function": {"name": "see", "arguments": ""}}]}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": '{"b"'}}]}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": ":2}"}}]}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4},
                                  "completion_tokens_details": {"reasoning_tokens": 2}, "cost": 0.25}},
        "[DONE]",
    ),
    Reply("Pa\u0301ris 🗼", "m-1", finish="tool_calls", tool_calls=(ToolCall("c2", "see", '{"b":2}'),), reasoning="hm …",
          usage=Usage(9, 5, 4, 2), cost=0.25),
)  # fmt: skip

_RESPONSE = {
    "id": "r", "status": "completed", "model": "m-1", "error": None, "incomplete_details": None,
    "output": [
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "hm …"}]},
        {"type": "message", "id": "ms", "role": "assistant", "content": [
            {"type": "output_text", "text": "Pa\u0301ris 🗼", "annotations": []}]},
        {"type": "function_call", "id": "fc", "call_id": "c2", "name": "see", "arguments": '{"b":2}'},
    ],
    "usage": {"input_tokens": 9, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 4},
              "output_tokens_details": {"reasoning_tokens": 2}},
}  # fmt: skip

RESPONSES = Wire(
    "responses", "/v1/responses", "/v1/responses", {"authorization": f"Bearer {KEY}"},
    {
        "model": "m",
        "input": [
            {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be brief."}]},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "Look:"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
                {"type": "input_image", "image_url": "https://example.org/a.png"},
            ]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
            {"type": "function_call", "call_id": "c1", "name": "see", "arguments": '{"a":1}'},
            {"type": "function_call_output", "call_id": "c1", "output": "one"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And now?"}]},
        ],
        "store": False, "temperature": 0.5, "top_p": 0.9, "max_output_tokens": 64, "reasoning": {"effort": "low"},
        "tools": [{"type": "function", "name": "see", "description": "looks", "parameters": FUNCTION, "strict": False}],
        "tool_choice": {"type": "function", "name": "see"},
        "parallel_tool_calls": False,
        "text": {"format": {"type": "json_schema", "name": "place", "schema": FUNCTION}},
    },
    _RESPONSE,
    stream(
        {"type": "response.created", "response": {"id": "r", "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "id": "rs"}},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "hm …"},
        {"type": "response.output_item.added", "output_index": 1, "item": {"type": "message", "id": "ms"}},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "Pa\u0301", "logprobs": []},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "ris 🗼"},
        {"type": "response.output_text.done", "output_index": 1, "text": "Pa\u0301ris 🗼"},
        {"type": "response.output_item.added", "output_index": 2,
         "item": {"type": "function_call", "id": "fc", "call_id": "c2", "name": "see", "arguments": ""}},
        {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": '{"b"'},
        {"type": "response.function_call_arguments.delta", "output_index": 2, "delta": ":2}"},
        {"type": "response.function_call_arguments.done", "output_index": 2, "arguments": '{"b":2}'},
        {"type": "response.completed", "response": _RESPONSE},
        names=True,
    ),
    Reply("Pa\u0301ris 🗼", "m-1", finish="tool_calls", tool_calls=(ToolCall("c2", "see", '{"b":2}'),), reasoning="hm …",
          usage=Usage(9, 5, 4, 2)),
)  # fmt: skip

MESSAGES = Wire(
    "anthropic", "/v1/messages", "/v1/messages", {"x-api-key": KEY, "anthropic-version": "2023-06-01"},
    {
        "model": "m", "max_tokens": 64, "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
            ]},
            {"role": "assistant", "content": [
                {"type": "text", "text": "I look."}, {"type": "tool_use", "id": "c1", "name": "see", "input": {"a": 1}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "one"},
                {"type": "text", "text": "And now?", "cache_control": {"type": "ephemeral"}}]},
        ],
        "temperature": 0.5, "top_p": 0.9, "stop_sequences": ["END"],
        "tools": [{"name": "see", "description": "looks", "input_schema": FUNCTION}],
        "tool_choice": {"type": "tool", "name": "see", "disable_parallel_tool_use": True},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": FUNCTION}},
    },
    {
        "type": "message", "role": "assistant", "model": "m-1", "stop_reason": "tool_use",
        "content": [
            {"type": "thinking", "thinking": "hm …", "signature": "x"},
            {"type": "text", "text": "Pa\u0301ris 🗼"},
            {"type": "tool_use", "id": "c2", "name": "see", "input": {"b": 2}},
        ],
        "usage": {"input_tokens": 3, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2, "output_tokens": 5},
    },
    stream(
        {"type": "message_start", "message": {"model": "m-1", "content": [], "stop_reason": None, "usage": {
            "input_tokens": 3, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 2, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm …"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "x"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "ping"},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Pa\u0301"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "ris 🗼"}},
        {"type": "content_block_stop", "index": 1},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "tool_use", "id": "c2", "name": "see", "input": {}}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"b"'}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": ":2}"}},
        {"type": "content_block_stop", "index": 2},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
        names=True,
    ),
    Reply("Pa\u0301ris 🗼", "m-1", finish="tool_calls", tool_calls=(ToolCall("c2", "see", '{"b":2}'),), reasoning="hm …",
          usage=Usage(9, 5, 4, written=2)),
)  # fmt: skip

_COUNTS = {"promptTokenCount": 9, "candidatesTokenCount": 3, "thoughtsTokenCount": 2, "cachedContentTokenCount": 4}

GEMINI = Wire(
    "gemini", "/v1/models/m:generateContent", "/v1/models/m:streamGenerateContent?alt=sse", {"x-goog-api-key": KEY},
    {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [
                {"text": "Look:"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
                {"fileData": {"fileUri": "https://example.org/a.png"}},
            ]},
            {"role": "model", "parts": [{"text": "I look."}, {"functionCall": {"name": "see", "args": {"a": 1}}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "see", "response": {"result": "one"}}}, {"text": "And now?"}]},
        ],
        "generationConfig": {
            "temperature": 0.5, "topP": 0.9, "maxOutputTokens": 64, "seed": 7, "stopSequences": ["END"],
            "thinkingConfig": {"thinkingLevel": "low"}, "responseMimeType": "application/json", "responseJsonSchema": FUNCTION,
        },
        "tools": [{"functionDeclarations": [{"name": "see", "description": "looks", "parametersJsonSchema": FUNCTION}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["see"]}},
    },
    {
        "modelVersion": "m-1",
        "candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [
            {"text": "hm …", "thought": True}, {"text": "Pa\u0301ris 🗼"},
            {"functionCall": {"name": "see", "args": {"b": 2}, "id": "c2"}, "thoughtSignature": "sig=="},
        ]}}],
        "usageMetadata": _COUNTS,
    },
    stream(
        {"modelVersion": "m-1", "candidates": [{"content": {"parts": [{"text": "hm …", "thought": True}]}}]},
        {"candidates": [{"content": {"parts": [{"text": "Pa\u0301"}]}}]},
        {"candidates": [{"content": {"parts": [{"text": "ris 🗼"}]}}]},
        {"candidates": [{"content": {"parts": [
            {"functionCall": {"name": "see", "args": {"b": 2}, "id": "c2"}, "thoughtSignature": "sig=="}]},
            "finishReason": "STOP"}], "usageMetadata": _COUNTS},
    ),
    Reply("Pa\u0301ris 🗼", "m-1", finish="tool_calls", tool_calls=(ToolCall("c2~sig==", "see", '{"b":2}'),), reasoning="hm …",
          usage=Usage(9, 5, 4, 2)),
)  # fmt: skip

WIRES = (CHAT, RESPONSES, MESSAGES, GEMINI)
every_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)


def sent(
    wire: Wire, *answers: bytes, request: Request | None = None, want_deltas: bool = False
) -> tuple[Any, Any, list[Any]]:
    """Send one request to a server that gives those answers: the reply or error, the server's record, what was emitted."""
    facts: list[Any] = []

    async def main():
        transport = Aiohttp()
        async with upstream(*answers) as server:
            provider = Remote(replace(custom("host", server.url), wire=wire.name), transport, KEY)
            scope = Scope(facts.append, want_deltas=want_deltas, final=True)
            try:
                return await provider.send(request or asked(), scope), server
            except ProviderError as error:
                return error, server
            finally:
                await transport.aclose()

    return (*asyncio.run(main()), facts)


def fed(wire: Wire, *pieces: bytes) -> tuple[Reply, list[Any]]:
    """The reply to a stream in these pieces, and what was emitted."""
    facts: list[Any] = []
    provider = Remote(replace(custom("host", "http://x/v1"), wire=wire.name), Pieces(*pieces))
    return asyncio.run(provider.send(asked(), Scope(facts.append, want_deltas=True))), told(facts)


@every_wire
def test_the_very_request_is_sent(wire: Wire) -> None:
    reply, server, facts = sent(wire, http(200, wire.whole))
    assert reply == wire.reply
    assert facts == []
    assert server.bodies == [json.dumps(wire.sent, separators=(",", ":"), ensure_ascii=False).encode()]
    head = server.heads[0].lower()
    assert head.startswith(f"post {wire.path.lower()} http/1.1\r\n")
    for name, value in wire.headers.items():
        assert f"\r\n{name}: {value.lower()}\r\n" in head
    assert ("authorization:" in head) == ("authorization" in wire.headers)


@every_wire
def test_a_stream_is_asked_for_and_gives_the_same_reply(wire: Wire) -> None:
    reply, server, facts = sent(wire, STREAM_HEAD + wire.stream, want_deltas=True)
    assert reply == wire.reply
    assert f"post {wire.streamed_path.lower()} http/1.1\r\n" in server.heads[0].lower()
    asked_for = {name: value for name, value in server.asked[0].items() if name not in wire.sent}
    assert asked_for in ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}, {})
    for what, expected in (("text", reply.text), ("reasoning", reply.reasoning), ("tool", '{"b":2}')):
        said = "".join(fact.text for fact in facts if fact.what == what)
        assert said == expected


@every_wire
def test_a_stream_gives_the_same_reply_wherever_it_is_cut_into_pieces(wire: Wire) -> None:
    whole, facts = fed(wire, wire.stream)
    assert whole == wire.reply
    for at in range(1, len(wire.stream)):
        assert fed(wire, wire.stream[:at], wire.stream[at:]) == (whole, facts)
    assert fed(wire, *(wire.stream[at : at + 1] for at in range(len(wire.stream)))) == (whole, facts)


@every_wire
def test_a_stream_that_ends_before_its_end_is_cut_and_keeps_what_had_come(wire: Wire) -> None:
    half = wire.stream[: wire.stream.index(b"ris ")]
    half = half[: half.rindex(b"\n\n") + 2]
    error, _, _ = sent(wire, STREAM_HEAD + half, want_deltas=True)
    assert isinstance(error, Cut)
    assert error.partial == "Pa\u0301"


@every_wire
@pytest.mark.parametrize("body", [b"", b"<html>busy</html>", b"{", b"[]", b'{"model": 3}', b"{}", b"null"])
def test_what_is_no_answer_is_a_bad_reply(wire: Wire, body: bytes) -> None:
    error, _, _ = sent(wire, http(200, body.decode()))
    assert isinstance(error, BadReply)


@every_wire
def test_an_error_inside_a_200_is_that_error(wire: Wire) -> None:
    failure = {"error": {"type": "overloaded_error", "code": 529, "status": "UNAVAILABLE", "message": "busy"}}
    error, _, _ = sent(wire, http(200, failure))
    assert isinstance(error, Overloaded)
    assert "busy" in str(error)
    error, _, _ = sent(wire, STREAM_HEAD + stream({"type": "error", **failure}), want_deltas=True)
    assert isinstance(error, Overloaded)


def test_an_error_event_ends_a_gemini_stream_though_it_has_no_error_in_it() -> None:
    said = {"candidates": [{"content": {"parts": [{"text": "half"}]}, "finishReason": "STOP"}]}
    failure = b'event: error\ndata: {"message": "busy", "code": 503}\n\n'
    error, _, _ = sent(GEMINI, STREAM_HEAD + stream(said) + failure, want_deltas=True)
    assert (type(error), error.partial) == (Overloaded, "half")


@every_wire
def test_of_a_usage_that_is_half_said_that_half_counts(wire: Wire) -> None:
    (name,) = {"usage", "usageMetadata"} & wire.whole.keys()
    counts = {
        key: 77 if key in ("prompt_tokens", "input_tokens", "promptTokenCount") else None for key in wire.whole[name]
    }
    reply, _, _ = sent(wire, http(200, wire.whole | {name: counts}))
    assert (reply.usage.input, reply.usage.estimated) == (77, True)
    assert 0 < reply.usage.output < 20


def test_a_responses_stream_without_pieces_is_read_from_its_whole_items() -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "see", "arguments": '{"b":2}'}
    said = {"type": "message", "content": [{"type": "output_text", "text": "Paris"}]}
    whole = {"type": "response.completed", "response": {"status": "completed", "output": [said, call]}}
    added = {"type": "response.output_item.added", "output_index": 1, "item": call | {"arguments": ""}}
    done = {"type": "response.output_item.done", "output_index": 1, "item": call}
    piece = {"type": "response.output_text.delta", "delta": "Paris"}
    for events in ([whole], [added, whole], [added, done, whole], [piece, whole]):
        reply, facts = fed(RESPONSES, stream(*events))
        assert (reply.text, reply.tool_calls) == ("Paris", (ToolCall("c1", "see", '{"b":2}'),))
        assert "".join(fact.text for fact in facts if fact.what == "text") == "Paris"


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_response_that_is_not_finished_is_no_answer(status: str) -> None:
    error, _, _ = sent(RESPONSES, http(200, _RESPONSE | {"status": status}))
    assert isinstance(error, BadReply)
    assert status in str(error)


@pytest.mark.parametrize(
    ("event", "status", "finish"),
    [("incomplete", None, "length"), ("completed", "incomplete", "length"), ("completed", "in_progress", "stop")],
)
def test_a_response_ends_as_its_last_event_says(event: str, status: str | None, finish: str) -> None:
    said = [{"type": "message", "content": [{"type": "output_text", "text": "Par"}]}]
    last = {"type": f"response.{event}", "response": {"status": status, "output": said}}
    reply, _ = fed(RESPONSES, stream(last))
    assert (reply.text, reply.finish) == ("Par", finish)
    with pytest.raises(Overloaded):
        fed(RESPONSES, stream({"type": "response.failed", "response": {}}))


def test_a_refusal_in_a_responses_stream_is_told_once() -> None:
    message = {"type": "message", "content": [{"type": "refusal", "refusal": "I cannot."}]}
    piece = {"type": "response.refusal.delta", "delta": "I cannot."}
    done = {"type": "response.output_item.done", "output_index": 0, "item": message}
    whole = {"type": "response.completed", "response": {"status": "completed", "output": [message]}}
    for events in ([whole], [piece, whole], [done, whole], [piece, done, whole]):
        with pytest.raises(Refused) as caught:
            fed(RESPONSES, stream(*events))
        assert caught.value.args == ("the model declined: I cannot.",)


def test_an_anthropic_tool_call_whose_input_comes_whole_keeps_it() -> None:
    block = {"type": "tool_use", "id": "c1", "name": "see", "input": {"b": 2}}
    start = {"type": "content_block_start", "index": 0, "content_block": block}
    reply, _ = fed(MESSAGES, stream(start, {"type": "message_stop"}))
    assert reply.tool_calls == (ToolCall("c1", "see", '{"b":2}'),)


def test_anthropic_is_told_as_many_tokens_as_are_reckoned_with_where_an_agent_sets_none() -> None:
    request = asked(sampling=Sampling())
    assert Messages().body(request, Host("host", ""), stream=False)["max_tokens"] == most_tokens(request.call) == 4096


def test_gemini_tool_results_carry_the_name_of_the_latest_call_with_their_id() -> None:
    """Gemini gives its calls no ids, so those of every turn begin with call_0."""
    talk = (
        user("hi"), assistant(ToolCall("call_0", "weather", "{}")), Message("tool", (ToolResult("call_0", "sun"),)),
        assistant(ToolCall("call_0", "stocks", "{}")), Message("tool", (ToolResult("call_0", "up"),)),
    )  # fmt: skip
    _, server, _ = sent(GEMINI, http(200, GEMINI.whole), request=Request(Call("host:m", talk), talk))
    parts = [part for turn in server.asked[0]["contents"] for part in turn["parts"] if "functionResponse" in part]
    assert [part["functionResponse"]["name"] for part in parts] == ["weather", "stocks"]


@every_wire
def test_a_schema_that_is_no_json_is_a_bad_request_and_nothing_is_sent(wire: Wire) -> None:
    for form in (Form(schema="{nonsense"), Form(tools=(Tool("t", parameters="nonsense"),))):
        error, server, _ = sent(wire, http(200, wire.whole), request=asked(form))
        assert isinstance(error, BadRequest)
        assert server.heads == []


@every_wire
def test_what_the_host_did_not_count_is_estimated_and_flagged(wire: Wire) -> None:
    bare = {name: value for name, value in wire.whole.items() if name not in ("usage", "usageMetadata")}
    reply, _, _ = sent(wire, http(200, bare))
    assert reply.usage.estimated
    assert 20 < reply.usage.input < 3000
    assert 0 < reply.usage.output < 20


@pytest.mark.parametrize(
    ("wire", "answer"),
    [
        (CHAT, {"choices": [{"message": {"refusal": "I cannot."}, "finish_reason": "stop"}]}),
        (RESPONSES, {"status": "completed", "output": [
            {"type": "message", "content": [{"type": "refusal", "refusal": "I cannot."}]}]}),
        (MESSAGES, {"content": [], "stop_reason": "refusal"}),
        (GEMINI, {"promptFeedback": {"blockReason": "SAFETY"}}),
        (GEMINI, {"candidates": [{"finishReason": "SAFETY"}]}),
    ],
)  # fmt: skip
def test_a_refusal_is_no_answer(wire: Wire, answer: dict[str, Any]) -> None:
    error, _, _ = sent(wire, http(200, answer))
    assert isinstance(error, Refused)


@pytest.mark.parametrize(
    ("wire", "answer"),
    [
        (CHAT, {"choices": [{"message": {"content": "cut"}, "finish_reason": "length"}]}),
        (RESPONSES, {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"},
                     "output": [{"type": "message", "content": [{"type": "output_text", "text": "cut"}]}]}),
        (MESSAGES, {"content": [{"type": "text", "text": "cut"}], "stop_reason": "max_tokens"}),
        (GEMINI, {"candidates": [{"content": {"parts": [{"text": "cut"}]}, "finishReason": "MAX_TOKENS"}]}),
    ],
)  # fmt: skip
def test_a_cut_answer_says_so(wire: Wire, answer: dict[str, Any]) -> None:
    reply, _, _ = sent(wire, http(200, answer))
    assert (reply.text, reply.finish) == ("cut", "length")


def test_several_choices_and_their_logprobs_are_asked_for_and_understood() -> None:
    form = Form(choices=2, logprobs=1)
    likely = {"content": [{"token": "A", "logprob": -0.1, "top_logprobs": [{"token": "B", "logprob": -2.5}]}]}
    answer = {"choices": [
        {"index": 1, "message": {"content": "B"}, "finish_reason": "length"},
        {"index": 0, "message": {"content": "A"}, "finish_reason": "stop", "logprobs": likely},
    ]}  # fmt: skip
    reply, server, _ = sent(CHAT, http(200, answer), request=asked(form))
    assert {name: server.asked[0][name] for name in ("n", "logprobs", "top_logprobs")} == {
        "n": 2,
        "logprobs": True,
        "top_logprobs": 1,
    }
    assert (reply.text, reply.others) == ("A", (Choice("B", "length"),))
    assert reply.logprobs == (Logprob("A", -0.1, ("B",), (-2.5,)),)


def test_only_the_first_choice_is_streamed() -> None:
    chunks = stream(
        {"choices": [{"index": 1, "delta": {"content": "B"}}]}, {"choices": [{"index": 0, "delta": {"content": "A"}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}, {"index": 1, "delta": {}, "finish_reason": "stop"}]},
        "[DONE]",
    )  # fmt: skip
    reply, facts = fed(CHAT, chunks)
    assert (reply.text, [other.text for other in reply.others]) == ("A", ["B"])
    assert [fact.text for fact in facts if isinstance(fact, Delta)] == ["A"]


def test_gemini_gets_back_the_signature_that_came_with_a_tool_call() -> None:
    talk = (
        user("Look."),
        assistant(ToolCall("c2~sig==", "see", "{}")),
        Message("tool", (ToolResult("c2~sig==", "seen"),)),
    )
    _, server, _ = sent(GEMINI, http(200, GEMINI.whole), request=asked(Form(), Sampling(), talk))
    assert server.asked[0]["contents"][1]["parts"] == [
        {"functionCall": {"name": "see", "args": {}}, "thoughtSignature": "sig=="}
    ]
    assert server.asked[0]["contents"][2]["parts"][0]["functionResponse"]["name"] == "see"


def test_anthropic_marks_what_stays_the_same_and_leaves_the_references_behind_the_mark() -> None:
    long = user("word " * 2000)
    call = Call("host:m", (system("Be brief."), long), references=(Reply("ref"),))
    framed = (system("Be brief."), Message("user", (*long.parts, Text("the references"))))
    _, server, _ = sent(MESSAGES, http(200, MESSAGES.whole), request=Request(call, framed))
    mark = {"type": "ephemeral"}
    assert server.asked[0]["system"][0]["cache_control"] == mark
    blocks = server.asked[0]["messages"][0]["content"]
    assert [block.get("cache_control") for block in blocks] == [mark, None]
    _, server, _ = sent(MESSAGES, http(200, MESSAGES.whole), request=asked(talk=(system("Be brief."), user("Hi."))))
    assert "cache_control" not in server.bodies[0].decode()


# --- real servers


@pytest.mark.parametrize("wire", ["chat", "responses", "anthropic"])
def test_llama_cpps_server_answers_alike_on_every_wire_it_speaks(served, wire: str) -> None:
    """Streamed and not, and the same text as on any other wire: the model is greedy."""
    call = Call("llamacpp:p1", (user("What is 12 + 30?"),), sampling=Sampling(temperature=0.0, max_tokens=48))

    async def main():
        transport = Aiohttp()
        replies = []
        for name in (wire, "chat"):
            provider = Remote(replace(served.host, wire=name), transport, served.key)
            for want_deltas in (False, True):
                facts: list[Any] = []
                reply = await provider.send(
                    Request(call, call.conversation), Scope(facts.append, want_deltas=want_deltas)
                )
                replies.append(reply)
                assert "".join(fact.text for fact in facts if isinstance(fact, Delta)) == (
                    reply.text if want_deltas else ""
                )
        await transport.aclose()
        return replies

    replies = asyncio.run(main())
    assert len({reply.text for reply in replies}) == 1
    assert replies[0].text.strip()
    assert all(reply.usage.output > 0 and not reply.usage.estimated for reply in replies)
    assert {reply.finish for reply in replies} == {"stop"}


def on_real_server(served, wire: str, want_deltas: bool, *requests: Request) -> list[Reply]:
    """What llama.cpp's server replies on a wire."""

    async def main():
        transport = Aiohttp()
        provider = Remote(replace(served.host, wire=wire), transport, served.key)
        try:
            return [await provider.send(request, Scope(want_deltas=want_deltas)) for request in requests]
        finally:
            await transport.aclose()

    return asyncio.run(main())


real_wires = pytest.mark.parametrize("wire", ["chat", "responses", "anthropic"])
streamed_and_not = pytest.mark.parametrize("want_deltas", [False, True], ids=["whole", "streamed"])


@real_wires
@streamed_and_not
def test_llama_cpps_server_calls_a_tool_and_goes_on_with_its_result(talker, wire: str, want_deltas: bool) -> None:
    form = Form(
        tools=(
            Tool(
                "add",
                "adds two numbers",
                '{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}}}',
            ),
        )
    )
    talk = (user("What is 12 + 30?"),)
    (called,) = on_real_server(talker, wire, want_deltas, asked(form, Sampling(), talk))
    assert (called.finish, called.text) == ("tool_calls", "")
    (call,) = called.tool_calls
    assert call.name == "add"
    assert json.loads(call.arguments) == {"a": 12, "b": 30}
    assert call.id
    after = (*talk, assistant(call), Message("tool", (ToolResult(call.id, "42"),)))
    said, plain = on_real_server(
        talker, wire, want_deltas, asked(form, Sampling(), after), asked(Form(), Sampling(), talk)
    )
    assert (said.text, said.finish, said.tool_calls) == ("The sum is 42.", "stop", ())
    assert (plain.text, plain.finish) == ("Hello there!", "stop")


@pytest.mark.parametrize("wire", ["chat", "responses"])
@streamed_and_not
def test_llama_cpps_server_obeys_a_schema(served, wire: str, want_deltas: bool) -> None:
    """Not on its Messages, which know no schema."""
    schema = '{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}'
    request = asked(Form(schema=schema), Sampling(temperature=0.0, max_tokens=64), (user("What is 12 + 30?"),))
    (reply,) = on_real_server(served, wire, want_deltas, request)
    assert isinstance(json.loads(reply.text)["n"], int)


def test_the_hosts_that_speak_another_wire_are_in_the_table() -> None:
    assert {name: host.wire for name, host in HOSTS.items() if host.wire != "chat"} == {
        "openai-responses": "responses", "anthropic": "anthropic", "gemini": "gemini", "openai-embeddings": "embeddings",
    }  # fmt: skip
