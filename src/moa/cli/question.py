"""What the user hands in -> a conversation: words, stdin, files, pictures."""

from __future__ import annotations

import base64
import os
import re
import select
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from moa.cli.output import Screen
from moa.core.errors import ConfigError
from moa.core.named import check_name
from moa.core.types import Conversation, Image, Message, Part, Text, system

MOST_TEXT = 10 << 20
MOST_IMAGE = 20 << 20
PATIENCE = 2.0
"""Seconds after which we say that we wait for stdin."""

_MAGIC = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
)


def said(words: Sequence[str], screen: Screen) -> str:
    """The question in the arguments, with the text piped in appended (or alone, where there are no words)."""
    asked = " ".join(os.fsencode(word).decode("utf-8", "replace") for word in words).strip()
    piped = _piped(screen, waiting=bool(asked)).strip("\r\n")
    question = "\n\n".join(part for part in (asked, piped) if part.strip())
    if not question:
        raise ConfigError('the question is empty; say what you want to know: moa ask "…"')
    return question


@dataclass(frozen=True, slots=True)
class Attached:
    """What goes with a question: fenced texts, pictures, and named parts."""

    texts: tuple[str, ...] = ()
    pictures: tuple[Image, ...] = ()
    parts: tuple[Part, ...] = ()


def attached(
    files: Sequence[Path] | None, images: Sequence[Path] | None, parts: Sequence[str] | None = None
) -> Attached:
    """What `files`, `images` and `parts` ("NAME=TEXT" or "NAME=@FILE") hold.

    Raises:
        ConfigError: one cannot be read, is no text, no picture of a known kind, or no part.
    """
    return Attached(
        tuple(fenced(path) for path in files or ()),
        tuple(picture(path) for path in images or ()),
        tuple(named(text) for text in parts or ()),
    )


def named(text: str) -> Part:
    """A part of the question, of "NAME=TEXT" or "NAME=@FILE"; a file is a picture or text.

    Raises:
        ConfigError: it has no name, is empty, or its file cannot be read.
    """
    name, equals, said = text.partition("=")
    where = f"--part {name[:80]}"
    if not equals:
        raise ConfigError(f'{where}: write --part NAME=TEXT or --part NAME=@FILE, as in --part "labs=@labs.txt"')
    check_name(name, where)
    if said.startswith("@"):
        path = Path(said[1:])
        data = _read(path, MOST_IMAGE)
        if any(magic.match(data) for magic, _ in _MAGIC):
            return Image(picture(path).url, name)
        said = _text(data, f"{where}: {path}")
    if not said.strip():
        raise ConfigError(f"{where}: it is empty; leave it out")
    return Text(said, name)


def turn(question: str, attached: Attached) -> Message:
    """The user's turn: the question, and what goes with it."""
    return Message("user", (Text("\n\n".join((question, *attached.texts))), *attached.pictures, *attached.parts))


def opening(prompt: str | None) -> Conversation:
    """What a conversation begins with: the system prompt, where one was given."""
    return (system(prompt),) if prompt and prompt.strip() else ()


def fenced(path: Path) -> str:
    """A text file as a fenced block under its name; the fence is longer than any run of backticks inside."""
    text = _text(_read(path, MOST_TEXT), f"--file {path}")
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    name = os.fsencode(path.name).decode("utf-8", "replace")
    return f"File {name}:\n{fence}\n{text.removesuffix(chr(10))}\n{fence}"


def _text(data: bytes, where: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise ConfigError(f"{where}: not UTF-8 text; pass pictures by --image, and other files as text")
    return text


def picture(path: Path) -> Image:
    """A picture as a data URL, its kind told by its first bytes."""
    data = _read(path, MOST_IMAGE)
    kind = next((kind for magic, kind in _MAGIC if magic.match(data)), None)
    if kind is None:
        raise ConfigError(f"--image {path}: no PNG, JPEG, GIF or WebP picture")
    return Image(f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}")


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > most:
        raise ConfigError(f"{path}: more than {most >> 20} MB; give a smaller file")
    return data


def _piped(screen: Screen, *, waiting: bool) -> str:
    """All of stdin where it is no terminal. Who forgot that it is open is told so: otherwise this looks like a hang."""
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        return ""
    if waiting and not select.select([sys.stdin], [], [], PATIENCE)[0]:
        screen.say("waiting for the end of stdin, which is added to the question (none to add? use </dev/null)")
    data = sys.stdin.buffer.read(MOST_TEXT + 1)
    if len(data) > MOST_TEXT:
        raise ConfigError(f"stdin: more than {MOST_TEXT >> 20} MB; give less")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError("stdin: not UTF-8 text; pass pictures by --image") from None
