"""Chat completions, the wire that most hosts speak: what is sent. What comes back is read by `_completion.py`.

Also what `local.py` says to llama.cpp. Reference: platform.openai.com/docs/api-reference/chat.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from moa.core.errors import BadRequest, ProviderError, TooLong
from moa.core.ports import Scope
from moa.core.types import (
    PLAIN,
    Conversation,
    Form,
    Image,
    Message,
    Request,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from moa.providers._completion import Answer
from moa.providers._wire import Json, model_of, parsed, plain_id, settings, short_id
from moa.providers.hosts import Host


class Chat:
    """The wire; see Wire."""

    def path(self, model: str, *, stream: bool) -> str:
        """See Wire."""
        return "chat/completions"

    def headers(self, key: str) -> Mapping[str, str]:
        """See Wire."""
        return {"Authorization": f"Bearer {key}"} if key else {}

    def body(self, request: Request, host: Host, *, stream: bool) -> Json:
        """See Wire."""
        content: Json = {
            "model": model_of(request),
            "messages": _messages(request.messages, short_id if host.short_ids else plain_id),
            **_settings(request.call.sampling, host.max_tokens, host.seed),
            **(_form(request.call.form) if request.call.form is not PLAIN else {}),
            **dict(host.extra),
        }
        if stream:
            content["stream"] = True
            if host.stream_usage:
                content["stream_options"] = {"include_usage": True}
        return content

    def reading(self, scope: Scope, model: str) -> Answer:
        """See Wire."""
        return Answer(scope, model)

    def models(self, body: bytes) -> tuple[str, ...]:
        """See Wire."""
        return tuple(model.id for model in msgspec.json.decode(body, type=_Models).data)


_OTHER_NAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_UNKNOWN = r"un(supported|known|recognized|expected)|extra"
_REFUSED = (
    rf"({_UNKNOWN})[^.]{{{{0,60}}}}\b{{name}}\b|\buse \W*{{other}}\b|"
    rf"\b{{name}}\b['\"`]?:?\s*(is |are )?(not (supported|permitted|allowed|recognized)|{_UNKNOWN})"
)


def renamed(error: ProviderError, host: Host) -> str:
    """The name by which a model wants the limit of its answer, where it has refused the one its host takes; else empty.

    A complaint about how much is allowed is none about the name.
    """
    words, name = str(error.args[0]), host.max_tokens
    other = _OTHER_NAME[name]
    refusal = isinstance(error, BadRequest) and not isinstance(error, TooLong) and error.param in (None, name)
    if host.wire != "chat" or not refusal or name not in words:
        return ""
    return other if re.search(_REFUSED.format(name=name, other=other), words, re.IGNORECASE) else ""


def uncounted(error: ProviderError) -> bool:
    """Whether a model has refused to be asked for its usage in a stream."""
    return isinstance(error, BadRequest) and bool(_USAGE.search(f"{error.args[0]} {error.param or ''}"))


_USAGE = re.compile(r"\b(stream_options|include_usage)\b")


@lru_cache(maxsize=64)
def _settings(sampling: Sampling, max_tokens: str, seed: str) -> Json:
    """How an answer is to be drawn, by the names that a host takes."""
    given = (
        ("temperature", sampling.temperature),
        ("top_p", sampling.top_p),
        ("stop", list(sampling.stop) or None),
        ("reasoning_effort", sampling.reasoning_effort),
        (max_tokens, sampling.max_tokens),
        (seed, sampling.seed),
    )
    return {name: value for name, value in given if value is not None}


def _form(form: Form) -> Json:
    choice: Any = form.tool_choice or None
    if choice not in (None, "auto", "none", "required"):
        choice = {"type": "function", "function": {"name": choice}}
    return settings(
        tools=[{"type": "function", "function": _tool(tool)} for tool in form.tools] or None,
        tool_choice=choice,
        parallel_tool_calls=form.parallel_tools,
        response_format=_response_format(form),
        n=form.choices if form.choices > 1 else None,
        logprobs=None if form.logprobs is None else True,
        top_logprobs=form.logprobs or None,
    )


def _tool(tool: Tool) -> Json:
    parameters = parsed(tool.parameters, f"the parameters of tool {tool.name}")
    return settings(name=tool.name, description=tool.description or None, parameters=parameters, strict=tool.strict)


def _response_format(form: Form) -> Json | None:
    if not form.schema:
        return None
    if form.schema == "{}":
        return {"type": "json_object"}
    schema = parsed(form.schema, "the schema of the answer")
    return {"type": "json_schema", "json_schema": settings(name=form.schema_name, schema=schema, strict=form.strict)}


def _messages(messages: Conversation, id_of: Callable[[str], str]) -> list[Json]:
    turns: list[Json] = []
    for message in messages:
        if not [part for part in message.parts if part.__class__ is not Text]:
            turns.append({"role": message.role, "content": message.text})
        else:
            turns += _turns(message, id_of)
    return turns


def _turns(message: Message, id_of: Callable[[str], str]) -> Iterator[Json]:
    """One of our messages: each tool result is a turn of its own there, before what else was said."""
    rest = []
    for part in message.parts:
        if isinstance(part, ToolResult):
            yield {"role": "tool", "tool_call_id": id_of(part.id), "content": part.content}
        else:
            rest.append(part)
    if rest:
        yield _turn(message, rest, id_of)


def _turn(message: Message, parts: list[Text | Image | ToolCall], id_of: Callable[[str], str]) -> Json:
    calls = [part for part in parts if isinstance(part, ToolCall)]
    said = [part for part in parts if not isinstance(part, ToolCall)]
    turn: Json = {"role": message.role, "content": _content(said) if said or not calls else None}
    if calls:
        turn["tool_calls"] = [
            {"id": id_of(call.id), "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
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


class _Named(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Named]
