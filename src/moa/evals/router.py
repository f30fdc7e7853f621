"""Which agent to ask, learnt from graded records: those of the most similar questions say who is good at such (kNN over
TF-IDF, as in the baselines of RouterBench, arXiv 2403.12031)."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest

from moa.evals.records import Record, accuracy, best_single

NEIGHBOURS = 40
LEAST = 20
"""Records of a category from which on it can have a best agent of its own."""
SURE = 1.64
"""Standard errors by which an agent must be better than the best single one, on the neighbours, to be asked instead (one-sided
95 %)."""
_WORD = re.compile(r"[^\W\d_]{2,}|\d")
Bag = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Router:
    """Questions as bags of weighted words, each with its category and how right each agent was; all of it plain data.

    `means` is how right each agent is in each category, `best` the agent that is right most often.
    """

    agents: tuple[str, ...]
    best: str
    means: Mapping[str, tuple[float, ...]]
    rarity: Mapping[str, float]
    where: Mapping[str, tuple[tuple[int, float], ...]]
    scores: tuple[tuple[float, ...], ...]
    categories: tuple[str, ...]

    def choose(self, question: str) -> str:
        """The agent to ask. Where there are categories, the one that is likeliest best: each of the most similar questions
        says, for as much as it is alike, how good everybody is in its category. Else the one that was best on these, where
        that is significant.
        """
        near = self._near(question)
        if len(near) < 2:
            return self.best
        if len(self.means) > 1:
            hopes = [0.0] * len(self.agents)
            for place, likeness in near:
                for agent, mean in enumerate(self.means[self.categories[place]]):
                    hopes[agent] += likeness * mean
            return self.agents[hopes.index(max(hopes))]
        own = self.agents.index(self.best)
        gains = [(*self._gain(near, place, own), name) for place, name in enumerate(self.agents) if place != own]
        gain, error, better = max(gains, default=(0.0, 0.0, self.best))
        return better if gain > 0 and gain >= SURE * error else self.best

    def _near(self, question: str) -> list[tuple[int, float]]:
        likeness: dict[int, float] = {}
        for word, weight in bag_of(question, self.rarity).items():
            for place, other in self.where.get(word, ()):
                likeness[place] = likeness.get(place, 0.0) + weight * other
        return nlargest(NEIGHBOURS, likeness.items(), key=lambda one: one[1])

    def _gain(self, near: Sequence[tuple[int, float]], agent: int, own: int) -> tuple[float, float]:
        """How much more right an agent was than the fallback, on average, and the standard error of that."""
        gaps = [self.scores[place][agent] - self.scores[place][own] for place, _ in near]
        mean = sum(gaps) / len(gaps)
        spread = sum((gap - mean) ** 2 for gap in gaps) / (len(gaps) - 1)
        return mean, math.sqrt(spread / len(gaps))


def fit(records: Sequence[Record], agents: Sequence[str]) -> Router:
    """A router between `agents`, of graded records."""
    seen = Counter(word for record in records for word in set(_WORD.findall(record.question.lower())))
    rarity = {word: math.log(len(records) / count) for word, count in seen.items() if count > 1}
    where: dict[str, list[tuple[int, float]]] = {}
    for place, record in enumerate(records):
        for word, weight in bag_of(record.question, rarity).items():
            where.setdefault(word, []).append((place, weight))
    scores = tuple(tuple(record.right.get(agent, 0.0) for agent in agents) for record in records)
    postings = {word: tuple(places) for word, places in where.items()}
    kinds = tuple(record.category for record in records)
    of_kind = {kind: [record for record in records if record.category == kind] for kind in sorted(set(kinds))}
    means = {kind: tuple(accuracy(mine, agent) for agent in agents) for kind, mine in of_kind.items()}
    return Router(tuple(agents), best_single(records, agents), means, rarity, postings, scores, kinds)


def by_category(records: Sequence[Record], agents: Sequence[str]) -> dict[str, str]:
    """The agent to ask for each category: the best on it where that is significant, else the best of all ("" is any other)."""
    overall = best_single(records, agents)
    kinds = {record.category for record in records}
    chosen = {"": overall}
    for kind in sorted(kinds):
        mine = [record for record in records if record.category == kind]
        best = best_single(mine, agents)
        gaps = [record.right.get(best, 0.0) - record.right.get(overall, 0.0) for record in mine]
        mean = accuracy(mine, best) - accuracy(mine, overall)
        error = math.sqrt(sum((gap - mean) ** 2 for gap in gaps)) / max(len(gaps), 1)
        chosen[kind] = best if len(mine) >= LEAST and mean > 0 and mean >= SURE * error else overall
    return chosen


def bag_of(text: str, rarity: Mapping[str, float]) -> Bag:
    """The words of a text by how often they stand in it and how rare they are, of length 1."""
    counts = Counter(_WORD.findall(text.lower()))
    weights = {word: (1 + math.log(count)) * rarity[word] for word, count in counts.items() if word in rarity}
    size = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {word: weight / size for word, weight in weights.items()} if size else {}
