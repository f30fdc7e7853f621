"""What a host says a call has used. It is written in many ways, and no answer is lost for it: what can be read counts, the rest is
estimated, and what makes no sense is told."""

from __future__ import annotations

from math import isnan, nan
from typing import Any

from moa.core.tokens import MOST_TOKENS
from moa.core.types import Usage

ODD = nan
"""A figure that makes no sense. A sum that it is part of makes none, either."""


def figure(said: Any, name: str, inner: str = "") -> float | None:
    """A count or a cost, by its name in what a host says, or its name inside of that: None where it is not said, ODD where it is
    negative, absurd, or no number. One written as text is read."""
    if not isinstance(said, dict):
        return ODD if said else None
    said = said.get(name)
    if said is None or inner:
        return None if said is None else figure(said, inner)
    if isinstance(said, str):
        try:
            said = float(said)
        except ValueError:
            return ODD
    return said if isinstance(said, (int, float)) and said.__class__ is not bool and 0 <= said < MOST_TOKENS else ODD


def counted(
    sent: float | None = None,
    made: float | None = None,
    cached: float | None = None,
    reasoning: float | None = None,
    written: float | None = None,
) -> Usage:
    """Figures of a host as Usage; an explicit 0 stays 0. Where `sent` or `made` is missing or odd it is `estimated`, with 0 in its
    place: money is never computed from them."""
    if isinstance(sent, int) and isinstance(made, int) and not (cached or reasoning or written):
        return Usage(sent, made)
    whole, said, read, thought, kept = [
        0 if not count or isnan(count) else int(count) for count in (sent, made, cached, reasoning, written)
    ]
    unknown = sent is None or made is None or isnan(sent + made)
    read = min(read, whole)
    return Usage(whole, said, read, min(thought, said), unknown, min(kept, whole - read))
