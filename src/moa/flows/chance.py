"""The probability that a text states. A figure is one only where the text says so: a share, a dose or a confidence beside it is
none, and who states no probability abstains."""

from __future__ import annotations

import json
import re
from typing import Any

from moa.flows.answers import answer_of, stated

NAMES = ("probability", "score", "p", "chance", "answer")
"""The fields of a JSON object that hold it, the first of them that is there."""
_WORDS = r"(?:probability|chances?|likelihood|risk|score|estimate)"
_NAMED = re.compile(
    rf"(?i)\b{_WORDS}\b(?:\s*\([^()%\n]{{0,40}}\))?(?:\s+(?:of|that|for)\b[^\d\n.;:=]{{0,80}}?(?=\bis\b|[:=]))?"
)
_COUNTED = re.compile(rf"(?i)(?<![\w.,])(\d{{1,3}}(?:[.,]\d+)?\s*(?:%|per\s?cent\b)|0?\.\d+)\s+(?:{_WORDS}|likely)\b")
_LEAD = re.compile(
    r"(?i)(?:\b(?:is|at|about|around|roughly|approximately|nearly|almost|circa|I'd|I|would|say|estimate|guess)\b|[\s:=*_`$|~≈\"'])*"
)
_FIGURE = re.compile(r"(?i)(\d{1,3}[.,]\d++|\d{1,3}|\.\d++)(e-?\d{1,3})?(?![\d.,]*\d)(\s*(?:%|per\s?cent\b))?")
_OF_MORE = re.compile(r"(?i)\s*(?:/|-|–|in\b|of\b|out of\b|to\b|and\b|or\b)\s*[\d.]")
"""Behind a figure: it is one of a range, or so many of so many."""


def probability_of(text: str) -> float | None:
    """The probability a text states: as JSON (in a field of NAMES, in a fence or not), as its "Answer:", behind a word such as
    "Probability:" (the last one), as "a 70 % chance", or as the whole of its last line. In per cent or as a fraction, with a
    point or a comma; None where there is none between 0 and 1, or a range."""
    found = answer_of(text, "json")
    value = json.loads(found) if found else None
    if isinstance(value, dict) and any(value.get(name) is not None for name in NAMES):
        return _of_object(value)
    said = stated(text)
    named = [figure for match in _NAMED.finditer(text) if (figure := _led(_rest(text, match.end()))) is not None]
    counted = [figure for match in _COUNTED.finditer(text) if (figure := _led(match[1])) is not None]
    last = text.strip().rpartition("\n")
    whole = _led(last[2], alone=True, whole=not last[1])
    return next((one for one in (_led(said), *named[-1:], *counted[-1:], whole) if one is not None), None)


def _rest(text: str, at: int) -> str:
    """The rest of the line, of which no more than a lead and a figure matters."""
    return text[at : at + 200].partition("\n")[0]


def _of_object(value: dict[str, Any]) -> float | None:
    figure = next(value[name] for name in NAMES if value.get(name) is not None)
    if isinstance(figure, str):
        return _led(figure, alone=True, whole=True)
    return _between(figure) if isinstance(figure, int | float) and not isinstance(figure, bool) else None


def _led(said: str, *, alone: bool = False, whole: bool = True) -> float | None:
    """The figure that a line begins with, behind words such as "is about"; `alone`: and that nothing follows. A bare 0 or 1 is one
    where nothing more follows it, and in the last of many lines not even there: it may count something."""
    lead = _LEAD.match(said)
    match = _FIGURE.match(said, lead.end() if lead else 0)
    if match is None:
        return None
    digits, power, per_cent = match.groups()
    after = said[match.end() :]
    if _OF_MORE.match(after) or (alone and re.search(r"\w", after)):
        return None
    if digits.isdigit() and not per_cent and not (power or (whole and re.match(r"\W*$|\s*[(;]", after))):
        return None
    if "," in digits and not (per_cent or digits.startswith("0,")):
        return None
    figure = float(digits.replace(",", ".") + (power or ""))
    return _between(figure / 100 if per_cent else figure)


def _between(figure: float) -> float | None:
    return float(figure) if 0 <= figure <= 1 else None
