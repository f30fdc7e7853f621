"""Anthropic's Messages: what is sent, and what comes back whole or event by event.

The stable part of a conversation carries prompt-cache marks, so that a next turn reads it from the provider's cache; the
references, which join the last user turn, stay behind the last mark. Reference: docs.anthropic.com/en/api/messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from moa.core.errors import BadReply, BadRequest
from moa.core.events import Delta
from moa.core.ports import Scope
from moa.core.tokens import estimated_input, most_tokens
from moa.core.types import Finish, Form, Image, Reply, Request, Sampling, Text, ToolCall, ToolResult
from moa.providers._failure import failed_inside
from moa.providers._saying import Saying
from moa.providers._sse import ServerEvent
from moa.providers._usage import figure
from moa.providers._wire import Json, data_url, decoded, model_of, parsed, settings, strict_id
from moa.providers.hosts import Host

VERSION = "2023-06-01"
WORTH_A_MARK = 1024
"""Tokens from which a prefix is cached there; a mark on less is not looked at."""
CACHED: Json = {"cache_control": {"type": "ephemeral"}}

FINISHES: Mapping[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class Messages:
    """The wire; see Wire."""

    def path(self, model: str, *, stream: bool) -> str:
        """See Wire."""
        return "messages"

    def headers(self, key: str) -> Mapping[str, str]:
        """See Wire."""
        return {"anthropic-version": VERSION, **({"x-api-key": key} if key else {})}

    def body(self, request: Request, host: Host, *, stream: bool) -> Json:
        """See Wire."""
        call = request.call
        system = [part for message in request.messages if message.role == "system" for part in message.parts]
        turns = _turns(request)
        content: Json = {
            "model": model_of(request),
            "max_tokens": most_tokens(call),  # this wire wants a number
            **settings(system=_blocks(system) or None),
            "messages": turns,
            **_settings(call.sampling),
            **_form(call.form, call.sampling.reasoning_effort),
            **dict(host.extra),
        }
        if call.manner.framing != "paper" and estimated_input(request.messages) >= WORTH_A_MARK:
            _mark(content, behind=bool(call.references))
        return content | {"stream": True} if stream else content

    def reading(self, scope: Scope, model: str) -> Answer:
        """See Wire."""
        return Answer(scope, model)

    def models(self, body: bytes) -> tuple[str, ...]:
        """See Wire."""
        return tuple(model.id for model in msgspec.json.decode(body, type=_Models).data)


def _settings(sampling: Sampling) -> Json:
    return settings(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        stop_sequences=list(sampling.stop) or None,
    )


def _form(form: Form, effort: str | None) -> Json:
    choice: Json | None = None
    if form.tools and (form.tool_choice or form.parallel_tools is not None):
        kind = {"": "auto", "auto": "auto", "none": "none", "required": "any"}.get(form.tool_choice)
        choice = {"type": kind} if kind else {"type": "tool", "name": form.tool_choice}
        if form.parallel_tools is False and kind != "none":
            choice["disable_parallel_tool_use"] = True
    output = settings(effort=effort)
    if form.schema and form.schema != "{}":
        output["format"] = {"type": "json_schema", "schema": parsed(form.schema, "the schema of the answer")}
    return settings(
        tools=[
            settings(
                name=tool.name,
                description=tool.description or None,
                input_schema=parsed(tool.parameters, f"the parameters of tool {tool.name}"),
                strict=tool.strict,
            )
            for tool in form.tools
        ]
        or None,
        tool_choice=choice,
        output_config=output or None,
    )


def _turns(request: Request) -> list[Json]:
    """User and assistant turns by turns; neighbours of one role are one turn, as separate blocks."""
    turns: list[Json] = []
    for message in request.messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _blocks(message.parts)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(parts: Any) -> list[Json]:
    """Parts as content blocks; blank texts are refused there, so they are left out."""
    return [_block(part) for part in parts if not (isinstance(part, Text) and not part.text.strip())]


def _block(part: Text | Image | ToolCall | ToolResult) -> Json:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case ToolCall(id, name, arguments):
            return {
                "type": "tool_use",
                "id": strict_id(id),
                "name": name,
                "input": parsed(arguments or "{}", f"the arguments of {name}"),
            }
        case ToolResult(id, content):
            return {"type": "tool_result", "tool_use_id": strict_id(id), "content": content}
        case Image(url):
            inside = data_url(url)
            if inside is None:
                return {"type": "image", "source": {"type": "url", "url": url}}
            return {"type": "image", "source": {"type": "base64", "media_type": inside[0], "data": inside[1]}}
    raise BadRequest(f"a part of kind {type(part).__name__} has no shape here")


def _mark(content: Json, *, behind: bool) -> None:
    """Cache marks at the end of the system blocks, and of the conversation (`behind` it stand references)."""
    if content.get("system"):
        content["system"][-1] |= CACHED
    last = next((turn for turn in reversed(content["messages"]) if turn["role"] == "user"), None)
    blocks = last["content"] if last else []
    stable = blocks[:-1] if behind else blocks
    if stable:
        stable[-1] |= CACHED


class _Named(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Named]


class _Block(msgspec.Struct):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None


class _Message(msgspec.Struct):
    model: str | None = None
    content: list[_Block] | None = None
    stop_reason: str | None = None
    usage: Any = None
    type: str | None = None
    error: Any = None


class _Change(msgspec.Struct):
    stop_reason: str | None = None
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    index: int | None = None
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Change | None = None
    usage: Any = None
    error: Any = None


_COUNTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
_WHOLE, _EVENT = msgspec.json.Decoder(_Message), msgspec.json.Decoder(_Event)


class Answer:
    """A message under way; see Reading."""

    def __init__(self, scope: Scope, model: str) -> None:
        self.ended = False
        self._saying = Saying(scope, model)
        self._usage: dict[str, float] = {}

    @property
    def finished(self) -> bool:
        """See Reading."""
        return self._saying.finish is not None

    @property
    def text(self) -> str:
        """See Reading."""
        return self._saying.text

    def whole(self, body: bytes) -> Iterator[Delta]:
        """See Reading."""
        message = decoded(_WHOLE, body, "a message")
        if message.error:
            raise failed_inside(message.error)
        if message.content is None:
            raise BadReply("the answer holds no content")
        self._begin(message)
        for place, block in enumerate(message.content):
            if block.type == "tool_use":
                yield self._saying.tool(place, block.id or "", block.name or "", block.input)
            elif block.thinking:
                yield self._saying.thought(block.thinking)
            elif block.text:
                yield self._saying.said(block.text)
        self.ended = True

    def event(self, event: ServerEvent) -> Iterator[Delta]:
        """See Reading."""
        one = decoded(_EVENT, event.data, "a message")
        if one.error or one.type == "error":
            raise failed_inside(one.error or {})
        if one.type == "message_start" and one.message is not None:
            self._begin(one.message)
        elif one.type == "message_stop":
            self.ended = True
        elif one.type == "message_delta":
            self._end((one.delta or _Change()).stop_reason)
            self._count(one.usage)
        elif one.type == "content_block_start" and one.content_block is not None:
            block = one.content_block
            if block.type == "tool_use":
                yield self._saying.tool(one.index, block.id or "", block.name or "", block.input or None)
            elif block.text:
                yield self._saying.said(block.text)
        elif one.type == "content_block_delta" and one.delta is not None:
            change = one.delta
            if change.text:
                yield self._saying.said(change.text)
            elif change.thinking:
                yield self._saying.thought(change.thinking)
            elif change.partial_json:
                yield self._saying.tool(one.index, arguments=change.partial_json)

    def _begin(self, message: _Message) -> None:
        self._saying.model = message.model or self._saying.model
        self._end(message.stop_reason)
        self._count(message.usage)

    def _end(self, reason: str | None) -> None:
        if reason:
            self._saying.finish = FINISHES.get(reason)
            if self._saying.finish is None:
                self._saying.finish = "stop"
                self._saying.notes.append(f"unknown stop reason {reason[:40]!r}")

    def _count(self, usage: Any) -> None:
        """Counts come at the start and, as totals, again at the end; what was read from or written to the cache is apart."""
        if usage is None:
            return
        known = self._usage
        known |= {name: number for name in _COUNTS if (number := figure(usage, name)) is not None}
        fresh, read, written, made = map(known.get, _COUNTS)
        sent = None if fresh is None else fresh + (read or 0) + (written or 0)
        self._saying.count(sent=sent, made=made, cached=read, written=written)

    def reply(self, *, ended: bool) -> Reply:
        """See Reading."""
        return self._saying.reply(ended=ended)
