"""OpenAI's Responses: what is sent, and what comes back whole or event by event.

Nothing is stored at the host (`store: false`), and no conversation is kept there: all of it is sent each time. Reference:
platform.openai.com/docs/api-reference/responses; other hosts speak it as "Open Responses".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from moa.core.errors import BadReply
from moa.core.events import Delta
from moa.core.ports import Scope
from moa.core.types import Form, Image, Logprob, Message, Reply, Request, Text, Tool, ToolCall, ToolResult
from moa.providers._failure import failed_inside
from moa.providers._saying import Saying, likely
from moa.providers._sse import ServerEvent
from moa.providers._usage import figure
from moa.providers._wire import Json, decoded, model_of, parsed, settings, strict_id
from moa.providers.hosts import Host
from moa.providers.openai import Chat


class Responses(Chat):
    """The wire; see Wire. Key and list of models are those of chat completions."""

    def path(self, model: str, *, stream: bool) -> str:
        """See Wire."""
        return "responses"

    def body(self, request: Request, host: Host, *, stream: bool) -> Json:
        """See Wire."""
        call = request.call
        content: Json = {
            "model": model_of(request),
            "input": [item for message in request.messages for item in _items(message)],
            "store": False,
            **settings(
                temperature=call.sampling.temperature,
                top_p=call.sampling.top_p,
                max_output_tokens=call.sampling.max_tokens,
                reasoning={"effort": call.sampling.reasoning_effort} if call.sampling.reasoning_effort else None,
            ),
            **_form(call.form),
            **dict(host.extra),
        }
        if host.schema and call.form.schema:
            content[host.schema] = parsed(call.form.schema, "the schema of the answer")
        return content | {"stream": True} if stream else content

    def reading(self, scope: Scope, model: str) -> Answer:  # type: ignore[override]
        """See Wire."""
        return Answer(scope, model)


def _form(form: Form) -> Json:
    choice: Any = form.tool_choice or None
    if choice not in (None, "auto", "none", "required"):
        choice = {"type": "function", "name": choice}
    return settings(
        tools=[_tool(tool) for tool in form.tools] or None,
        tool_choice=choice,
        parallel_tool_calls=form.parallel_tools,
        text={"format": _format(form)} if form.schema else None,
        include=None if form.logprobs is None else ["message.output_text.logprobs"],
        top_logprobs=form.logprobs or None,
    )


def _tool(tool: Tool) -> Json:
    parameters = parsed(tool.parameters, f"the parameters of tool {tool.name}")
    # `strict` is true there unless it is said: chat completions have it the other way round
    strict = bool(tool.strict)
    return {
        "type": "function",
        **settings(name=tool.name, description=tool.description or None),
        "parameters": parameters,
        "strict": strict,
    }


def _format(form: Form) -> Json:
    if form.schema == "{}":
        return {"type": "json_object"}
    schema = parsed(form.schema, "the schema of the answer")
    return {"type": "json_schema", **settings(name=form.schema_name, schema=schema, strict=form.strict)}


def _items(message: Message) -> Iterator[Json]:
    """One of our messages: what was said is one item, each tool call and result another."""
    said = [part for part in message.parts if isinstance(part, Text | Image)]
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    for part in message.parts:
        if isinstance(part, ToolResult):
            yield {"type": "function_call_output", "call_id": strict_id(part.id), "output": part.content}
    if said or not message.parts:
        role = "user" if message.role == "tool" else message.role
        yield {"type": "message", "role": role, "content": [_part(part, role) for part in said]}
    for call in calls:
        yield {"type": "function_call", "call_id": strict_id(call.id), "name": call.name, "arguments": call.arguments}


def _part(part: Text | Image, role: str) -> Json:
    if isinstance(part, Image):
        return {"type": "input_image", "image_url": part.url}
    return {"type": "output_text" if role == "assistant" else "input_text", "text": part.text}


class _Likely(msgspec.Struct):
    token: str | None = None
    logprob: float | None = None
    top_logprobs: list[_Likely] | None = None


class _Content(msgspec.Struct):
    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    logprobs: list[_Likely] | None = None


class _Item(msgspec.Struct):
    """An item of the output: a message, a function call, reasoning, or something we do not use."""

    type: str | None = None
    call_id: str | None = None
    id: str | None = None
    name: str | None = None
    arguments: Any = None
    content: list[_Content] | None = None
    summary: list[_Content] | None = None


class _Why(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    model: str | None = None
    status: str | None = None
    output: list[_Item] | None = None
    usage: Any = None
    incomplete_details: _Why | None = None
    error: Any = None


class _Event(msgspec.Struct):
    type: str = ""
    delta: Any = None
    output_index: int | None = None
    item: _Item | None = None
    response: _Response | None = None
    logprobs: list[_Likely] | None = None
    error: Any = None
    code: Any = None
    message: Any = None


_WHOLE, _EVENT = msgspec.json.Decoder(_Response), msgspec.json.Decoder(_Event)
_FALLEN_SHORT = ("failed", "cancelled", "incomplete")
_LAST = ("response.completed", "response.incomplete", "response.failed")


class Answer:
    """A response under way; see Reading."""

    def __init__(self, scope: Scope, model: str) -> None:
        self.ended = False
        self._saying = Saying(scope, model)

    @property
    def finished(self) -> bool:
        """See Reading."""
        return self.ended

    @property
    def text(self) -> str:
        """See Reading."""
        return self._saying.text

    def whole(self, body: bytes) -> Iterator[Delta]:
        """See Reading."""
        response = decoded(_WHOLE, body, "a response")
        if not response.error and response.output is None:
            raise BadReply("the answer holds no output")
        if response.status in ("queued", "in_progress"):
            raise BadReply(f"the response is no answer yet: it is {response.status}")
        self._end(response, response.status)
        for place, item in enumerate(response.output or ()):
            yield from self._item(place, item)

    def event(self, event: ServerEvent) -> Iterator[Delta]:
        """See Reading."""
        if event.data.strip() == b"[DONE]":
            return
        one = decoded(_EVENT, event.data, "a response")
        saying, kind = self._saying, one.type
        if kind == "error":
            raise failed_inside(one.error or {"code": one.code, "message": one.message})
        if kind in _LAST and one.response is not None:
            status = one.response.status
            self._end(one.response, status if status in _FALLEN_SHORT else kind.removeprefix("response."))
            for place, item in enumerate(one.response.output or ()):
                yield from self._unheard(place, item)
        elif kind == "response.output_text.delta":
            saying.logprobs += _likely(one.logprobs)
            yield saying.said(str(one.delta or ""))
        elif kind in ("response.reasoning_text.delta", "response.reasoning_summary_text.delta"):
            yield saying.thought(str(one.delta or ""))
        elif kind == "response.refusal.delta":
            saying.declined(str(one.delta or ""))
        elif kind == "response.function_call_arguments.delta":
            yield saying.tool(one.output_index, arguments=str(one.delta or ""))
        elif kind == "response.output_item.added" and one.item is not None and one.item.type == "function_call":
            yield saying.tool(one.output_index, one.item.call_id or one.item.id or "", one.item.name or "")
        elif kind == "response.output_item.done" and one.item is not None:
            yield from self._unheard(one.output_index, one.item)

    def _unheard(self, place: int | None, item: _Item) -> Iterator[Delta]:
        """An item that is whole now, where no piece of it has come: some hosts send none."""
        saying = self._saying
        whole = item.type == "message" and not saying.text and not saying.declines
        if whole or (item.type == "function_call" and saying.lacks(item.call_id or item.id or "")):
            yield from self._item(place, item)

    def _item(self, place: int | None, item: _Item) -> Iterator[Delta]:
        saying = self._saying
        if item.type == "function_call":
            yield saying.tool(place, item.call_id or item.id or "", item.name or "", item.arguments)
        for piece in (*(item.summary or ()), *(item.content or ())):
            if item.type == "reasoning" and piece.text:
                yield saying.thought(piece.text)
            elif piece.type == "refusal":
                saying.declined(piece.refusal or "")
            elif item.type == "message" and piece.text:
                saying.logprobs += _likely(piece.logprobs)
                yield saying.said(piece.text)

    def _end(self, response: _Response, status: str | None) -> None:
        """`status`: how it ended."""
        if response.error:
            raise failed_inside(response.error)
        if status in ("failed", "cancelled"):
            raise failed_inside({"message": f"the response is {status}"})
        saying = self._saying
        saying.model = response.model or saying.model
        why = (response.incomplete_details or _Why()).reason
        saying.finish = "stop" if status != "incomplete" else "content_filter" if why == "content_filter" else "length"
        _count(saying, response.usage)
        self.ended = True

    def reply(self, *, ended: bool) -> Reply:
        """See Reading."""
        return self._saying.reply(ended=ended)


def _likely(ones: list[_Likely] | None) -> Iterator[Logprob]:
    for one in ones or ():
        yield likely(one.token, one.logprob, [(top.token, top.logprob) for top in one.top_logprobs or ()])


def _count(saying: Saying, usage: Any) -> None:
    saying.count(
        figure(usage, "cost"),
        sent=figure(usage, "input_tokens"),
        made=figure(usage, "output_tokens"),
        cached=figure(usage, "input_tokens_details", "cached_tokens"),
        reasoning=figure(usage, "output_tokens_details", "reasoning_tokens"),
    )
