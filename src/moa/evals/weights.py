"""What each agent's vote is worth, learnt from graded records: a conditional logit over the answers given, with agents'
weights as its parameters and deviations by category held close to them (McFadden 1974), or simpler weights where these do as
well."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from moa.evals.records import Record, best_single, folds, rest
from moa.flows.weigh import Weights

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

STEPS, RATE = 200, 0.05
CLOSE, CLOSE_BY_CATEGORY = 1.0, 30.0
"""How strongly weights are held to their mean, and those of a category to the agent's own."""
FEWEST = 20
"""So many records are needed."""
Fit = Callable[[Sequence[Record], Sequence[str]], Weights]


def fit(records: Sequence[Record], agents: Sequence[str], inner: int = 5) -> Weights:
    """The weights with which a vote of `agents` is right most often.

    Each way is fitted on four fifths of the records and tried on the fifth. The logit (with categories where there are some)
    is taken instead of plurality where it is better by more than one standard error, and a vote instead of the best single
    agent where it is better at all: among equals a vote gains, under a leader it loses.

    Raises:
        ValueError: there are fewer than FEWEST records, or no answers in them.
    """
    if not any(answer is not None for record in records for answer in record.answers.values()):
        raise ValueError("no record has an answer, without which there is no vote; write what each agent answered")
    if len(records) < FEWEST:
        raise ValueError(f"{len(records)} records: what votes are worth is learnt from {FEWEST} or more")
    parts = folds(records, inner)
    plain, learnt, alone = (_tried(one, parts, agents) for one in (equal, logit, single))
    way, vote = (logit, learnt) if sum(learnt) > sum(plain) + _noise(learnt, plain) else (equal, plain)
    return (way if sum(vote) > sum(alone) + _noise(vote, alone) else single)(records, agents)


def _tried(one: Fit, parts: Sequence[Sequence[Record]], agents: Sequence[str]) -> list[float]:
    """How right it is on each record of each part, fitted on the others."""
    return [
        answered(record, weights, agents)
        for place, part in enumerate(parts)
        for weights in (one(rest(parts, place), agents),)
        for record in part
    ]


def _noise(one: Sequence[float], two: Sequence[float]) -> float:
    """One standard error of how much more is right of one than of the other."""
    gaps = [a - b for a, b in zip(one, two, strict=True)]
    mean = sum(gaps) / len(gaps)
    return float(sum((gap - mean) ** 2 for gap in gaps) ** 0.5)


def answered(record: Record, weights: Weights, agents: Sequence[str]) -> float:
    """How right the answer with the greatest weight is; the first of equals."""
    chosen = elected(record, weights, agents)
    return 0.0 if chosen is None else record.right[chosen]


def elected(record: Record, weights: Weights, agents: Sequence[str]) -> str | None:
    """The agent that first gave the answer with the greatest weight; None where nobody gave one."""
    total: dict[str, float] = {}
    for agent in agents:
        answer = record.answers.get(agent)
        if answer is not None:
            total[answer] = total.get(answer, 0.0) + weights.weight(agent, record.category)
    if not total:
        return None
    winner = max(total, key=total.__getitem__)
    return next(agent for agent in agents if record.answers.get(agent) == winner)


def equal(records: Sequence[Record], agents: Sequence[str]) -> Weights:
    """Plurality: every vote counts the same."""
    return Weights(dict.fromkeys(agents, 1.0))


def single(records: Sequence[Record], agents: Sequence[str]) -> Weights:
    """The best single agent's answer, the others' only where it gives none."""
    best = best_single(records, agents)
    return Weights({agent: 1.0 if agent == best else 1.0 / (2 * len(agents)) for agent in agents})


def logit(records: Sequence[Record], agents: Sequence[str]) -> Weights:
    """The weights under which the right answers are likeliest, an answer being chosen in proportion to e to the sum of its
    votes."""
    import numpy as np

    categories = {name: place for place, name in enumerate(sorted({record.category for record in records}))}
    votes, right, there, kinds = _arrays(records, agents, categories)
    own, more = np.ones(len(agents)), np.zeros((len(categories), len(agents)))
    speeds = [(np.zeros_like(one), np.full_like(one, 1e-8)) for one in (own, more)]
    for step in range(1, STEPS + 1):
        score = np.where(there, np.einsum("njm,nm->nj", votes, own + more[kinds]), -1e9)
        likely = np.exp(score - score.max(1, keepdims=True))
        likely /= likely.sum(1, keepdims=True)
        wanted = likely * right
        wanted /= wanted.sum(1, keepdims=True)
        pull = np.einsum("njm,nj->nm", votes, wanted - likely)
        by_kind = np.zeros_like(more)
        np.add.at(by_kind, kinds, pull)
        _climb(own, pull.sum(0) - CLOSE * (own - own.mean()), speeds[0], step)
        if len(categories) > 1:
            _climb(more, by_kind - CLOSE_BY_CATEGORY * more, speeds[1], step)
    worth, own = np.maximum(own + more, 0), np.maximum(own, 0)  # no vote is worth less than nothing
    learnt = {
        name: dict(zip(agents, map(float, worth[place] - own), strict=True)) for name, place in categories.items()
    }
    return Weights(
        dict(zip(agents, map(float, own), strict=True)), learnt if len(categories) > 1 else {}, float(own.mean())
    )


def _arrays(records: Sequence[Record], agents: Sequence[str], categories: dict[str, int]) -> tuple[Array, ...]:
    """Who gave which answer of which record, how right each answer is, where there is one, and the category: of the records in
    which answers differ and one of them is right."""
    import numpy as np

    kept = []
    for record in records:
        given = list(dict.fromkeys(record.answers[a] for a in agents if record.answers.get(a) is not None))
        rights = [max(record.right[a] for a in agents if record.answers.get(a) == one) for one in given]
        if len(given) > 1 and any(rights):
            kept.append((record, given, rights))
    votes = np.zeros((len(kept), len(agents), len(agents)))
    right, there = np.zeros(votes.shape[:2]), np.zeros(votes.shape[:2], bool)
    for row, (record, given, rights) in enumerate(kept):
        there[row, : len(given)], right[row, : len(given)] = True, rights
        for place, agent in enumerate(agents):
            if record.answers.get(agent) is not None:
                votes[row, given.index(record.answers[agent]), place] = 1
    return votes, right, there, np.array([categories[record.category] for record, _, _ in kept], int)


def _climb(values: Array, slope: Array, speed: tuple[Array, Array], step: int) -> None:
    """One step of Adam (arXiv 1412.6980) uphill, in place."""
    import numpy as np

    mean, square = speed
    mean += 0.1 * (slope - mean)
    square += 0.01 * (slope * slope - square)
    values += RATE * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.99**step)) + 1e-6)
