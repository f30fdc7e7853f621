"""Chat completions, as OpenAI's clients speak it (platform.openai.com/docs/api-reference/chat)."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from moa.core.events import Delta
from moa.core.types import Choice, Conversation, Form, Image, Logprob, Reply, Sampling, Tool, ToolCall, Usage
from moa.server.asked import Answered, Asked, Options, Speaking, conversation, converted, metadata
from moa.server.refusals import Rejection, openai_error

Json = dict[str, Any]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Tokens = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
MOST_CHOICES, MOST_STOPS, MOST_TOOLS, MOST_MESSAGES = 128, 4, 128, 2048


class _Function(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.-]+$")]
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None


class _Tool(msgspec.Struct):
    type: str
    function: _Function | None = None
    custom: Any = None


class _Schema(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")] = "answer"
    schema: Json | None = None
    description: str | None = None
    strict: bool | None = None


class _Format(msgspec.Struct):
    type: str
    json_schema: _Schema | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    """What OpenAI's page lists. What moa has no use for is taken and not used: `audio` to `web_search_options`."""

    model: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
    messages: Annotated[list[Json], msgspec.Meta(min_length=1, max_length=MOST_MESSAGES)]
    frequency_penalty: Annotated[float, msgspec.Meta(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, msgspec.Meta(ge=-2, le=2)] | None = None
    logit_bias: Annotated[dict[str, float], msgspec.Meta(max_length=1024)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=MOST_CHOICES)] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    response_format: _Format | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    top_p: Share | None = None
    tools: Annotated[list[_Tool], msgspec.Meta(max_length=MOST_TOOLS)] | None = None
    tool_choice: Any = None
    moa: Options | None = None
    audio: Any = None
    function_call: Any = None
    functions: Any = None
    metadata: Any = None
    modalities: Any = None
    moderation: Any = None
    prediction: Any = None
    prompt_cache_key: Any = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    safety_identifier: Any = None
    service_tier: Any = None
    store: Any = None
    user: Any = None
    verbosity: Any = None
    web_search_options: Any = None


class Chat:
    """The dialect; see Dialect."""

    def read(self, body: Any) -> Asked:
        """See Dialect."""
        asked: _Request = converted(body, _Request)
        turns = conversation(asked.messages)
        check_images(turns)
        return Asked(
            asked.model, turns, _form(asked), _sampling(asked), bool(asked.stream),
            bool(asked.stream_options and asked.stream_options.include_usage), asked.moa or Options(),
        )  # fmt: skip

    def whole(self, asked: Asked, answered: Answered) -> Json:
        """See Dialect."""
        reply = answered.reply
        first = Choice(reply.text, reply.finish, reply.tool_calls, reply.reasoning, reply.logprobs)
        return {
            "id": f"chatcmpl-{answered.view.run}",
            "object": "chat.completion",
            "created": int(answered.view.started),
            "model": asked.model,
            "choices": [_choice(index, choice) for index, choice in enumerate((first, *reply.others))],
            "usage": usage_of(reply.usage),
            "moa": metadata(answered.view, proposals=asked.options.proposals),
        }

    def speaking(self, asked: Asked) -> Speaking:
        """See Dialect."""
        return _Speaking(asked)

    def refusal(self, error: Exception) -> Json:
        """See Dialect."""
        return openai_error(error)


class _Speaking:
    """The chunks of one answer; see Speaking."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._head: Json = {}
        self._tools: set[int] = set()

    def opening(self, run: str) -> bytes:
        """See Speaking."""
        head = {"id": f"chatcmpl-{run}", "object": "chat.completion.chunk", "created": int(time.time())}
        self._head = {**head, "model": self._asked.model}
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def delta(self, delta: Delta) -> bytes:
        """See Speaking."""
        if delta.what == "text":
            return self._chunk({"content": delta.text})
        if delta.what == "reasoning":
            return self._chunk({"reasoning_content": delta.text})
        function: Json = {"arguments": delta.text}
        call: Json = {"index": delta.index, "function": function}
        if delta.index not in self._tools:
            self._tools.add(delta.index)
            call |= {"id": delta.id, "type": "function"}
            function["name"] = delta.name
        return self._chunk({"tool_calls": [call]})

    def aside(self, what: Mapping[str, Any]) -> bytes:
        """See Speaking."""
        return frame({**self._head, "choices": [], "moa": {"event": what}})

    def progress(self, words: str) -> bytes:
        """See Speaking."""
        return self._chunk({"reasoning_content": f"{words}\n"})

    def closing(self, answered: Answered) -> bytes:
        """See Speaking."""
        told, reply = metadata(answered.view, proposals=self._asked.options.proposals), answered.reply
        others = b"".join(self._whole(index, choice) for index, choice in enumerate(reply.others, 1))
        last = others + self._chunk({}, finish=finish_of(reply), likely=_likelihoods(reply.logprobs), moa=told)
        if self._asked.usage:
            last += frame({**self._head, "choices": [], "usage": usage_of(answered.reply.usage)})
        return last + b"data: [DONE]\n\n"

    def failure(self, error: Exception) -> bytes:
        """See Speaking. An answer that broke off ends with `finish_reason: error` and without [DONE]."""
        if not self._head:
            return frame(openai_error(error))
        return self._chunk({}, finish="error", **openai_error(error))

    def _whole(self, index: int, choice: Choice) -> bytes:
        """A further choice, which no host streams piece by piece to us: all of it at once."""
        said = _choice(index, choice)["message"] | {
            "tool_calls": [_indexed(n, one) for n, one in enumerate(choice.tool_calls)]
        }
        delta = {name: value for name, value in said.items() if value}
        return self._chunk(delta, finish_of(choice), index, _likelihoods(choice.logprobs))

    def _chunk(
        self, delta: Json, finish: str | None = None, index: int = 0, likely: Json | None = None, **more: Any
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": likely, "finish_reason": finish}
        nothing = {"usage": None} if self._asked.usage else {}
        return frame({**self._head, "choices": [choice], **nothing, **more})


def frame(data: Any, event: str = "") -> bytes:
    """One server-sent event."""
    name = f"event: {event}\n".encode() if event else b""
    return name + b"data: " + msgspec.json.encode(data) + b"\n\n"


def finish_of(reply: Reply | Choice) -> str:
    """OpenAI's finish reason."""
    if reply.finish in ("length", "content_filter"):
        return reply.finish  # a tool call that was cut is none to be carried out
    return "tool_calls" if reply.tool_calls else "stop"


def usage_of(usage: Usage) -> Json:
    """OpenAI's usage: that of the acting call, since clients measure their context by it."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def _indexed(number: int, call: ToolCall) -> Json:
    return {"index": number} | tool_call(call)


def _choice(index: int, choice: Choice) -> Json:
    message: Json = {
        "role": "assistant",
        "content": choice.text or (None if choice.tool_calls else ""),
        "refusal": None,
    }
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.tool_calls:
        message["tool_calls"] = [tool_call(call) for call in choice.tool_calls]
    likely = _likelihoods(choice.logprobs)
    return {"index": index, "message": message, "logprobs": likely, "finish_reason": finish_of(choice)}


def _likelihoods(logprobs: tuple[Logprob, ...]) -> Json | None:
    return {"content": [_likely(one) for one in logprobs], "refusal": None} if logprobs else None


def tool_call(call: ToolCall) -> Json:
    """A tool call of an assistant's message."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _likely(one: Logprob) -> Json:
    pairs = zip(one.top_tokens, one.top_logprobs, strict=True)
    top = [{"token": token, "logprob": value, "bytes": list(token.encode())} for token, value in pairs]
    return {"token": one.token, "logprob": one.logprob, "bytes": list(one.token.encode()), "top_logprobs": top}


def _sampling(asked: _Request) -> Sampling:
    stops = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
    if len(stops) > MOST_STOPS or not all(stops):
        raise Rejection(
            f"Invalid 'stop': at most {MOST_STOPS} texts, none of them empty.", param="stop", code="invalid_value"
        )
    return Sampling(
        temperature=asked.temperature,
        top_p=asked.top_p,
        max_tokens=asked.max_completion_tokens or asked.max_tokens or None,
        seed=asked.seed,
        stop=tuple(stops),
        reasoning_effort=asked.reasoning_effort,
    )


def _form(asked: _Request) -> Form:
    schema = asked.response_format
    wanted = schema.json_schema if schema and schema.type == "json_schema" else None
    if schema and schema.type not in ("text", "json_object", "json_schema"):
        raise Rejection(f"Invalid value: '{schema.type}'.", param="response_format.type", code="invalid_value")
    if schema and schema.type == "json_schema" and wanted is None:
        param = "response_format.json_schema"
        raise Rejection(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    text = (
        "{}"
        if schema and schema.type == "json_object"
        else encoded(wanted.schema or {}, "response_format")
        if wanted
        else ""
    )
    return Form(
        tools=tuple(_tool(tool, f"tools[{n}]") for n, tool in enumerate(asked.tools or ())),
        tool_choice=_tool_choice(asked.tool_choice, asked.tools) if asked.tools else "",
        parallel_tools=asked.parallel_tool_calls if asked.tools else None,
        schema=text,
        schema_name=wanted.name if wanted else "answer",
        strict=wanted.strict if wanted else None,
        choices=asked.n or 1,
        logprobs=(asked.top_logprobs or 0) if asked.logprobs else None,
    )


def _tool(tool: _Tool, where: str) -> Tool:
    if tool.type != "function" or tool.function is None:
        raise Rejection(
            f"Invalid value for '{where}': only tools of type 'function' are supported.",
            param=f"{where}.type",
            code="invalid_value",
        )
    function = tool.function
    parameters = encoded(function.parameters or {"type": "object", "properties": {}}, f"{where}.function.parameters")
    return Tool(function.name, function.description or "", parameters, function.strict)


_FAR_REF = re.compile(r'"\$ref":"(?!#)')


def encoded(schema: Json, param: str) -> str:
    """A JSON schema as text; one that points elsewhere is refused: nobody here fetches what a request names."""
    text = msgspec.json.encode(schema).decode()
    if _FAR_REF.search(text):
        raise Rejection(f"Invalid schema for '{param}': a $ref must begin with #.", param=param, code="invalid_schema")
    return text


def _tool_choice(choice: Any, tools: list[_Tool]) -> str:
    if choice is None or choice in ("auto", "none", "required"):
        return choice or ""
    function = choice.get("function") if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if name not in [tool.function.name for tool in tools if tool.function]:
        raise Rejection("Invalid value for 'tool_choice': no such tool.", param="tool_choice", code="invalid_value")
    return str(name)


_IMAGE = re.compile(r"^(https://|data:image/(png|jpe?g|gif|webp);base64,)", re.IGNORECASE)


def check_images(turns: Conversation) -> None:
    """See that images are data, or lie where a provider may fetch them; nobody here does.

    Raises:
        Rejection: one is something else.
    """
    for number, message in enumerate(turns):
        for part in message.parts:
            if isinstance(part, Image) and not _IMAGE.match(part.url):
                raise Rejection(
                    "Invalid image: an https: address, or data:image/png, jpeg, gif or webp in base64, is needed.",
                    param=f"messages[{number}].content",
                    code="invalid_image_url",
                )
