"""Responses, as OpenAI's clients speak them (platform.openai.com/docs/api-reference/responses): what is asked.

_items.py reads the items of its input, _responding.py writes the answer.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from moa.core.conversation import conversation_of
from moa.core.errors import ConfigError
from moa.core.types import Conversation, Form, Sampling, system, user
from moa.server._items import said_in
from moa.server._responding import Spoken, response
from moa.server._tooling import Offered, chosen, is_search, told, tools_of
from moa.server.asked import Answered, Asked, Options, Speaking, converted, sent_of
from moa.server.chat import MOST_TOOLS, NO_TOOLS, Json, Share, encoded
from moa.server.refusals import Rejection, openai_error, wrong


class _Format(msgspec.Struct):
    type: Literal["text", "json_object", "json_schema"]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")] | None = None
    schema: Json | None = None
    description: str | None = None
    strict: bool | None = None


class _Written(msgspec.Struct):
    format: _Format | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class _Reasoning(msgspec.Struct):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class _StreamOptions(msgspec.Struct):
    include_obfuscation: bool | None = None


class _Unused(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is taken and not used. The answer names what was sent of it, as `moa.ignored`: nothing is lost in silence."""

    access_programs: Any = None
    background: bool | None = None
    background_options: Any = None
    client_metadata: Any = None
    context_management: Any = None
    image: Any = None
    max_tool_calls: int | None = None
    moderation: Any = None
    prompt: Any = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Any = None
    prompt_cache_retention: Any = None
    safety_identifier: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    service_tier: str | None = None
    store: bool | None = None
    truncation: Literal["auto", "disabled"] | None = None
    user: str | None = None


class Body(_Unused, forbid_unknown_fields=True, kw_only=True):
    """What OpenAI's page lists."""

    model: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
    input: str | list[Any] | None = None
    conversation: Any = None
    include: list[str] | None = None
    instructions: str | None = None
    max_output_tokens: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | None = None
    metadata: Annotated[dict[str, str], msgspec.Meta(max_length=16)] | None = None
    moa: Options | None = None
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = None
    reasoning: _Reasoning | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    text: _Written | None = None
    tool_choice: Any = None
    tools: Annotated[list[Offered], msgspec.Meta(max_length=MOST_TOOLS)] | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None
    top_p: Share | None = None


class Responses:
    """The dialect; see Dialect.

    Nothing is kept from one request to the next, so `conversation`, `previous_response_id` and references to items are
    refused: to leave them out would answer without what was said before. `background` runs in the foreground, and the
    answer says so. OpenAI's own tools (files, MCP, computer …) run nowhere here and are refused; its web search is left out,
    and the answer says so.
    """

    def read(self, body: Any) -> Asked:
        """See Dialect."""
        asked: Body = converted(body, Body)
        _check_kept(asked)
        return Asked(
            model=asked.model,
            conversation=_conversation(asked),
            form=_form(asked),
            sampling=_sampling(asked),
            stream=bool(asked.stream),
            options=asked.moa or Options(),
            echo=_echo(asked),
        )

    def whole(self, asked: Asked, answered: Answered) -> Json:
        """See Dialect."""
        return response(asked, answered)

    def speaking(self, asked: Asked) -> Speaking:
        """See Dialect."""
        return Spoken(asked)

    def refusal(self, error: Exception) -> Json:
        """See Dialect."""
        return openai_error(error)


def _check_kept(asked: Body) -> None:
    """See that nothing is meant which another request has left here."""
    if (previous := asked.previous_response_id) is not None:
        raise Rejection(
            f"Previous response with id '{previous[:80]}' not found: this server keeps none. Send the whole conversation as input.",
            param="previous_response_id",
            code="previous_response_not_found",
        )
    if asked.conversation is not None:
        raise Rejection(
            "Conversations are not kept by this server. Send the whole conversation as input.",
            param="conversation",
            code="unsupported_parameter",
        )


def _conversation(asked: Body) -> Conversation:
    if asked.input is None:
        raise Rejection("Missing required parameter: 'input'.", param="input", code="missing_required_parameter")
    first = (system(asked.instructions),) if asked.instructions else ()
    said = (user(asked.input),) if isinstance(asked.input, str) else said_in(asked.input)
    try:
        return conversation_of((*first, *said))
    except ConfigError as error:
        raise Rejection(f"Invalid value for 'input': {error}.", param="input", code="invalid_value") from None


def _sampling(asked: Body) -> Sampling:
    return Sampling(
        temperature=asked.temperature,
        top_p=asked.top_p,
        max_tokens=asked.max_output_tokens,
        reasoning_effort=asked.reasoning.effort if asked.reasoning else None,
    )


def _form(asked: Body) -> Form:
    tools = tools_of(asked.tools or ())
    if not tools and asked.tool_choice == "required":
        if not asked.tools:
            raise Rejection(NO_TOOLS, param="tool_choice", code="invalid_value")
        raise wrong("tool_choice", "a call is required, and of the tools that are offered none is served here")
    choice, allowed = chosen(asked.tool_choice, {tool.name for tool in tools})
    tools = tuple(tool for tool in tools if tool.name in allowed)
    likely = "message.output_text.logprobs" in (asked.include or ()) or bool(asked.top_logprobs)
    wanted = (asked.text and asked.text.format) or _Format("text")
    return Form(
        tools=tools,
        tool_choice=choice if tools else "",
        parallel_tools=asked.parallel_tool_calls if tools else None,
        schema=_schema(wanted),
        schema_name=wanted.name or "answer",
        strict=wanted.strict if wanted.type == "json_schema" else None,
        logprobs=(asked.top_logprobs or 0) if likely else None,
    )


def _schema(wanted: _Format) -> str:
    if wanted.type != "json_schema":
        return "{}" if wanted.type == "json_object" else ""
    for name in ("name", "schema"):
        if getattr(wanted, name) is None:
            param = f"text.format.{name}"
            raise Rejection(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    return encoded(wanted.schema or {}, "text.format.schema")


def _echo(asked: Body) -> Json:
    """The settings of a request as its answer repeats them; what nobody set is told as OpenAI's default."""
    written, thought = asked.text or _Written(), asked.reasoning or _Reasoning()
    ignored = [*sent_of(asked, _Unused.__struct_fields__)]
    ignored += [f"tools[{number}]" for number, tool in enumerate(asked.tools or ()) if is_search(tool)]
    return {
        "background": False,
        "instructions": asked.instructions,
        "max_output_tokens": asked.max_output_tokens,
        "max_tool_calls": asked.max_tool_calls,
        "metadata": asked.metadata or {},
        "parallel_tool_calls": asked.parallel_tool_calls is not False,
        "previous_response_id": None,
        "prompt_cache_key": asked.prompt_cache_key,
        "reasoning": {"effort": thought.effort, "summary": thought.summary},
        "safety_identifier": asked.safety_identifier,
        "service_tier": "default",
        "store": False,
        "temperature": 1.0 if asked.temperature is None else asked.temperature,
        "text": {"format": _told(written.format or _Format("text")), "verbosity": written.verbosity or "medium"},
        "tool_choice": asked.tool_choice or "auto",
        "tools": told(asked.tools or ()),
        "top_logprobs": asked.top_logprobs or 0,
        "top_p": 1.0 if asked.top_p is None else asked.top_p,
        "truncation": asked.truncation or "disabled",
        **({"user": asked.user} if asked.user is not None else {}),
        **({"moa": {"ignored": ignored}} if ignored else {}),
    }


def _told(wanted: _Format) -> Json:
    if wanted.type != "json_schema":
        return {"type": wanted.type}
    said = {"description": wanted.description} if wanted.description is not None else {}
    return {"type": "json_schema", "name": wanted.name, "schema": wanted.schema, "strict": bool(wanted.strict), **said}
