"""Named parts of a question: which of them an agent sees, and how they are shown to a model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from moa.core.errors import ConfigError
from moa.core.types import Conversation, Image, Message, Part, Text, name_of, named_part, names_of, user

QUESTION = "question"
"""What all agents see: no part can be called so."""
_NAME = re.compile(r"\w(?:[\w .-]{0,62}\w)?")


def check_name(name: object, where: str) -> None:
    """See that a part can be called so.

    Raises:
        ConfigError: it cannot; begins with `where`.
    """
    if name == QUESTION:
        raise ConfigError(f"{where}: {QUESTION!r} is what all agents see; take another name for a part")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(f"{where}: {name!r} names no part; up to 64 letters, digits, spaces, - _ . do")


def check_names(conversation: Conversation) -> None:
    """See that the named parts are called as they can be, hold something, and stand in the user's turns.

    Raises:
        ConfigError: one is not; names it.
    """
    if not names_of(conversation):
        return
    for number, message in enumerate(conversation):
        for part in message.parts:
            if name := name_of(part):
                check_name(name, f"messages[{number}]")
                if message.role != "user":
                    raise ConfigError(f"messages[{number}]: part {name!r} is named; only a user's turn has named parts")
                if isinstance(part, Text) and not part.text.strip():
                    raise ConfigError(f"messages[{number}]: part {name!r} is empty; leave it out")


def turn_of(parts: Mapping[str, str | Image | None]) -> Message:
    """A user's turn of named parts; "question" is what all agents see, None is left out.

    Raises:
        ConfigError: one is neither text nor an Image, or cannot be called so.
    """
    if "role" in parts and "content" in parts:
        raise ConfigError("a question is a text, named parts, or a list of messages; put this message into a list")
    for name, said in parts.items():
        if name != QUESTION:
            check_name(name, "a question's part")
        if not isinstance(said, str | Image | None):
            raise ConfigError(f"part {name!r}: text or an Image is needed, not {type(said).__name__}")
    asked = [said for name, said in parts.items() if name == QUESTION and said is not None]
    named = [named_part(name, said) for name, said in parts.items() if name != QUESTION and said is not None]
    return Message("user", (*user(*asked).parts, *named))


def joined(conversation: Conversation, parts: Sequence[Part]) -> Conversation:
    """The same conversation with more parts in its last user's turn; a new one, where there is none."""
    for place in range(len(conversation) - 1, -1, -1):
        message = conversation[place]
        if message.role == "user":
            turn = replace(message, parts=(*message.parts, *parts))
            return (*conversation[:place], turn, *conversation[place + 1 :])
    return (*conversation, Message("user", tuple(parts)))


def seen_by(view: Sequence[str], conversation: Conversation) -> Conversation:
    """What a view leaves of a conversation: unnamed parts, and the named ones in it. A turn of which nothing is left is gone."""
    if not view or not (hidden := set(names_of(conversation)).difference(view)):
        return conversation
    turns = []
    for message in conversation:
        parts = tuple(part for part in message.parts if name_of(part) not in hidden)
        if parts or not message.parts:
            turns.append(message if len(parts) == len(message.parts) else replace(message, parts=parts))
    return tuple(turns)


def text_of(conversation: Conversation, name: str) -> str:
    """The text of the part of that name; of several, all of them, a blank line between. Empty where there is none."""
    parts = (part for message in conversation for part in message.parts)
    return "\n\n".join(part.text for part in parts if isinstance(part, Text) and part.name == name)


def headed(messages: Conversation) -> Conversation:
    """The same messages as a model is shown them: each named part under its name, between blank lines."""
    if not names_of(messages):
        return messages
    return tuple(replace(message, parts=_headed(message.parts)) for message in messages)


def _headed(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    shown: list[Part] = []
    for place, part in enumerate(parts):
        gap = "\n\n" if place else ""
        name, behind = name_of(part), place > 0 and bool(name_of(parts[place - 1]))
        if name:
            heading = f"{gap}{name}:\n"
            shown += (Text(heading + part.text),) if isinstance(part, Text) else (Text(heading), _plain(part))
        elif behind and isinstance(part, Text) and not part.text.startswith("\n\n"):
            shown.append(Text(gap + part.text))
        else:
            shown.append(part)
    return tuple(shown)


def _plain(part: Part) -> Part:
    return Image(part.url) if isinstance(part, Image) else part
