"""What a user hands in -> a Conversation: a question, messages, or OpenAI-shaped dictionaries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from moa.core.errors import ConfigError
from moa.core.named import check_names, turn_of
from moa.core.types import Conversation, Image, Message, Part, Role, Text, ToolCall, ToolResult, user

Question: TypeAlias = str | Message | Mapping[str, str | Image | None] | Iterable[Message | Mapping[str, Any]]
"""A question, named parts (`{"question": "…", "labs": "…", "scan": Image(…)}`), one message, messages, or OpenAI-shaped
dictionaries (`{"role": "user", "content": "…"}`)."""

_ROLES: dict[object, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}


def conversation_of(question: Question) -> Conversation:
    """The conversation a question stands for.

    Raises:
        ConfigError: it is empty, a message of it has no known shape, or a part is not named as it can be; names it.
    """
    if isinstance(question, str):
        messages: Conversation = (user(question),)
    elif isinstance(question, Message):
        messages = (question,)
    elif isinstance(question, Mapping):
        messages = (turn_of(question),)
    elif not isinstance(question, Iterable):
        raise ConfigError(f"a question is a text, a Message or a list of messages, not {type(question).__name__}")
    else:
        messages = tuple(_message(entry, f"messages[{index}]") for index, entry in enumerate(question))
    if not any(_says_something(message) for message in messages if message.role == "user"):
        raise ConfigError("the question is empty; say what you want to know")
    check_names(messages)
    return messages


def _says_something(message: Message) -> bool:
    return any(not isinstance(part, Text) or part.text.strip() for part in message.parts)


def _message(entry: Message | Mapping[str, Any], where: str) -> Message:
    if isinstance(entry, Message):
        return entry
    if not isinstance(entry, Mapping):
        raise ConfigError(f"{where}: a message is a dictionary with role and content, not {type(entry).__name__}")
    role = _ROLES.get(str(entry.get("role")))
    if role is None:
        raise ConfigError(f"{where}.role: {entry.get('role')!r} is not one of {', '.join(map(str, _ROLES))}")
    if role == "tool":
        return Message(
            "tool", (ToolResult(str(entry.get("tool_call_id", "")), _plain_text(entry.get("content"), where)),)
        )
    asked = entry.get("tool_calls") or ()
    if not isinstance(asked, list | tuple):
        raise ConfigError(f"{where}.tool_calls: a list is needed, not {type(asked).__name__}")
    calls = tuple(_tool_call(call, f"{where}.tool_calls[{n}]") for n, call in enumerate(asked))
    return Message(role, (*_content(entry.get("content"), where, optional=bool(calls)), *calls))


def _content(content: object, where: str, *, optional: bool) -> tuple[Part, ...]:
    if content is None and optional:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    if isinstance(content, list | tuple):
        return tuple(_part(part, f"{where}.content[{n}]") for n, part in enumerate(content))
    raise ConfigError(f"{where}.content: text or a list of parts is needed, not {type(content).__name__}")


def _part(part: object, where: str) -> Part:
    kind = part.get("type") if isinstance(part, Mapping) else None
    if isinstance(part, Mapping) and kind in ("text", "input_text") and isinstance(part.get("text"), str):
        return Text(part["text"])
    if isinstance(part, Mapping) and kind == "image_url":
        image = part.get("image_url")
        url = image.get("url") if isinstance(image, Mapping) else image
        if isinstance(url, str):
            return Image(url)
    raise ConfigError(
        f"{where}: a part is {{'type': 'text', 'text': …}} or {{'type': 'image_url', 'image_url': {{'url': …}}}}"
    )


def _tool_call(call: object, where: str) -> ToolCall:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(call, Mapping) or not isinstance(function, Mapping) or not function.get("name"):
        raise ConfigError(f"{where}: a tool call has an id and a function with name and arguments")
    return ToolCall(str(call.get("id", "")), str(function["name"]), str(function.get("arguments", "{}")))


def _plain_text(content: object, where: str) -> str:
    parts = _content(content, where, optional=True)
    if not all(isinstance(part, Text) for part in parts):
        raise ConfigError(f"{where}.content: what a tool gives back is text; show images in a turn of the user's")
    return "".join(part.text for part in parts if isinstance(part, Text))
