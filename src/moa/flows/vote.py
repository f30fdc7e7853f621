"""Voting: the answer that most agents give (self-consistency, arXiv 2203.11171, across models or samples)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from moa.core.agents import Agent
from moa.core.errors import NotEnoughReplies
from moa.core.flow import Ask, Combine, Flow, Outcomes
from moa.core.types import Conversation, Late, Replies, Reply
from moa.flows.answers import Kind, answer_of
from moa.flows.members import numbered


async def vote(conversation: Conversation, agents: Sequence[Agent], kind: Kind = "auto") -> Reply:
    """The reply whose answer most agents give; stops asking as soon as no answer still out could change it."""
    members = ((n, member) for n, member in numbered(agents) if isinstance(member, Agent))
    calls = tuple(agent.call(conversation, sample=n) for n, agent in members)
    outcomes = await Ask(
        calls, until=lambda outcomes: decided(outcomes.replies, still_out(outcomes), kind), label="vote", steps=1
    )
    return plurality(outcomes.replies, kind)


def by_vote(kind: Kind = "auto") -> Combine:
    """Voting as an aggregator: it asks nothing more."""

    def combine(conversation: Conversation, references: Replies) -> Flow[Reply]:
        async def count() -> Reply:
            if not references:
                raise NotEnoughReplies(0, 1, label="vote")
            return plurality(references, kind)

        return count()

    return combine


def plurality(replies: Replies, kind: Kind = "auto") -> Reply:
    """The first reply of those whose answer is given most often; between equals, the answer given first.

    A reply without an answer of that kind has no vote; where none has one, the first reply is returned.
    """
    answers = [answer_of(reply.text, kind) for reply in replies]
    votes = Counter(answer for answer in answers if answer is not None)
    if not votes:
        return replies[0]
    winner, _ = votes.most_common(1)[0]
    return replies[answers.index(winner)]


def decided(replies: Replies, out: int, kind: Kind = "auto") -> bool:
    """Whether the leading answer stays ahead however the `out` calls still to come turn out."""
    first, second = leaders(replies, kind)
    return first > second + out


def leaders(replies: Replies, kind: Kind = "auto") -> tuple[int, int]:
    """How many give the most frequent answer, and how many the second."""
    votes = Counter(answer for reply in replies if (answer := answer_of(reply.text, kind)) is not None)
    first, second, *_ = [count for _, count in votes.most_common(2)] + [0, 0]
    return first, second


def still_out(outcomes: Outcomes) -> int:
    """How many calls are still under way."""
    return sum(isinstance(outcome, Late) for outcome in outcomes)
