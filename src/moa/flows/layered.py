"""Mixture-of-Agents: layers of agents, each reading the layer before, and an aggregator (Wang et al., arXiv 2406.04692)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from moa.core.errors import CallError
from moa.core.flow import Combine, Outcomes
from moa.core.prompts import REFINE
from moa.core.types import Conversation, Replies, Reply
from moa.flows.medoid import similarity
from moa.flows.members import Member, ask_members
from moa.flows.sift import distinct, doubts, last, same_answer, trusted
from moa.flows.weigh import Weights

ALIKE = 0.95
"""The similarity from which on one text repeats another."""


async def layered(
    conversation: Conversation,
    layers: Sequence[Sequence[Member]],
    combine: Combine,
    residual: bool = False,
    trust: Weights | None = None,
    until: Callable[[Outcomes], bool] | None = None,
    **rules: Any,
) -> Reply:
    """The answer of `layers` to a conversation. `rules` are those of Ask: need, grace, least …; the last layer, if of agents alone,
    closes as soon as `until` holds, too.

    With `residual` a layer reads, besides the replies of the layer before, what older ones said and these do not repeat; a layer
    that says nothing new is the last (residuals and adaptive ending are RMoA's, arXiv 2505.24442, measured there by embeddings).

    A layer that fails leaves the references of the layer before; with none at all the aggregator answers alone. Where a
    layer closes early (`need`) and another follows, who is late goes on meanwhile, and is read by the layer after that. Of long
    copies a layer is shown one, and nothing of agents that `trust` gives no weight; the reply says so in its notes (`sift.py`).
    """
    references: Replies = ()
    heard: list[Replies] = []
    copies = 0
    notes: dict[str, None] = {}
    failure = CallError("there are no proposers")
    for n, layer in enumerate(layers, 1):
        step = {"keep": rules.get("need") is not None and n < len(layers)} | rules
        step |= {"label": f"layer {n}", "steps": len(layers) + 2 - n}
        step |= {"until": until} if until is not None and n == len(layers) else {}
        believed = await trusted(references, trust)
        shown = distinct(believed)
        copies += len(believed) - len(shown)
        notes |= dict.fromkeys(doubts(references, trust))
        try:
            replies = await ask_members(layer, conversation, shown, REFINE if references else "", step)
        except CallError as error:
            failure = error
            continue
        older = tuple(one for one in references if not repeats(one, replies)) if residual else ()
        settled = residual and bool(references) and all(repeats(one, references) for one in replies)
        references = (*replies, *older)
        heard.append(references)
        if settled:
            break
    if references:
        reply = await combine(conversation, await last(heard, trust))
        told = (*notes, f"sifted: {copies} copies are shown to no other layer") if copies else notes
        return reply.noted(*(note for note in told if note not in reply.notes))
    return await alone(conversation, combine, failure)


def repeats(reply: Reply, others: Replies) -> bool:
    """Whether one of the others says the same, word for word or nearly, and states no other answer."""
    return any(same_answer(reply, other) and similarity(reply.text, other.text) >= ALIKE for other in others)


async def alone(conversation: Conversation, combine: Combine, failure: CallError) -> Reply:
    """The aggregator's own answer where no proposer has one; the proposers' failure, where it has none either."""
    try:
        reply = await combine(conversation, ())
    except CallError:
        raise failure from None
    return reply.noted(f"no proposal: {failure}")
