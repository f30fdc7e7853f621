"""What the answer of a text is, normalised so that equal answers compare equal: numbers, choices, JSON, literals, text.

One extractor for all models: extraction alone can fake a difference of several points.
"""

from __future__ import annotations

import ast
import json
import re
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, DecimalException
from fractions import Fraction
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["auto", "number", "choice", "json", "literal", "text"]

# All of these take time that grows as the text does, whatever it is: what repeats is possessive, or stays in its line.
_LABEL = re.compile(r"(?i)\banswer\**+(?:\s++is\b\s*+:?+|\s*+[:=])\s*+\**+\s*+([^\n]+)")
_BOXED = re.compile(r"\\boxed\{((?:[^{}]|\{[^{}]*\})*)\}")
_NUMBER = re.compile(
    r"[-+−]?(?:\d{1,9}\s?)?\\[dt]?frac\{\d{1,15}\}\{0*[1-9]\d{0,14}\}"
    r"|(?<![\d./])[-+−]?(?:\d{1,9}\s)?\d{1,15}\s?/\s?0*[1-9]\d{0,14}(?![\d/]|\.\d)"
    r"|[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?|[-+−]?\.\d+"
)
_COMMA = re.compile(r"(?<![\d.,])(0|\d+(?=,(?:\d{1,2}|\d{4,})(?!\d))),(\d+)(?![\d,]|\.\d)")
"""A decimal comma: 0,35 and 2,5, but 1,500 is a number with thousands, and 1,2,3 are three."""
_SUM = re.compile(r"[\d)]\s*[-+−*/×·÷]\s*[\d(]")
_LITERAL = re.compile(
    r"(?:\s|[-+,:(){}\[\]]|(?:True|False|None|set)\b|\d[\d_]*+(?:\.\d*+)?(?:[eE][-+]?\d++)?"
    r"|[bB]?\"(?:[^\"\\\n]|\\[\\'\"abfnrtvx])*+\"|[bB]?'(?:[^'\\\n]|\\[\\'\"abfnrtvx])*+')++"
)
_LONGEST = 10_000
"""Characters of a text up to which it is read as a literal."""
_STATED_CHOICE = re.compile(r"(?i)\W*+(?:(?:option|choice)\W*+)?\b([A-J])\b")
_CHOICE = re.compile(
    r"(?i:\b(?:option|choice|answer(?:\s++is)?+))\W*+\b([A-J])\b"  # named as one
    r"|\(([A-J])\)|(?:^|\n)[^\w\n]*+([A-J])(?:[).:]|\s*+$)"  # marked as one
    r"|\b([B-HJ])\b"  # no word of its own
)
_FENCE = re.compile(r"```(?:json|python)?(?>\s*\n)(.*?)```", re.DOTALL)


def answer_of(text: str, kind: Kind = "auto") -> str | None:
    """The normalised answer of a text, or None where it holds none of that kind.

    "auto" takes what follows the last "Answer:" (or stands in a last `\\boxed{}`), else JSON where the whole text is JSON,
    else the whole text; a number among these is compared as a number, and words without their case and outer quotes. "literal"
    takes the same, and compares it as a value of Python (so 'a' and 'A', or 1 and '1', are two), or else as it stands.
    """
    if kind == "number":
        said = stated(text)
        worked = said.rpartition("=")[2]
        return _number(said if _SUM.search(worked) else worked) or _number(text, last=True)
    if kind == "choice":
        return _choice(text)
    if kind == "json":
        return _json(text)
    if kind == "literal":
        return _literal(text)
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
    spelt = _COMMA.sub(r"\1.\2", text)
    found = [match[0].replace(",", "").replace("−", "-") for match in _NUMBER.finditer(spelt)]
    if not found:
        return None
    one = found[-1 if last else 0]
    if "/" in one or "frac" in one:
        return _fraction(one)
    try:
        return _plain(Decimal(one), len(one))
    except DecimalException:
        return None


def _fraction(text: str) -> str | None:
    """A fraction, or a whole number and one, as a decimal where it is one (1/2 is 0.5), else in lowest terms."""
    *whole, above, below = map(int, re.findall(r"\d+", text))
    value = (Fraction(above, below) + sum(whole)) * (-1 if text.startswith("-") else 1)
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return _plain(exact, 30) if Fraction(exact) == value else str(value)


def _plain(value: Decimal, digits: int) -> str:
    """A number of so many digits at most, all of them kept, spelt in one way."""
    if not value:
        return "0"
    plain = value.normalize(Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN))
    return format(plain, "f") if abs(plain.adjusted()) < 40 else str(plain)


def _literal(text: str) -> str | None:
    """What a text is or states as a value of Python, spelt in one way; else that text as it stands."""
    for span in (text, stated(text), *_FENCE.findall(text)[-1:]):
        plain = span.strip().strip("*`").strip()
        for one in (plain, plain.rstrip(".").strip("*`").strip()):
            if _NUMBER.fullmatch(one):
                return _number(one)
            if (value := _read(one)) is not None:
                return value
    return (stated(text) or text).strip().strip("*`").strip() or None


def _read(text: str) -> str | None:
    if len(text) > _LONGEST or not _LITERAL.fullmatch(text):
        return None
    try:
        return _spelt(ast.literal_eval(text))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _spelt(value: Any) -> str:
    """A value so that equal ones are spelt alike: dicts and sets in order, a whole number without its point."""
    if isinstance(value, dict):
        return "{" + ", ".join(sorted(f"{_spelt(key)}: {_spelt(one)}" for key, one in value.items())) + "}"
    if isinstance(value, set):
        return "{" + ", ".join(sorted(map(_spelt, value))) + "}" if value else "set()"
    if isinstance(value, list):
        return "[" + ", ".join(map(_spelt, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_spelt, value)) + ("," if len(value) == 1 else "") + ")"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else repr(value)


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
            value = json.loads(span, parse_float=_float)
            if isinstance(value, dict | list):
                return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        except (ValueError, RecursionError):  # no JSON, or nested too deeply to be an answer
            continue
    return None


def _float(text: str) -> int | float:
    """A number of JSON; a whole one is written without its point, as the same number elsewhere is."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def _exact(text: str) -> str | None:
    """Text without its case, its outer quotes and marks, and with single spaces."""
    plain = " ".join(text.split()).strip("\"'“”‘’*`").rstrip(".!").casefold()
    return plain or None
