"""Proposals are sifted before they are combined: copies count once, and on demand who stands far outside is left out.

Copies crowd out the others and look like agreement (sybils); one deceiver costs a mixture a quarter of its score, and most of
that comes back where the larger group of like answers is kept (arXiv 2503.05856).
"""

from __future__ import annotations

from collections.abc import Callable

from moa.core.flow import Combine
from moa.core.types import Conversation, Replies, Reply
from moa.flows.answers import answer_of
from moa.flows.medoid import similarity

COPY, LONG = 0.97, 200
"""From this similarity on, a text of at least so many characters is a copy: short answers may well be the same by themselves."""
FEWEST = 4
"""References from which on one can stand outside."""
CLOSE, FAR = 0.5, 0.25
"""The others are alike at least so much on average, and the one outside is like none of them by more than so much."""


def sifted(combine: Combine, *, outliers: bool = False) -> Combine:
    """The same way to combine, of what is left of the proposals; who is left out is named in the reply's notes."""

    async def combined(conversation: Conversation, references: Replies) -> Reply:
        kept = distinct(references)
        notes = [f"sifted: {len(references) - len(kept)} copies count once"] if len(kept) < len(references) else []
        if outliers and (outside := outsider(kept)) is not None:
            kept = tuple(one for one in kept if one is not outside)
            notes.append(f"sifted: {outside.agent or 'one proposal'} stands far outside")
        reply = await combine(conversation, kept)
        for note in notes:
            reply = reply.noted(note)
        return reply

    return combined


def distinct(references: Replies) -> Replies:
    """The references without long copies of earlier ones."""
    kept: list[Reply] = []
    for one in references:
        if len(one.text) < LONG or not any(similarity(one.text, other.text) >= COPY for other in kept):
            kept.append(one)
    return tuple(kept)


def outsider(references: Replies) -> Reply | None:
    """The one reference that is like none of the others, where these are alike among themselves; None where there is no such one.

    An honest panel loses nobody for nothing: one that differs from others that differ, too, stays, and so does one that gives
    the same answer as any of them.
    """
    if len(references) < FEWEST:
        return None
    for one in references:
        others = [other for other in references if other is not one]
        if _nearest(one, others, similarity) > FAR or any(_same_answer(one, other) for other in others):
            continue
        pairs = [similarity(a.text, b.text) for place, a in enumerate(others) for b in others[place + 1 :]]
        if sum(pairs) / len(pairs) >= CLOSE:
            return one
    return None


def _nearest(one: Reply, others: list[Reply], alike: Callable[[str, str], float]) -> float:
    return max(alike(one.text, other.text) for other in others)


def _same_answer(one: Reply, other: Reply) -> bool:
    return answer_of(one.text) == answer_of(other.text)


async def leave_one_out(combine: Combine, conversation: Conversation, references: Replies) -> dict[str, bool]:
    """For each agent, whether the combined answer is another one without its proposal: on whom the answer hangs. One
    combination for each reference, and one of all."""
    whole = answer_of((await combine(conversation, references)).text)
    hangs: dict[str, bool] = {}
    for place, one in enumerate(references):
        without = await combine(conversation, references[:place] + references[place + 1 :])
        hangs[one.agent or str(place)] = answer_of(without.text) != whole
    return hangs
