"""Opinion pools fitted to graded records: weights, slope and intercept; where there are few labels, slope and intercept alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from moa.flows.pool import Pool, PoolKind, logit

ENOUGH = 500
"""Labels from which on each agent has a weight of its own; with fewer, equal weights are better."""
HELD = 1.0
"""How strongly slope and weights are held: a ridge on their distance from where they begin."""
HELD_FIRST = 0.1
"""The ridge of the intercept, so that it cannot run off where nearly all, or nothing, has happened."""
FEWEST = 20
"""So many cases in which somebody gave a probability are needed."""
STEPS = 50
Said = Mapping[str, float | None]


def fit(said: Sequence[Said], happened: Sequence[bool], agents: Sequence[str], kind: PoolKind = "log") -> Pool:
    """The pool under which what happened is likeliest. `said` are the agents' probabilities for each case (None: it abstained).

    The linear pool's weights stay equal: its fitted ones are no logistic regression, and gain little.

    Raises:
        ValueError: too little to learn from, or not as many cases as outcomes.
    """
    if not said or len(said) != len(happened):
        raise ValueError(
            f"{len(said)} cases and {len(happened)} outcomes: a pool is fitted to one outcome for each of some cases"
        )
    told = [
        outcome for case, outcome in zip(said, happened, strict=True) if any(one is not None for one in case.values())
    ]
    if len(told) < FEWEST or len(set(told)) < 2:
        raise ValueError(
            f"{len(told)} cases with a probability among the answers, in {sum(told)} of which it happened: a pool is fitted to "
            f"{FEWEST} or more, of which some happened and some did not"
        )
    weights = _weights(said, happened, agents) if kind == "log" and len(said) >= ENOUGH else {}
    plain = Pool(kind, weights)
    rows = [
        ((1.0, logit(one)), outcome)
        for case, outcome in zip(said, happened, strict=True)
        if (one := plain.pooled(case.items())) is not None
    ]
    intercept, slope = _logistic(rows, (0.0, 1.0))
    return Pool(kind, weights, slope, intercept)


def _weights(said: Sequence[Said], happened: Sequence[bool], agents: Sequence[str]) -> dict[str, float]:
    """What each agent's logit counts, none less than nothing, on average 1; who abstains is taken to say what the others do."""
    rows = []
    for case, outcome in zip(said, happened, strict=True):
        spoken = [logit(one) for agent in agents if (one := case.get(agent)) is not None]
        if spoken:
            middle = sum(spoken) / len(spoken)
            logits = [middle if (one := case.get(agent)) is None else logit(one) for agent in agents]
            rows.append(((1.0, *logits), outcome))
    fitted = [max(weight, 0.0) for weight in _logistic(rows, (0.0, *[1 / len(agents)] * len(agents)))[1:]]
    mean = sum(fitted) / len(fitted)
    return {agent: weight / mean for agent, weight in zip(agents, fitted, strict=True)} if mean else {}


def _logistic(rows: Sequence[tuple[tuple[float, ...], bool]], start: tuple[float, ...]) -> tuple[float, ...]:
    """Logistic regression by Newton's method, held to where it starts (the intercept less than the others)."""
    import numpy as np

    features = np.array([row for row, _ in rows])
    outcomes, begin = np.array([outcome for _, outcome in rows], float), np.array(start)
    held = np.diag([HELD_FIRST] + [HELD] * (len(start) - 1))
    values = begin.copy()
    for _ in range(STEPS):
        chances = 1 / (1 + np.exp(-(features @ values)))
        slope = features.T @ (outcomes - chances) - held @ (values - begin)
        bend = (features.T * (chances * (1 - chances))) @ features + held
        step = np.linalg.solve(bend, slope)
        values += step
        if np.abs(step).max() < 1e-8:
            break
    return tuple(map(float, values))


def log_loss(pooled: Sequence[float | None], happened: Sequence[bool]) -> float:
    """The mean of minus the logarithm of what was said for what happened; who says nothing is left out."""
    losses = [
        -math.log(one if outcome else 1 - one) for one, outcome in zip(pooled, happened, strict=True) if one is not None
    ]
    return sum(losses) / len(losses)
