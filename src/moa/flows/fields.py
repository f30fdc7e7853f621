"""A vote on every field of JSON answers by itself: the whole may be right though nobody's whole answer is."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from moa.core.errors import NotEnoughReplies
from moa.core.flow import Combine
from moa.core.types import Conversation, Replies, Reply
from moa.flows.answers import answer_of
from moa.flows.vote import plurality

_HALF = re.compile("[\ud800-\udfff]")
"""Half a surrogate pair."""


def by_field() -> Combine:
    """The object whose every field has the value that most proposals give it, nested objects likewise; no call is made.

    A proposal that lacks a field, or says null, abstains there, and does not count against those that speak of it: so specialists
    may each fill in their own. A field of which nobody says more than null is null. Where none of them is an object, the answer
    that most give stands in, and the reply says so in its notes.
    """

    async def combine(conversation: Conversation, references: Replies) -> Reply:
        if not references:
            raise NotEnoughReplies(0, 1, label="fields")
        objects = [found for one in references if isinstance(found := object_of(one.text), dict)]
        if not objects:
            return plurality(references, "json").noted("fallback: no proposal is a JSON object")
        reply = Reply(_written(merged(objects)), model=references[0].model, agent="fields")
        left = len(references) - len(objects)
        return reply.noted(f"fields: {left} of {len(references)} proposals are no JSON object") if left else reply

    return combine


def object_of(text: str) -> Any:
    """The JSON that a text holds; None where it holds none. NaN and infinite numbers, which JSON has no words for, are null."""
    found = answer_of(text, "json")
    return None if found is None else json.loads(found, parse_constant=lambda word: None)


def _written(value: Any) -> str:
    """A value as JSON that UTF-8 has bytes for."""
    return _HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", json.dumps(value, ensure_ascii=False, allow_nan=False))


def merged(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """One object of many, field by field, in the order in which the fields first came."""
    result: dict[str, Any] = {}
    for name in dict.fromkeys(name for one in objects for name in one):
        given = [one[name] for one in objects if one.get(name) is not None]
        result[name] = _elected(given) if given else None
    return result


def _elected(values: list[Any]) -> Any:
    """The value given most often, the first of equals; objects are merged."""
    if all(isinstance(value, dict) for value in values):
        return merged(values)
    written = [json.dumps(value, sort_keys=True) for value in values]
    winner, _ = Counter(written).most_common(1)[0]
    return values[written.index(winner)]
