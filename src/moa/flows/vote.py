"""Voting: the answer that most agents give (self-consistency, arXiv 2203.11171, across models or samples)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from moa.core.agents import Agent
from moa.core.errors import NotEnoughReplies
from moa.core.flow import Ask, Combine, Flow, Outcomes
from moa.core.types import Conversation, Late, Replies, Reply
from moa.flows.answers import Kind, answer_of
from moa.flows.members import numbered
from moa.flows.weigh import Weights, heaviest

HAIR = 1e-9
"""Sums of weights that differ by less may be equal."""


async def vote(
    conversation: Conversation, agents: Sequence[Agent], kind: Kind = "auto", weights: Weights | None = None
) -> Reply:
    """The reply whose answer most agents give, or weighs most; stops asking as soon as no answer still out could change it."""
    members = ((n, member) for n, member in numbered(agents) if isinstance(member, Agent))
    calls = tuple(agent.call(conversation, sample=n) for n, agent in members)
    outcomes = await Ask(calls, until=closing(kind, weights), label="vote", steps=1)
    return plurality(outcomes.replies, kind) if weights is None else heaviest(outcomes.replies, weights, kind)


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

    A reply without an answer of that kind has no vote; where none has one, the first reply is returned, with a note.
    """
    answers = [answer_of(reply.text, kind) for reply in replies]
    votes = Counter(answer for answer in answers if answer is not None)
    if not votes:
        return replies[0].noted("vote: nobody gives an answer that could be counted; this is the first reply")
    winner, _ = votes.most_common(1)[0]
    return replies[answers.index(winner)]


def closing(
    kind: Kind = "auto",
    weights: Weights | None = None,
    least: int = 1,
    stays: Callable[[Reply], bool] = lambda reply: True,
) -> Callable[[Outcomes], bool]:
    """When the calls of a vote may close: where `least` have replied and it is `decided`."""

    def closed(outcomes: Outcomes) -> bool:
        out = still_out(outcomes) if weights is None else weight_out(outcomes, weights)
        return len(outcomes.replies) >= least and decided(outcomes.replies, out, kind, weights, stays)

    return closed


def decided(
    replies: Replies,
    out: float,
    kind: Kind = "auto",
    weights: Weights | None = None,
    stays: Callable[[Reply], bool] = lambda reply: True,
) -> bool:
    """Whether the leading answer stays ahead however the calls still to come turn out, which weigh `out` together.

    The leader is what those weigh who surely `stay`; against it is all that may.
    """
    surely, perhaps = dict[str, float](), dict[str, float]()
    for reply in replies:
        if (answer := answer_of(reply.text, kind)) is not None:
            weight = 1.0 if weights is None else weights.weight(reply.agent)
            perhaps[answer] = perhaps.get(answer, 0.0) + weight
            surely[answer] = surely.get(answer, 0.0) + (weight if stays(reply) else 0.0)
    leader = max(surely, key=surely.__getitem__, default=None)
    if leader is None:
        return False
    second = max((weight for answer, weight in perhaps.items() if answer != leader), default=0.0)
    return surely[leader] > second + out + HAIR


def leaders(replies: Replies, kind: Kind = "auto") -> tuple[int, int]:
    """How many give the most frequent answer, and how many the second."""
    votes = Counter(answer for reply in replies if (answer := answer_of(reply.text, kind)) is not None)
    first, second, *_ = [count for _, count in votes.most_common(2)] + [0, 0]
    return first, second


def still_out(outcomes: Outcomes) -> int:
    """How many calls are still under way."""
    return sum(isinstance(outcome, Late) for outcome in outcomes)


def weight_out(outcomes: Outcomes, weights: Weights) -> float:
    """What the calls still under way weigh together."""
    return sum(weights.weight(outcome.call.agent) for outcome in outcomes if isinstance(outcome, Late))
