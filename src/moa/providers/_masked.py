"""What a host says, without what is ours in it: hosts quote the key, the address and the prompt that they were sent."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from moa.core.types import Conversation, Text

SIZE, PROMPT_SIZE = 8, 24
"""So many characters in a row that stand in a key or a path, or in a prompt, are no chance."""
LONGEST = 1000
LEAST_KEY = 4
"""A shorter key is none, but what somebody wrote because one was wanted."""
LOOKED_AT = 10_000
"""Characters at the beginning and at the end of a prompt: the instructions, and what was asked last."""
_HALF_HIDDEN = re.compile(r"[^\s'\"]+(\*{3,}|\.{3}|…)[^\s'\"]+")
"""A key as those hosts show it that hide its middle."""


def masked(words: str, key: str, address: str, messages: Conversation) -> str:
    """The words (the first LONGEST characters), with what is ours in them named instead."""
    words = words[:LONGEST]
    if len(key) >= LEAST_KEY:
        words = _HALF_HIDDEN.sub("[key]", words)
        forms = (key, quote(key, safe=""), base64.b64encode(key.encode()).decode())
        words = _without(words, forms, min(len(key), SIZE), "[key]")
    url = urlsplit(address)
    words = words.replace(address, "[address]").replace(url.netloc, "[address]")
    words = _without(words, (url.path,), SIZE, "[address]")
    said = "\n".join(part.text for message in messages for part in message.parts if isinstance(part, Text))
    return _without(words, (said[:LOOKED_AT], said[LOOKED_AT:][-LOOKED_AT:]), PROMPT_SIZE, "[prompt]")


def _without(words: str, hidden: Iterable[str], size: int, instead: str) -> str:
    """The words without any `size` characters in a row, in small letters or capitals, that stand in what is to be hidden."""
    forms, kept, until = [_lowered(form) for form in hidden], list[str](), -1
    lowered = _lowered(words)
    for at, sign in enumerate(words):
        piece = lowered[at : at + size]
        if len(piece) == size and any(piece in form for form in forms):
            kept += [instead] if at > until else []
            until = at + size
        elif at >= until:
            kept.append(sign)
    return "".join(kept)


def _lowered(text: str) -> str:
    """In small letters, each at its place: one that would become two stays."""
    small = text.lower()
    return small if len(small) == len(text) else "".join(one.lower() if len(one.lower()) == 1 else one for one in text)
