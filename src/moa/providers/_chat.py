"""A Request as the JSON of chat completions: what `openai.py` sends and `local.py` hands to llama.cpp."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moa.core.types import Image, Message, Request, Sampling, Text, ToolCall, ToolResult
from moa.providers.hosts import Host

Json = dict[str, Any]


def model_of(request: Request) -> str:
    """The model's name at its host: what follows the first colon (`ollama:llama3:8b` is `llama3:8b`)."""
    name, colon, rest = request.call.model.partition(":")
    return rest if colon else name


def body(request: Request, host: Host, *, stream: bool) -> Json:
    """The whole request, ready to be encoded."""
    content: Json = {
        "model": model_of(request),
        "messages": [turn for message in request.messages for turn in _turns(message)],
        **_settings(request.call.sampling, host),
        **dict(host.extra),
    }
    if stream:
        content["stream"] = True
        if host.stream_usage:
            content["stream_options"] = {"include_usage": True}
    return content


def _settings(sampling: Sampling, host: Host) -> Json:
    settings: Json = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        host.max_tokens: sampling.max_tokens,
        host.seed: sampling.seed,
        "stop": list(sampling.stop) or None,
        "reasoning_effort": sampling.reasoning_effort,
    }
    return {name: setting for name, setting in settings.items() if setting is not None}


def _turns(message: Message) -> Iterator[Json]:
    """One of our messages: each tool result is a turn of its own there, before what else was said."""
    rest = []
    for part in message.parts:
        if isinstance(part, ToolResult):
            yield {"role": "tool", "tool_call_id": part.id, "content": part.content}
        else:
            rest.append(part)
    if rest or not message.parts:
        yield _turn(message, rest)


def _turn(message: Message, parts: list[Text | Image | ToolCall]) -> Json:
    calls = [part for part in parts if isinstance(part, ToolCall)]
    said = [part for part in parts if not isinstance(part, ToolCall)]
    turn: Json = {"role": message.role, "content": _content(said) if said or not calls else None}
    if calls:
        turn["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
    return turn


def _content(parts: list[Text | Image]) -> str | list[Json]:
    # Texts alone are joined: every host takes a string, and some put a line end of their own between parts.
    if all(isinstance(part, Text) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, Text))
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, Text)
        else {"type": "image_url", "image_url": {"url": part.url}}
        for part in parts
    ]
