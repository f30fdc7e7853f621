"""Messages, as Anthropic's clients speak it (docs.anthropic.com/en/api/messages)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from moa.core.types import Conversation, Form, Image, Message, Part, Sampling, Text, Tool, ToolCall, ToolResult, system
from moa.server._history import check_results
from moa.server._messaging import Speech, message, reckoned
from moa.server.asked import SHOWN_BELOW, Answered, Asked, Options, Speaking, converted, sent_of, shown
from moa.server.chat import NO_TOOLS, encoded, of_name
from moa.server.refusals import Rejection, anthropic_error

Json = dict[str, Any]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
Filled = Annotated[str, msgspec.Meta(min_length=1)]
MOST_MESSAGES, MOST_TOOLS, MOST_STOPS = 100_000, 1024, 8191
KEPT = "not kept by this server: send the whole conversation as messages."
TAKEN = "Taken are text, image (base64 or url), tool_use, tool_result and thinking blocks, and custom tools."


class _Text(msgspec.Struct, tag="text"):
    text: str


class _Base64(msgspec.Struct, tag="base64"):
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: Filled


class _Url(msgspec.Struct, tag="url"):
    url: Annotated[str, msgspec.Meta(pattern=r"^https://")]


class _Image(msgspec.Struct, tag="image"):
    source: _Base64 | _Url


class _ToolUse(msgspec.Struct, tag="tool_use"):
    id: Filled
    name: Filled
    input: Json


class _ToolResult(msgspec.Struct, tag="tool_result"):
    tool_use_id: Filled
    content: str | list[_Text | _Image] | None = None
    is_error: bool | None = None


class _Thought(msgspec.Struct, tag="thinking"):
    pass


class _Redacted(msgspec.Struct, tag="redacted_thinking"):
    pass


_Block: TypeAlias = _Text | _Image | _ToolUse | _ToolResult | _Thought | _Redacted

_PLACES: dict[str, tuple[type[Any], ...]] = {
    "system": (_Text,),
    "user": (_Text, _Image, _ToolResult),
    "assistant": (_Text, _ToolUse, _Thought, _Redacted),
}
"""Whose messages may hold which blocks."""


class _Turn(msgspec.Struct):
    role: Literal["user", "assistant", "system"]
    content: str | list[_Block]


class _Tool(msgspec.Struct):
    name: Name
    input_schema: Json
    description: str | None = None
    type: Literal["custom"] | None = None
    strict: bool | None = None


class _ToolChoice(msgspec.Struct):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Thinking(msgspec.Struct):
    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: Count | None = None


class _Format(msgspec.Struct):
    type: Literal["json_schema"]
    schema: Json


class _Output(msgspec.Struct):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: _Format | None = None


class _Counted(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What Anthropic's page lists for counting. `cache_control` to `workspace_id` are taken and not used."""

    model: Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
    messages: Annotated[list[_Turn], msgspec.Meta(min_length=1, max_length=MOST_MESSAGES)]
    system: str | list[_Text] | None = None
    tools: Annotated[list[_Tool], msgspec.Meta(max_length=MOST_TOOLS)] | None = None
    tool_choice: _ToolChoice | None = None
    thinking: _Thinking | None = None
    output_config: _Output | None = None
    output_format: _Format | None = None
    mcp_servers: Annotated[list[Any], msgspec.Meta(max_length=0)] | None = None
    moa: Options | None = None
    cache_control: Any = None
    context_management: Any = None
    speed: Any = None
    user_profile_id: Any = None
    workspace_id: Any = None


class Body(_Counted, forbid_unknown_fields=True, kw_only=True):
    """What it lists for asking. `top_k` and what follows are taken and not used."""

    max_tokens: Count
    stop_sequences: Annotated[list[Filled], msgspec.Meta(max_length=MOST_STOPS)] | None = None
    stream: bool | None = None
    temperature: Share | None = None
    top_p: Share | None = None
    top_k: Count | None = None
    container: Any = None
    diagnostics: Any = None
    inference_geo: Any = None
    metadata: Any = None
    service_tier: Any = None
    thread: Json | None = None


_UNUSED = (
    "context_management", "speed", "user_profile_id", "workspace_id", "top_k", "container", "diagnostics", "inference_geo",
    "metadata", "service_tier",
)  # fmt: skip
"""What is taken and not used, but for the marks of a cache: the answer names what was sent of it."""


class Messages:
    """The dialect; see Dialect. Nothing is kept from one request to the next, so a `thread` is refused in the words after which
    Anthropic's SDK, whose tool runner asks for one, sends the whole conversation instead."""

    def read(self, body: Any) -> Asked:
        """See Dialect."""
        asked: Body = _typed(body, Body)
        if asked.thread is not None:
            code = "thread_not_found" if asked.thread.get("type") == "continue" else "thread_unsupported_request"
            raise Rejection(f"Threads are {KEPT}", param="thread", code=code)
        turns = _conversation(asked)
        check_results(turns, lambda number: "messages")
        return Asked(
            asked.model,
            turns,
            _form(asked),
            _sampling(asked),
            bool(asked.stream),
            options=asked.moa or Options(),
            echo={"ignored": ignored} if (ignored := sent_of(asked, _UNUSED)) else {},
        )

    def whole(self, asked: Asked, answered: Answered) -> Json:
        """See Dialect."""
        return message(asked, answered)

    def speaking(self, asked: Asked) -> Speaking:
        """See Dialect."""
        return Speech(asked)

    def refusal(self, error: Exception) -> Json:
        """See Dialect."""
        return anthropic_error(error)


def counted(body: Any) -> Json:
    """The answer to POST /v1/messages/count_tokens: an estimate, since no tokenizer is that of a mixture.

    Raises:
        Rejection: the body is wrong; names the parameter.
    """
    asked: _Counted = _typed(body, _Counted)
    return {"input_tokens": reckoned(Asked(asked.model, _conversation(asked), _form(asked)))}


def _typed(body: Any, kind: type[Any]) -> Any:
    try:
        return converted(body, kind)
    except Rejection as error:
        if error.code == "invalid_value" and (error.param or "").endswith(".type"):
            raise Rejection(f"{error} {TAKEN}", param=error.param, code=error.code) from None
        raise


def _conversation(asked: _Counted) -> Conversation:
    blocks = asked.system if isinstance(asked.system, list) else [_Text(asked.system or "")]
    told = "\n\n".join(block.text for block in blocks if block.text)  # many hosts take one text only
    turns = [said for n, turn in enumerate(asked.messages) for said in _said(turn, f"messages[{n}].content")]
    if not any(_asks(turn) for turn in turns):
        raise Rejection("The messages ask nothing: a user message with text is needed.", param="messages")
    return (*((system(told),) if told else ()), *turns)


def _asks(turn: Message) -> bool:
    return turn.role == "user" and any(not isinstance(part, Text) or part.text.strip() for part in turn.parts)


def _said(turn: _Turn, where: str) -> Iterator[Message]:
    """The messages that one of Anthropic's is: tool results, which answer the turn before, are messages of their own."""
    blocks = [_Text(turn.content)] if isinstance(turn.content, str) else turn.content
    for number, block in enumerate(blocks):
        if not isinstance(block, _PLACES[turn.role]):
            kind = type(block).__struct_config__.tag
            raise Rejection(
                f"Invalid block: a message of role '{turn.role}' holds no '{kind}'.",
                param=f"{where}[{number}].type",
                code="invalid_value",
            )
        if isinstance(block, _ToolResult):
            yield Message("tool", (ToolResult(block.tool_use_id, _result(block)),))
    if parts := tuple(part for block in blocks for part in _parts(block)):
        yield Message(turn.role, parts)


def _parts(block: _Block) -> Iterator[Part]:
    match block:
        case _Text(text):
            yield Text(text)
        case _Image(_Url(url)):
            yield Image(url)
        case _Image(_Base64(media, data)):
            yield Image(f"data:{media};base64,{data}")
        case _ToolResult(id, [*pieces]):
            yield from shown(id, (part for piece in pieces if isinstance(piece, _Image) for part in _parts(piece)))
        case _ToolUse(id, name, given):
            yield ToolCall(id, name, msgspec.json.encode(given).decode())


def _result(block: _ToolResult) -> str:
    """A tool's result as text, which is all that every host takes there; see `_parts` for its images."""
    if isinstance(block.content, str):
        text = block.content
    else:
        pieces = (piece.text if isinstance(piece, _Text) else SHOWN_BELOW for piece in block.content or ())
        text = "\n".join(pieces)
    return f"Error: {text}" if block.is_error else text


def _sampling(asked: Body) -> Sampling:
    effort = asked.output_config.effort if asked.output_config else None
    thinks = asked.thinking is not None and asked.thinking.type == "enabled"
    return Sampling(
        temperature=asked.temperature,
        top_p=asked.top_p,
        max_tokens=asked.max_tokens or None,
        stop=tuple(asked.stop_sequences or ()),
        reasoning_effort=effort or ("high" if thinks else None),
    )


def _form(asked: _Counted) -> Form:
    usual = asked.output_config.format if asked.output_config else None
    wanted, place = usual or asked.output_format, "output_config.format.schema" if usual else "output_format.schema"
    choice = asked.tool_choice
    parallel = choice.disable_parallel_tool_use if choice and asked.tools else None
    tools = tuple(_tool(tool, f"tools[{n}]") for n, tool in enumerate(asked.tools or ()))
    chosen, allowed = _choice(choice, {tool.name for tool in tools})
    return Form(
        tools=tuple(tool for tool in tools if tool.name in allowed),
        tool_choice=chosen,
        parallel_tools=None if parallel is None else not parallel,
        schema=encoded(wanted.schema, place) if wanted else "",
    )


def _tool(tool: _Tool, where: str) -> Tool:
    return Tool(tool.name, tool.description or "", encoded(tool.input_schema, f"{where}.input_schema"), tool.strict)


def _choice(choice: _ToolChoice | None, names: set[str]) -> tuple[str, set[str]]:
    """The choice as a Form has it, and the names of the tools it leaves."""
    if choice is not None and choice.type == "any" and not names:
        raise Rejection(NO_TOOLS, param="tool_choice", code="invalid_value")
    if choice is None or (choice.type != "tool" and not names):
        return "", names
    if choice.type != "tool":
        return {"auto": "auto", "any": "required", "none": "none"}[choice.type], names
    if choice.name is None or choice.name not in names:
        raise Rejection("Invalid tool_choice: no tool has this name.", param="tool_choice.name", code="invalid_value")
    return of_name(choice.name, names)
