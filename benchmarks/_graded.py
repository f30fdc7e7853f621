"""Answers graded: per cent right of every member and way to combine them, with bootstrap intervals, as tables."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import mean

from training.world import Question

from moa.flows.answers import answer_of

PROPOSERS = ("p1", "p2", "p3", "p4")
COLUMNS = (*PROPOSERS, "alone", "vote", "any", "mixture")
RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """One question with what was said; by column of the table: the members, "alone" (the aggregator), "vote", "mixture"."""

    question: Question
    said: Mapping[str, str]
    marks: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)

    def right(self, column: str) -> bool:
        """Whether a column's answer is the known one ("any": whether some proposer's is)."""
        if column not in self.marks:
            self.marks[column] = (
                any(self.right(name) for name in PROPOSERS)
                if column == "any"
                else answer_of(self.said.get(column, "")) == answer_of(self.question.answer)
            )
        return self.marks[column]


Results = Sequence[Asked]
Measure = Callable[[Results], float]


def share(results: Results, column: str) -> float:
    """Per cent right."""
    return 100 * mean(result.right(column) for result in results) if results else float("nan")


def best_single(results: Results) -> float:
    """Per cent right of the best model by itself."""
    return max(share(results, column) for column in (*PROPOSERS, "alone"))


def best_by_skill(results: Results) -> float:
    """Per cent right if each skill went to the proposer that is best at it."""
    skills = {result.question.skill for result in results}
    parts = [[result for result in results if result.question.skill == skill] for skill in skills]
    return sum(len(part) * max(share(part, name) for name in PROPOSERS) for part in parts) / len(results)


def interval(measure: Measure, results: Results) -> tuple[float, float]:
    """The 95 % bootstrap interval of a measure, questions resampled."""
    rng = random.Random(0)
    measured = sorted(measure(rng.choices(results, k=len(results))) for _ in range(RESAMPLES))
    return measured[int(0.025 * RESAMPLES)], measured[int(0.975 * RESAMPLES)]


def rows_of(results: Results) -> dict[str, list[Asked]]:
    """A row per skill, then seen and unseen phrasings, then all; none that is empty."""
    skills = dict.fromkeys(result.question.skill for result in results)
    rows = {skill: [result for result in results if result.question.skill == skill] for skill in skills}
    seen = [result for result in results if result.question.seen_phrasing]
    unseen = [result for result in results if not result.question.seen_phrasing]
    rows |= {"seen phrasings": seen, "unseen phrasings": unseen, "all": list(results)}
    return {name: row for name, row in rows.items() if row}


def by_wording(results: Results) -> str:
    """The mixture's per cent right with its interval, by row, seen and unseen phrasings apart."""
    lines = [f"{'mixture':18}" + "".join(f"{kind + ' phrasings':>28}" for kind in ("seen", "unseen"))]
    for name, row in rows_of(results).items():
        if name.endswith("seen phrasings"):
            continue
        cells = []
        for seen in (True, False):
            some = [result for result in row if result.question.seen_phrasing is seen]
            cells.append(with_interval(lambda one: share(one, "mixture"), some) if some else "-")
        lines.append(f"{name:18}" + "".join(f"{cell:>28}" for cell in cells))
    return "\n".join(lines)


def with_interval(measure: Measure, results: Results) -> str:
    """A measure and its interval, to be read."""
    low, high = interval(measure, results)
    return f"{measure(results):.1f} ({low:.1f} to {high:.1f})"


def table(results: Results) -> str:
    """Per cent right of every column, by row."""
    lines = [f"{'per cent right':18}" + "".join(f"{column:>9}" for column in COLUMNS)]
    for name, row in rows_of(results).items():
        lines.append(f"{name:18}" + "".join(f"{share(row, column):9.1f}" for column in COLUMNS))
    return "\n".join(lines)


def has_both_wordings(results: Results) -> bool:
    """Whether some questions are in wordings that training showed and some in others."""
    return len({result.question.seen_phrasing for result in results}) > 1


def unseen_gap(results: Results) -> float:
    """Points by which the mixture is worse in unseen wordings than in seen ones."""
    seen, unseen = ([result for result in results if result.question.seen_phrasing is kind] for kind in (True, False))
    return share(seen, "mixture") - share(unseen, "mixture") if seen and unseen else 0.0


def by_agreement(results: Results) -> str:
    """Vote and mixture by how many proposers are right."""
    lines = [f"{'proposers right':18}{'of all':>9}{'vote':>9}{'mixture':>9}"]
    for number in range(len(PROPOSERS) + 1):
        row = [result for result in results if sum(result.right(name) for name in PROPOSERS) == number]
        size = 100 * len(row) / len(results)
        lines.append(f"{number:<18}{size:9.1f}{share(row, 'vote'):9.1f}{share(row, 'mixture'):9.1f}")
    return "\n".join(lines)


def totals(results: Results) -> str:
    """Each total with its interval."""
    measures: dict[str, Measure] = {column: partial(share, column=column) for column in COLUMNS}
    measures |= {
        "best proposer per skill": best_by_skill,
        "mixture above best single": lambda some: share(some, "mixture") - best_single(some),
        "mixture above vote": lambda some: share(some, "mixture") - share(some, "vote"),
    }
    if has_both_wordings(results):
        measures["unseen below seen wordings"] = unseen_gap
    lines = []
    for name, measure in measures.items():
        low, high = interval(measure, results)
        lines.append(f"{name:26}{measure(results):6.1f}   95 % of resamples: {low:.1f} to {high:.1f}")
    return "\n".join(lines)
