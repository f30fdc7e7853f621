"""What a message is made of: text, pictures, tool calls and their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from moa.core.values import quickly_made


@quickly_made
@dataclass(frozen=True, slots=True, repr=False)
class Text:
    """A run of text. One with a `name` is a part of the task that only some agents may see (`core/named.py`)."""

    text: str
    name: str = ""

    def __repr__(self) -> str:  # without an empty name: keys are made of it
        return f"Text(text={self.text!r}, name={self.name!r})" if self.name else f"Text(text={self.text!r})"


@quickly_made
@dataclass(frozen=True, slots=True, repr=False)
class Image:
    """A picture, as a `data:` URL (base64) or an `https:` URL the provider may fetch; its `name` is as of Text."""

    url: str
    name: str = ""

    def __repr__(self) -> str:
        return f"Image(url={self.url!r}, name={self.name!r})" if self.name else f"Image(url={self.url!r})"


@quickly_made
@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the assistant wants called; `arguments` is JSON text, exactly as the model wrote it."""

    id: str
    name: str
    arguments: str


@quickly_made
@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool answered to the ToolCall of the same id."""

    id: str
    content: str


Part: TypeAlias = Text | Image | ToolCall | ToolResult
NAMED = (Text, Image)
"""The parts that may have a name."""


def named_part(name: str, said: str | Image) -> Part:
    """A part of that name."""
    return Text(said, name) if isinstance(said, str) else Image(said.url, name)


def name_of(part: Part) -> str:
    """The name of a part; empty where it has none, and all agents see it."""
    return part.name if isinstance(part, NAMED) else ""
