"""Forecasts of whether the leading model is right, by what the other models say, and the ways to make one of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

from benchmarks import methods

from moa import Reply, play, user
from moa.core.errors import NotEnoughReplies
from moa.evals import pools
from moa.evals.records import Record, best_single, folds, rest
from moa.flows.chance import probability_of
from moa.flows.pool import Pool, pool

ENOUGH = 30
"""Questions of a category from which on a witness has a forecast of its own there."""
QUESTION = (user("Is the leader right?"),)
Gap = tuple[float, float, float]


def pooled(
    records: Sequence[Record], agents: Sequence[str], seed: int
) -> tuple[dict[str, dict[str, float | Gap]], int]:
    """Whether the answer of the leading model is right, forecast by the others: how far off each way is; of how many questions."""
    said: dict[str, list[float]] = {}
    happened: list[bool] = []
    parts = folds(records, 5, seed)
    for place, part in enumerate(parts):
        came, outcomes = forecasts(rest(parts, place), part, agents)
        for name, figures in came.items():
            said.setdefault(name, []).extend(figures)
        happened += outcomes
    off = {name: [(one - was) ** 2 for one, was in zip(given, happened, strict=True)] for name, given in said.items()}
    rows: dict[str, dict[str, float | Gap]] = {}
    for name, given in said.items():
        kept = [min(max(one, 1e-6), 1 - 1e-6) for one in given]
        row: dict[str, float | Gap] = {"Brier": statistics.fmean(off[name]), "log loss": pools.log_loss(kept, happened)}
        if name != "plain mean":
            gain, low, high = methods.interval(off["plain mean"], off[name])
            row["Brier below the mean's"] = (gain / 100, low / 100, high / 100)
        rows[name] = row
    return rows, len(happened)


def forecasts(
    learn: Sequence[Record], asked: Sequence[Record], agents: Sequence[str]
) -> tuple[dict[str, list[float]], list[bool]]:
    """What each way forecasts for the questions that the leader and some witness answer, and whether the leader was right."""
    leader = best_single(learn, agents)
    witnesses = [agent for agent in agents if agent != leader]
    learn, asked = ([one for one in some if _witnessed(one, leader, witnesses)] for some in (learn, asked))
    inner = folds(learn, 5)
    order = [record for part in inner for record in part]
    seen = [
        says(one)
        for n, part in enumerate(inner)
        for says in (_witness(rest(inner, n), leader, witnesses),)
        for one in part
    ]
    was = [record.right[leader] > 0.5 for record in order]
    base = statistics.fmean(was)

    def off(witness: str) -> float:
        return sum(
            ((base if (one := case[witness]) is None else one) - so) ** 2 for case, so in zip(seen, was, strict=True)
        )

    best, says = min(witnesses, key=off), _witness(learn, leader, witnesses)
    cases = [says(record) for record in asked]
    came: dict[str, list[float]] = {
        "base rate": [base] * len(cases),
        "best single witness": [base if (one := case[best]) is None else one for case in cases],
    }
    came["plain mean"] = [statistics.fmean(one for one in case.values() if one is not None) for case in cases]
    came["log pool, not learnt"] = [_pool(Pool(), case, base) for case in cases]
    for kind in ("linear", "log"):
        learnt = pools.fit(seen, was, witnesses, kind)
        came[f"{kind} pool, learnt"] = [_pool(learnt, case, base) for case in cases]
    return came, [record.right[leader] > 0.5 for record in asked]


def _witnessed(record: Record, leader: str, witnesses: Sequence[str]) -> bool:
    return record.answers[leader] is not None and any(record.answers[one] is not None for one in witnesses)


def _witness(
    learn: Sequence[Record], leader: str, witnesses: Sequence[str]
) -> Callable[[Record], dict[str, float | None]]:
    """What each witness forecasts of a question: the share of those learnt from in which the leader was right, given that the
    witness said the same, or something else (of its category, where there are ENOUGH); one that says nothing abstains."""
    seen: dict[tuple[str, bool, str], list[float]] = {}
    for record in learn:
        for witness in witnesses:
            same = record.answers[witness] == record.answers[leader]
            for kind in {"", record.category} if record.answers[witness] is not None else ():
                seen.setdefault((witness, same, kind), []).append(record.right[leader])

    def says(record: Record) -> dict[str, float | None]:
        told: dict[str, float | None] = {}
        for witness in witnesses:
            same = record.answers[witness] == record.answers[leader]
            near = seen.get((witness, same, record.category), [])
            found = near if len(near) >= ENOUGH else seen.get((witness, same, ""), [])
            told[witness] = None if record.answers[witness] is None else (sum(found) + 1) / (len(found) + 2)
        return told

    return says


def _pool(how: Pool, case: Mapping[str, float | None], base: float) -> float:
    """The figure of the library's own pool, as it stands in its answer; the base rate where nobody who spoke weighs anything."""
    replies = tuple(Reply(f"Answer: {one:.4f}", agent=agent) for agent, one in case.items() if one is not None)
    try:
        figure = probability_of(play(pool(how)(QUESTION, replies), []).answer.text)
    except NotEnoughReplies:
        return base
    assert figure is not None
    return figure
