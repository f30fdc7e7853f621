"""Opinion pools: the probabilities of several agents made into one calibrated figure (linear: Stone 1961; logarithmic: Genest
and Zidek 1986; pools are under-confident unless recalibrated: Ranjan and Gneiting 2010)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from moa.core.errors import CallError, NotEnoughReplies
from moa.core.flow import Combine
from moa.core.types import Conversation, Replies, Reply
from moa.flows.chance import probability_of

PoolKind: TypeAlias = Literal["linear", "log"]
EDGE = 0.001
"""Nobody is surer than this away from 0 and 1: one agent that says 1 would outvote all."""

MOST = 1_000_000
"""No figure of a pool is larger: what is learnt is of the order of 1."""


@dataclass(frozen=True, slots=True)
class Pool:
    """How probabilities are pooled: the "linear" mean of them, or of their logits ("log"), by `weights` (who is not named
    counts 1), then recalibrated: logit = intercept + slope x the pooled logit. Learnt by `moa.evals.pools.fit`; plain data.

    Raises:
        ValueError: a weight is less than nothing, or a figure is so large that nothing could be counted with it; says which.
    """

    kind: PoolKind = "log"
    weights: Mapping[str, float] = field(default_factory=dict)
    slope: float = 1.0
    intercept: float = 0.0

    def __post_init__(self) -> None:
        for agent, weight in self.weights.items():
            if not 0 <= weight <= MOST:
                raise ValueError(f"weights.{agent}: {weight} is no weight; take 0 to {MOST:,}")
        for name, figure in (("slope", self.slope), ("intercept", self.intercept)):
            if not -MOST <= figure <= MOST:
                raise ValueError(f"{name}: {figure} is too far from 0; take {-MOST:,} to {MOST:,}")

    def pooled(self, said: Iterable[tuple[str, float | None]]) -> float | None:
        """The probability that agents' probabilities come to; one that is asked more than once has as many voices. Who
        says none abstains, and is not counted as neutral; None where all do, or where nobody who spoke weighs anything."""
        spoken = [(self.weights.get(agent, 1.0), one) for agent, one in said if one is not None]
        total = sum(weight for weight, _ in spoken)
        if not spoken or total <= 0:
            return None
        if self.kind == "linear":
            middle = logit(sum(weight * one for weight, one in spoken) / total)
        else:
            middle = sum(weight * logit(one) for weight, one in spoken) / total
        return sigmoid(self.intercept + self.slope * middle)


def logit(probability: float) -> float:
    """The logarithm of the odds, of a probability held between EDGE and 1 - EDGE."""
    held = min(max(probability, EDGE), 1 - EDGE)
    return math.log(held / (1 - held))


def sigmoid(value: float) -> float:
    """The probability of a logit."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def pool(how: Pool) -> Combine:
    """The pooled probability as the answer, "Answer: 0.73"; weights go by the agents' names. No call is made.

    Raises (from the flow):
        NotEnoughReplies: no proposal holds a probability.
    """

    async def combine(conversation: Conversation, references: Replies) -> Reply:
        said = [(reference.agent, probability_of(reference.text)) for reference in references]
        figure = how.pooled(said)
        if figure is None:
            why = (
                "nobody states a probability"
                if all(one is None for _, one in said)
                else "who states one weighs nothing"
            )
            raise NotEnoughReplies(0, 1, (CallError(why),) if references else (), label="pool")
        silent = [agent for agent, one in said if one is None]
        reply = Reply(f"Answer: {figure:.4g}", agent="pool")
        return reply.noted(f"abstained: {', '.join(silent)}") if silent else reply

    return combine
