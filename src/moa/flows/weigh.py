"""Weighted voting: each reply counts for as much as its agent is worth on questions of that kind (weighted majority; log-odds
weights are optimal for independent voters: Nitzan and Paroush, 1982)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from moa.core.errors import NotEnoughReplies
from moa.core.flow import Combine
from moa.core.types import Conversation, Replies, Reply
from moa.flows.answers import Kind, answer_of

Category = Callable[[Conversation], str]
"""What kind of question a conversation asks; empty: unknown."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What the vote of each agent is worth, and how much more (or less) it is in a category. Who is not named counts `other`.

    They are plain numbers, learnt from graded records by `moa.evals.weights.fit`, and read and written as JSON.
    """

    of: Mapping[str, float]
    more: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    other: float = 1.0

    def weight(self, agent: str, category: str = "") -> float:
        """What an agent's vote is worth on a question of that category; never less than nothing."""
        return max(self.of.get(agent, self.other) + self.more.get(category, {}).get(agent, 0.0), 0.0)

    def within(self, category: str) -> Weights:
        """What they are worth on questions of one category."""
        named = {**self.of, **self.more.get(category, {})}
        return Weights({agent: self.weight(agent, category) for agent in named}, other=self.other)


def weighted(weights: Weights, kind: Kind = "auto", category: Category = lambda conversation: "") -> Combine:
    """Voting as an aggregator, by weight: the reply whose answer weighs most. It asks nothing more."""

    async def combine(conversation: Conversation, references: Replies) -> Reply:
        if not references:
            raise NotEnoughReplies(0, 1, label="vote")
        return heaviest(references, weights, kind, category(conversation))

    return combine


def heaviest(replies: Replies, weights: Weights, kind: Kind = "auto", category: str = "") -> Reply:
    """Of the replies whose answer weighs most the weightiest, the first of equals; one without an answer of that kind has no vote.

    Where none has one, or all weigh nothing, the first reply is returned.
    """
    answers = [answer_of(reply.text, kind) for reply in replies]
    worth = [weights.weight(reply.agent, category) for reply in replies]
    total: dict[str, float] = {}
    for answer, weight in zip(answers, worth, strict=True):
        if answer is not None:
            total[answer] = total.get(answer, 0.0) + weight
    if not total:
        return replies[0]
    winner = max(total, key=total.__getitem__)
    best = max(weight for answer, weight in zip(answers, worth, strict=True) if answer == winner)
    return replies[[(answer, weight) for answer, weight in zip(answers, worth, strict=True)].index((winner, best))]
