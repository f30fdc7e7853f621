"""Chat completions, as OpenAI's clients speak it (platform.openai.com/docs/api-reference/chat)."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec

from moa.core.types import Conversation, Form, Image, Sampling, Tool
from moa.server._completing import Spoken, completion
from moa.server._history import check_results
from moa.server.asked import IMAGE_ADDRESS, Answered, Asked, Options, Speaking, conversation, converted, sent_of
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


class Body(msgspec.Struct, forbid_unknown_fields=True):
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
        asked: Body = converted(body, Body)
        turns = conversation(asked.messages)
        check_images(turns)
        check_results(turns, "messages[{}]".format)
        return Asked(
            asked.model, turns, _form(asked), _sampling(asked), bool(asked.stream),
            bool(asked.stream_options and asked.stream_options.include_usage), asked.moa or Options(), _ignored(asked),
        )  # fmt: skip

    def whole(self, asked: Asked, answered: Answered) -> Json:
        """See Dialect."""
        return completion(asked, answered)

    def speaking(self, asked: Asked) -> Speaking:
        """See Dialect."""
        return Spoken(asked)

    def refusal(self, error: Exception) -> Json:
        """See Dialect."""
        return openai_error(error)


_UNUSED = (
    "frequency_penalty", "presence_penalty", "logit_bias", "audio", "function_call", "functions", "metadata", "modalities",
    "moderation", "prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier",
    "service_tier", "store", "user", "verbosity", "web_search_options",
)  # fmt: skip


def _ignored(asked: Body) -> Json:
    """What was sent and is not used, by name: nothing is lost in silence."""
    names = sent_of(asked, _UNUSED)
    turns = [one for one in asked.messages if isinstance(one, dict)]
    parts = [
        part
        for one in turns
        if isinstance(one.get("content"), list)
        for part in one["content"]
        if isinstance(part, dict)
    ]
    names += ["messages[].name"] if any(one.get("name") and one.get("role") != "tool" for one in turns) else []
    images = (part.get("image_url") for part in parts)
    names += ["image_url.detail"] if any(isinstance(one, dict) and one.get("detail") for one in images) else []
    return {"ignored": names} if names else {}


def _sampling(asked: Body) -> Sampling:
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


def _form(asked: Body) -> Form:
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
    tools = tuple(_tool(tool, f"tools[{n}]") for n, tool in enumerate(asked.tools or ()))
    names = {tool.name for tool in tools}
    if not tools and asked.tool_choice not in (None, "auto", "none"):
        raise Rejection(NO_TOOLS, param="tool_choice", code="invalid_value")
    choice, allowed = _tool_choice(asked.tool_choice, names) if tools else ("", names)
    return Form(
        tools=tuple(tool for tool in tools if tool.name in allowed),
        tool_choice=choice,
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


NO_TOOLS = "'tool_choice' is only allowed when 'tools' are specified."
MOST_SCHEMA = 200_000
_FAR_REF = re.compile(r'"\$ref":"(?!#)')


def encoded(schema: Json, param: str) -> str:
    """A JSON schema as text; one that points elsewhere is refused: nobody here fetches what a request names."""
    text = msgspec.json.encode(schema).decode()
    if len(text) > MOST_SCHEMA:
        message = f"Invalid schema for '{param}': it is longer than {MOST_SCHEMA} characters."
        raise Rejection(message, param=param, code="invalid_schema")
    if _FAR_REF.search(text):
        raise Rejection(f"Invalid schema for '{param}': a $ref must begin with #.", param=param, code="invalid_schema")
    return text


def _tool_choice(choice: Any, names: set[str]) -> tuple[str, set[str]]:
    """The choice as a Form has it, and the names of the tools it leaves."""
    match choice:
        case None | "auto" | "none" | "required":
            return choice or "", names
        case {"type": "allowed_tools", "allowed_tools": {"mode": "auto" | "required" as mode, "tools": [*tools]}}:
            allowed = {_named(tool) for tool in tools}
            if allowed and allowed <= names:
                return mode, allowed
        case dict() if (name := _named(choice)) in names:
            return of_name(name, names)
    raise Rejection("Invalid value for 'tool_choice': no such tool.", param="tool_choice", code="invalid_value")


def _named(tool: Any) -> str:
    """The name of a function; empty for anything else."""
    match tool:
        case {"function": {"name": str(name)}}:
            return name
    return ""


def of_name(name: str, names: set[str]) -> tuple[str, set[str]]:
    """The choice of one tool, and the names of the tools it leaves: one that is called as a choice is ("none") stays alone."""
    return ("required", {name}) if name in ("auto", "none", "required") else (name, names)


def check_images(turns: Conversation) -> None:
    """See that images are data, or lie where a provider may fetch them; nobody here does.

    Raises:
        Rejection: one is something else.
    """
    for number, message in enumerate(turns):
        for part in message.parts:
            if isinstance(part, Image) and not IMAGE_ADDRESS.match(part.url):
                raise Rejection(
                    "Invalid image: an https: address, or data:image/png, jpeg, gif or webp in base64, is needed.",
                    param=f"messages[{number}].content",
                    code="invalid_image_url",
                )
