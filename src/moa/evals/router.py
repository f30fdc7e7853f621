"""Which agent to ask, learnt from graded records (`flows/router.py` says how it is used): by words with TF-IDF, by embeddings, or
by clusters of these."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

from moa.evals.records import Record, accuracy, best_single, folds, rest
from moa.flows.router import SURE, Router, mean_and_error, tf_idf, unit, words_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

LEAST = 20
"""Records of a category from which on it can have a best agent of its own."""
MOST_TRIED = 3000
"""Records that a router is tried on at most, to see what it gains: of 600 a gain of 3 points is not significant."""
ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Way:
    """What a router is fitted to: how much of a right answer (0 to 1) a US dollar and a second count for, whether it reads the
    records' embeddings, and into how many clusters these are put (0: none)."""

    cost_weight: float = 0.0
    latency_weight: float = 0.0
    embeddings: bool = False
    clusters: int = 0

    def worth(self, record: Record, agent: str) -> float:
        """What an agent's answer is worth.

        Raises:
            ValueError: cost or seconds count, and the record does not tell them: what is unknown is not free.
        """
        for name, weight, told in (
            ("cost", self.cost_weight, record.cost),
            ("seconds", self.latency_weight, record.seconds),
        ):
            if weight and agent not in told:
                asked = f"{record.question[:40]!r}" if record.question else "a question"
                raise ValueError(f"{agent} has no {name} at {asked}; tell it of every answer, or give {name} no weight")
        paid, waited = record.cost.get(agent, 0.0), record.seconds.get(agent, 0.0)
        return record.right.get(agent, 0.0) - self.cost_weight * paid - self.latency_weight * waited


def fit(records: Sequence[Record], agents: Sequence[str], way: Way | None = None) -> Router:
    """A router between `agents`, of graded records; with what it gains over the best single agent, as tried on each fifth of them
    after being fitted to the others.

    Raises:
        ValueError: there are no records, or a router cannot be made of them, or they do not tell a cost or seconds that count.
    """
    way = way or Way()
    if not records:
        raise ValueError("there are no records to learn from")
    parts = [part for part in folds(records) if part]
    each, gaps = -(-MOST_TRIED // 5), list[float]()
    for place, part in enumerate(parts if len(parts) > 1 else ()):
        tried = _fitted(rest(parts, place), agents, way)
        for record in part[:each]:
            chosen = tried.preferred(record.question if tried.reads == "words" else record.embedding)
            gaps.append(way.worth(record, chosen) - way.worth(record, tried.best))
    gain, error = mean_and_error(gaps) if len(gaps) > 1 else (0.0, 0.0)
    return replace(_fitted(records, agents, way), gain=gain, error=error)


def _fitted(records: Sequence[Record], agents: Sequence[str], way: Way) -> Router:
    worth = tuple(tuple(way.worth(record, agent) for agent in agents) for record in records)
    kinds = tuple(record.category for record in records)
    of_kind = {kind: [row for row, own in zip(worth, kinds, strict=True) if own == kind] for kind in sorted(set(kinds))}
    sums = _means(worth)
    plain = Router(
        agents=tuple(agents),
        best=agents[sums.index(max(sums))],
        worth=worth,
        gain=0.0,
        error=0.0,
        categories=kinds,
        means={kind: _means(rows) for kind, rows in of_kind.items()},
    )
    if way.clusters:
        vectors, clusters = clustered([unit(record.embedding) for record in records], way.clusters)
        return replace(plain, reads="clusters", vectors=vectors, clusters=clusters)
    if way.embeddings:
        return replace(plain, reads="embeddings", vectors=tuple(unit(record.embedding) for record in records))
    rarity, where = _words(records)
    return replace(plain, rarity=rarity, where=where)


def _means(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))


def _words(records: Sequence[Record]) -> tuple[Mapping[str, float], Mapping[str, tuple[tuple[int, float], ...]]]:
    """How rare each word is, and which records hold it, with its weight there."""
    seen = Counter(word for record in records for word in set(words_of(record.question)))
    rarity = {word: math.log(len(records) / count) for word, count in seen.items() if count > 1}
    where: dict[str, list[tuple[int, float]]] = {}
    for place, record in enumerate(records):
        for word, weight in tf_idf(record.question, rarity).items():
            where.setdefault(word, []).append((place, weight))
    return rarity, {word: tuple(places) for word, places in where.items()}


def clustered(
    vectors: Sequence[Sequence[float]], count: int, seed: int = 0
) -> tuple[tuple[tuple[float, ...], ...], tuple[int, ...]]:
    """The centres of so many clusters (of length 1), and of which each vector is: k-means on the sphere, its first centres drawn
    far from each other (k-means++, Arthur and Vassilvitskii 2007). Needs numpy."""
    import numpy as np

    points, rng = np.array(vectors, float), Random(seed)
    centres = [points[rng.randrange(len(points))]]
    while len(centres) < min(count, len(points)):
        far = np.clip(1 - np.max(points @ np.array(centres).T, axis=1), 0, None)
        centres.append(points[rng.choices(range(len(points)), weights=(far + 1e-12).tolist())[0]])
    held = np.array(centres)
    nearest = np.argmax(points @ held.T, axis=1)
    for _ in range(ROUNDS):
        for place in range(len(held)):
            if (mine := points[nearest == place]).size:
                held[place] = unit(mine.mean(axis=0))
        moved = np.argmax(points @ held.T, axis=1)
        if (moved == nearest).all():
            break
        nearest = moved
    return tuple(tuple(map(float, centre)) for centre in held), tuple(map(int, nearest))


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
