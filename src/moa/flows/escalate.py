"""Escalation: a cheap model or a small panel answers first, and the full mixture only where they disagree or fail a check
(cascades: FrugalGPT, arXiv 2305.05176; escalating on disagreement: Pyramid MoA, arXiv 2602.19509)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from moa.core.errors import CallError
from moa.core.flow import Flow
from moa.core.types import Conversation, Replies, Reply
from moa.flows.agreement import comparable, confidence
from moa.flows.answers import Kind
from moa.flows.best_of import Verifier
from moa.flows.members import Member, ask_members
from moa.flows.vote import plurality

Full: TypeAlias = Callable[[Conversation], Flow[Reply]]


async def escalate(
    conversation: Conversation,
    first: Sequence[Member],
    full: Full,
    agree: float = 1.0,
    kind: Kind = "auto",
    verifier: Verifier | None = None,
) -> Reply:
    """The answer of the `first`, where a share of `agree` of them gives the same one (a single one: where the verifier passes
    it), else that of the `full` mixture, which does not see theirs: a wrong draft would hold it back.

    With a verifier an answer on which they agree must pass it, too. Where the caller asks for a form (tools, a schema …) the first
    are not asked: the answer is of the call that acts, in the full mixture.

    Raises (from the flow):
        ConfigError: the first see different parts of the question, so that their agreement would be no confidence.
    """
    comparable(first, "first", all_of_them=True)
    try:
        replies = await ask_members(first, conversation, (), "", {"label": "first", "steps": 2, "instead": True})
    except CallError:
        replies = ()
    if replies and settled(replies, len(first), agree, kind, verifier):
        return plurality(replies, kind)
    return await full(conversation)


def settled(replies: Replies, asked: int, agree: float, kind: Kind = "auto", verifier: Verifier | None = None) -> bool:
    """Whether what came back of so many that were asked can stand. Who did not answer agrees with nobody."""
    if asked == 1:
        return verifier is not None and verifier(replies[0].text) > 0
    share = confidence(replies, kind) * len(replies) / asked
    return share >= agree and (verifier is None or verifier(plurality(replies, kind).text) > 0)
