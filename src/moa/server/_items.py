"""The items a Responses request is made of: what was said, which tools were called, and what they gave back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

import msgspec

from moa.core.types import Conversation, Image, Message, Part, Role, Text, ToolCall, ToolResult, user
from moa.server._tooling import arguments_of, flat
from moa.server.asked import SHOWN_BELOW, converted, shown
from moa.server.chat import Json, check_images
from moa.server.refusals import Rejection, wrong

MOST_ITEMS = 4096
_OUTPUTS = ("function_call_output", "custom_tool_call_output")
Filled = Annotated[str, msgspec.Meta(min_length=1)]


class _Said(msgspec.Struct):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Any]


class _Called(msgspec.Struct):
    call_id: Filled
    name: Filled
    arguments: str
    namespace: str | None = None


class _CalledWithText(msgspec.Struct):
    call_id: Filled
    name: Filled
    input: str
    namespace: str | None = None


class _Returned(msgspec.Struct):
    call_id: Filled
    output: str | list[Any]


class _Piece(msgspec.Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None


def said_in(items: list[Any]) -> Conversation:
    """What the items say, in their order. Of instructions alone the last is the question, as in chat completions.

    Raises:
        Rejection: one is wrong, or of a type that is not served; names it.
    """
    said = tuple(_joined(_messages(items)))
    if said and all(message.role == "system" for message in said):
        return (*said[:-1], Message("user", said[-1].parts))
    return said


def _messages(items: list[Any]) -> Iterator[Message]:
    """The items as messages, each on its own; reasoning is left out, since no host takes another's."""
    if len(items) > MOST_ITEMS:
        raise wrong("input", f"at most {MOST_ITEMS} items")
    called, returned, images = set[str](), set[str](), list[Part]()
    for number, item in enumerate(items):
        where = f"input[{number}]"
        if not isinstance(item, dict):
            raise wrong(where, "an item is an object")
        kind = item.get("type") or ("message" if "role" in item else "item_reference")
        if images and kind not in (*_OUTPUTS, "reasoning"):  # results of one turn stay together
            yield Message("user", tuple(images))
            images.clear()
        match kind:
            case "message":
                yield _said(item, where)
            case "function_call" | "custom_tool_call":
                call = _call(item, where)
                called.add(call.id)
                yield Message("assistant", (call,))
            case _ if kind in _OUTPUTS:
                result, more = _returned(item, where, called)
                returned.add(result.id)
                yield Message("tool", (result,))
                images += more
            case "reasoning":
                pass
            case "item_reference":
                raise wrong(f"{where}.type", "items are not kept by this server: send the item itself")
            case _:
                raise wrong(f"{where}.type", f"items of type '{str(kind)[:80]}' are not supported")
    if images:
        yield Message("user", tuple(images))
    if missing := sorted(called - returned):
        raise wrong("input", f"no output of tool call {', '.join(missing)[:200]} is among its items")


def _said(item: Json, where: str) -> Message:
    said: _Said = _typed(item, _Said, where)
    role: Role = "system" if said.role == "developer" else said.role
    if isinstance(said.content, str):
        return Message(role, (Text(said.content),))
    return Message(role, tuple(_part(part, f"{where}.content[{n}]") for n, part in enumerate(said.content)))


def _call(item: Json, where: str) -> ToolCall:
    """The call of a tool, as hosts know it."""
    call = _typed(item, _Called if item["type"] == "function_call" else _CalledWithText, where)
    arguments = call.arguments if isinstance(call, _Called) else arguments_of(call.input)
    return ToolCall(call.call_id, flat(call.name, call.namespace or ""), arguments)


def _returned(item: Json, where: str, called: set[str]) -> tuple[ToolResult, list[Part]]:
    """A tool's result as text, and its images, each behind a word on whose it is."""
    result: _Returned = _typed(item, _Returned, where)
    if result.call_id not in called:
        raise wrong(f"{where}.call_id", f"no tool call before it has call_id '{result.call_id[:80]}'")
    if isinstance(result.output, str):
        return ToolResult(result.call_id, result.output), []
    parts = [_part(part, f"{where}.output[{n}]") for n, part in enumerate(result.output)]
    text = "".join(part.text if isinstance(part, Text) else SHOWN_BELOW for part in parts)
    return ToolResult(result.call_id, text), [*shown(result.call_id, (p for p in parts if isinstance(p, Image)))]


def _part(part: Any, where: str) -> Part:
    if not isinstance(part, dict):
        raise wrong(where, "a part is an object")
    piece: _Piece = _typed(part, _Piece, where)
    match piece:
        case _Piece("input_text" | "output_text", str(text)):
            return Text(text)
        case _Piece("refusal", refusal=str(text)):
            return Text(text)
        case _Piece("input_image", image_url=str(url)):
            return _image(url, f"{where}.image_url")
    needed = {"input_text": "text", "output_text": "text", "refusal": "refusal", "input_image": "image_url"}.get(
        piece.type
    )
    if needed is None:
        raise wrong(f"{where}.type", f"parts of type '{piece.type[:80]}' are not supported")
    raise Rejection(
        f"Missing required parameter: '{where}.{needed}'.", param=f"{where}.{needed}", code="missing_required_parameter"
    )


def _image(url: str, where: str) -> Image:
    image = Image(url)
    try:
        check_images((user(image),))
    except Rejection as error:
        raise Rejection(str(error), param=where, code=error.code) from None
    return image


def _joined(messages: Iterable[Message]) -> Iterator[Message]:
    """The messages with the tool calls of one turn in one message, behind its text: hosts want the results right after it."""
    held: Message | None = None
    for message in messages:
        calls = message.role == "assistant" and any(
            isinstance(part, ToolCall) for part in (*message.parts, *(held or message).parts)
        )
        if held is not None and held.role == "assistant" and calls:
            held = Message(
                "assistant", tuple(sorted((*held.parts, *message.parts), key=lambda part: isinstance(part, ToolCall)))
            )
            continue
        if held is not None:
            yield held
        held = message
    if held is not None:
        yield held


def _typed(item: Json, kind: type[Any], where: str) -> Any:
    """A part of a body as what it should be; what is wrong with it is named from the body on."""
    try:
        return converted(item, kind)
    except Rejection as error:
        param = f"{where}.{error.param}" if error.param else where
        words = str(error).replace(f"'{error.param or ''}'", f"'{param}'", 1)
        raise Rejection(words, param=param, code=error.code) from None
