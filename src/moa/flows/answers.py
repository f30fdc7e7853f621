"""What the answer of a text is, normalised so that equal answers compare equal: numbers, choices, JSON, exact text.

One extractor for all models: extraction alone can fake a difference of several points.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["auto", "number", "choice", "json", "text"]

_LABEL = re.compile(r"(?i)\banswer\**(?:\s+is\b\s*:?|\s*[:=])\s*\**[^\S\n]*([^\n]+)")
_BOXED = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}")
_NUMBER = re.compile(r"[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?|[-+−]?\.\d+")
_STATED_CHOICE = re.compile(r"(?i)\W*(?:option|choice)?\W*\b([A-J])\b")
_CHOICE = re.compile(
    r"(?i:\b(?:option|choice|answer(?:\s+is)?))\W*\b([A-J])\b"  # named as one
    r"|\(([A-J])\)|(?:^|\n)\W*([A-J])(?:[).:]|\s*$)"  # marked as one
    r"|\b([B-HJ])\b"  # no word of its own
)
_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)


def answer_of(text: str, kind: Kind = "auto") -> str | None:
    """The normalised answer of a text, or None where it holds none of that kind.

    "auto" takes what follows the last "Answer:" (or stands in a last `\\boxed{}`), else JSON where the whole text is JSON,
    else the whole text; a number among these is compared as a number.
    """
    if kind == "number":
        return _number(stated(text).rpartition("=")[2]) or _number(text, last=True)
    if kind == "choice":
        return _choice(text)
    if kind == "json":
        return _json(text)
    if kind == "text":
        return _exact(text)
    said = stated(text)
    return _auto(said) if said else _json(text, whole=True) or _auto(text)


def stated(text: str) -> str:
    """What the text itself calls its answer; empty where it does not."""
    found = _LABEL.findall(text) or _BOXED.findall(text)
    return str(found[-1]).strip() if found else ""


def _auto(text: str) -> str | None:
    plain = text.strip().strip("*$`").rstrip(".").strip()
    whole = _NUMBER.fullmatch(plain)
    return (_number(plain) if whole else None) or _exact(plain)


def _number(text: str, *, last: bool = False) -> str | None:
    found = _NUMBER.findall(text)
    if not found:
        return None
    try:
        value = Decimal(str(found[-1 if last else 0]).replace(",", "").replace("−", "-"))
    except InvalidOperation:
        return None
    return (
        "0" if not value else format(value.normalize(), "f") if abs(value.adjusted()) < 40 else str(value.normalize())
    )


def _choice(text: str) -> str | None:
    """A letter from A to J: the one stated as the answer, else the last one marked as a choice; "A" and "I" are also words."""
    named = _STATED_CHOICE.match(stated(text))
    if named:
        return named.group(1).upper()
    found = [next(filter(None, groups)) for groups in _CHOICE.findall(text)]
    return str(found[-1]).upper() if found else None


def _json(text: str, *, whole: bool = False) -> str | None:
    """The last JSON object or array of a text, in canonical form; with `whole`, only where the text is nothing else."""
    fenced = _FENCE.findall(text)
    spans = (
        [text]
        if whole
        else [*fenced, text, text[text.find("{") : text.rfind("}") + 1], text[text.find("[") : text.rfind("]") + 1]]
    )
    for span in spans:
        try:
            value = json.loads(span)
        except ValueError:
            continue
        if isinstance(value, dict | list):
            return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return None


def _exact(text: str) -> str | None:
    """Text without its case, its outer quotes and marks, and with single spaces."""
    plain = " ".join(text.split()).strip("\"'“”‘’*`").rstrip(".!").casefold()
    return plain or None
