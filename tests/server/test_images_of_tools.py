"""Images that a tool gives back: the acting model sees them, behind all results of its turn."""

from __future__ import annotations

from typing import Any

from served import served

from moa.core.types import Message

PIXEL = "data:image/png;base64,iVBORw0KGgo="
SEEN = ("An image in the result of tool call c1:", PIXEL)


def acted_on(path: str, body: Any) -> tuple[Message, ...]:
    """What the aggregator is shown behind the tool calls."""
    with served() as server:
        got = server.ask("POST", path, {"model": "moa/review", **body})
        assert got.status == 200, got.body
        (request,) = (one for one in server.asked if one.call.agent == "agg")
        assert [one for one in server.asked if one.call.agent == "a"]
    return request.messages[2:]


def said(messages: tuple[Message, ...]) -> list[Any]:
    """Their parts, in short."""
    return [
        (
            message.role,
            *(getattr(part, "content", None) or getattr(part, "text", None) or part.url for part in message.parts),
        )
        for message in messages
    ]


def test_those_of_anthropics_clients() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    shot = {"type": "text", "text": "A shot:"}
    uses = [{"type": "tool_use", "id": one, "name": "shot", "input": {}} for one in ("c1", "c2")]
    results = [
        {"type": "tool_result", "tool_use_id": "c1", "content": [shot, {"type": "image", "source": source}]},
        {"type": "tool_result", "tool_use_id": "c2", "content": "nothing"},
        {"type": "text", "text": "Be brief."},
    ]
    turns = [
        {"role": "user", "content": "What is on it?"},
        {"role": "assistant", "content": uses},
        {"role": "user", "content": results},
    ]
    tools = [{"name": "shot", "input_schema": {"type": "object"}}]
    shown = acted_on("/v1/messages", {"max_tokens": 9, "messages": turns, "tools": tools})
    assert said(shown) == [
        ("tool", "A shot:\n(an image, shown below)"),
        ("tool", "nothing"),
        ("user", *SEEN, "Be brief."),
    ]


def test_those_of_responses() -> None:
    calls = [{"type": "function_call", "call_id": one, "name": "shot", "arguments": "{}"} for one in ("c1", "c2")]
    shot = [{"type": "input_text", "text": "A shot: "}, {"type": "input_image", "image_url": PIXEL}]
    results = [
        {"type": "function_call_output", "call_id": "c1", "output": shot},
        {"type": "function_call_output", "call_id": "c2", "output": "nothing"},
    ]
    tools = [{"type": "function", "name": "shot"}]
    first = [{"role": "user", "content": "What is on it?"}, *calls, *results]
    results_shown = [("tool", "A shot: (an image, shown below)"), ("tool", "nothing"), ("user", *SEEN)]
    assert said(acted_on("/v1/responses", {"input": first, "tools": tools})) == results_shown
    more = [*first, {"role": "assistant", "content": "A cat."}, {"role": "user", "content": "Sure?"}]
    assert said(acted_on("/v1/responses", {"input": more, "tools": tools}))[:4] == [
        *results_shown,
        ("assistant", "A cat."),
    ]


def test_chat_completions_know_none_there_and_drop_none() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "shot", "arguments": "{}"}}
    image = [{"type": "image_url", "image_url": {"url": PIXEL}}]
    turns = [
        {"role": "user", "content": "What is on it?"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": image},
    ]
    with served() as server:
        got = server.chat(turns)
    assert (got.status, got.json["error"]["param"]) == (400, "messages[2].content")
