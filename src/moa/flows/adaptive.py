"""Samples as they are needed: a vote that asks a few at a time, and stops once it is decided (Adaptive-Consistency, arXiv
2305.11860; in windows as in early-stopping self-consistency, arXiv 2401.10480)."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

from moa.core.agents import Agent
from moa.core.errors import CallError, NotEnoughReplies
from moa.core.flow import Ask, Outcomes
from moa.core.types import Conversation, Replies, Reply
from moa.flows.agreement import alike
from moa.flows.answers import Kind
from moa.flows.members import numbered
from moa.flows.vote import decided, leaders, plurality, still_out

SURE = 0.95


async def adaptive(
    conversation: Conversation, agents: Sequence[Agent], batch: int = 3, kind: Kind = "auto", sure: float = SURE
) -> Reply:
    """The answer that most of `agents` give (the same one again is another sample of it), asked `batch` at a time, in their order,
    until the vote is decided with a chance of `sure`, all have been asked, or money or time is out.

    Where a later batch fails, or cannot be paid for any more, the answer is of what is there, and says so in its notes.
    """
    pairs = [(n, agent) for n, agent in numbered(agents) if isinstance(agent, Agent)]
    calls = tuple(agent.call(conversation, sample=n) for n, agent in pairs)
    replies: Replies = ()
    for at in range(0, len(calls), batch):
        group, left = calls[at : at + batch], -(-(len(calls) - at) // batch)

        def enough(outcomes: Outcomes, had: Replies = replies, out: int = len(calls) - at - len(group)) -> bool:
            return decided(had + outcomes.replies, out + still_out(outcomes), kind)

        try:
            label = f"batch {at // batch + 1}"
            outcomes = await Ask(group, until=enough, extra=at > 0, label=label, steps=left)
        except NotEnoughReplies as error:
            if replies:
                return plurality(replies, kind).noted(f"fewer: {len(replies)} of {len(calls)} were heard ({error})")
            failure: CallError = error
            continue
        replies += outcomes.replies
        if settled(replies, len(calls) - at - len(group), kind, sure):
            break
    if not replies:
        raise failure
    return plurality(replies, kind)


def settled(replies: Replies, out: int, kind: Kind = "auto", sure: float = SURE) -> bool:
    """Whether the leading answer stays ahead: certainly, however the `out` calls still to come turn out; or, with `sure` below 1,
    as likely as that.

    The chance is that of Adaptive-Consistency: the leader's share of the votes for it and for the second is above a half, as the
    votes so far and an even prior (a Beta distribution) have it. Four that agree are enough for 0.95, three for 0.9. Votes of
    agents that saw different parts of the question have no such chance: among them only certainty counts.
    """
    if decided(replies, out, kind):
        return True
    first, second = leaders(replies, kind)
    return sure < 1 and alike(replies) and first > second and chance(first, second) >= sure


def chance(first: int, second: int) -> float:
    """How likely it is, with so many votes for two answers, that the first is what more than half of all would say."""
    tosses = first + second + 1
    ways: int = 2**tosses
    return sum(comb(tosses, heads) for heads in range(first + 1)) / ways
