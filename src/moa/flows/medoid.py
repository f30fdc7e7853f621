"""The medoid: the proposal that is most like all the others, without asking anybody (minimum Bayes risk, arXiv 2005.10283).

On open-ended answers it is worse than the best single model (docs/methods.md): it is here to be compared with.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from moa.core.errors import NotEnoughReplies
from moa.core.flow import Combine
from moa.core.types import Conversation, Replies, Reply

_WORD = re.compile(r"\w+")


def medoid() -> Combine:
    """The proposal with the greatest mean similarity to the others, word for word; no call is made."""

    async def combine(conversation: Conversation, references: Replies) -> Reply:
        if not references:
            raise NotEnoughReplies(0, 1, label="medoid")
        return references[central([reference.text for reference in references])]

    return combine


def central(texts: Sequence[str]) -> int:
    """Which text is most like the others; the first of equals."""
    close = closeness(texts)
    return close.index(max(close))


def closeness(texts: Sequence[str]) -> list[float]:
    """How much each text is like the others: the sum of its similarities to them."""
    bags = [bag_of(text) for text in texts]
    return [sum(cosine(one, two) for two in bags if two is not one) for one in bags]


def similarity(one: str, two: str) -> float:
    """How alike two texts are, 0 to 1: the cosine of their words and pairs of neighbouring words."""
    return cosine(bag_of(one), bag_of(two))


def bag_of(text: str) -> Counter[str]:
    """How often each word and each pair of neighbouring words stands in a text."""
    words = _WORD.findall(text.lower())
    return Counter(words) + Counter(f"{one} {two}" for one, two in pairwise(words))


def cosine(one: Counter[str], two: Counter[str]) -> float:
    """How alike two bags are, 0 to 1."""
    shared = sum(count * two[word] for word, count in one.items())
    size = math.sqrt(sum(count * count for count in one.values()) * sum(count * count for count in two.values()))
    return shared / size if size else 0.0
