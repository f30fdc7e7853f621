"""Whom to ask, as learnt from graded records: the agent that was worth most on the most similar questions (kNN and clusters, by
words or by embeddings, as in RouterBench, arXiv 2403.12031). `moa learn router` writes the file; it is plain data."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from operator import mul
from typing import Any, Literal, TypeAlias

from moa.core.agents import Agent
from moa.core.errors import CallError
from moa.core.flow import Ask, Choose, Flow
from moa.core.prompts import up_to_last_turn
from moa.core.types import Conversation, Reply, user
from moa.core.ways import MOST_CHOICES

NEIGHBOURS, FEWEST = 40, 5
"""How many records are asked about a question: a tenth of them, but not more and not fewer than so many."""
SURE = 1.64
"""Standard errors by which a gain must be above nothing (one-sided 95 %)."""
_WORD = re.compile(r"[^\W\d_]{2,}|\d")
Bag: TypeAlias = Mapping[str, float]
Vector: TypeAlias = Sequence[float]
Reads: TypeAlias = Literal["words", "embeddings", "clusters"]


@dataclass(frozen=True, slots=True)
class Router:
    """Graded questions, and what each agent was worth on them: how right it was, less what its cost and its seconds count for.

    `gain` is how much more a question is worth with this router than with the `best` single agent, as tried on records that were
    left out, and `error` the standard error of that: unless it is significant, the best single agent is always chosen.

    It `reads` "words" (`where` says which records hold a word, and how much it weighs there; `rarity` what it weighs in all),
    "embeddings" (`vectors`, one of length 1 a record), or "clusters" (`vectors` are their centres, `clusters` says of which each
    record is). `means` is what each agent is worth in each category of records.

    Raises:
        ValueError: it does not fit together; says what.
    """

    agents: tuple[str, ...]
    best: str
    worth: tuple[tuple[float, ...], ...]
    gain: float
    error: float
    reads: Reads = "words"
    categories: tuple[str, ...] = ()
    means: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    rarity: Mapping[str, float] = field(default_factory=dict)
    where: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)
    vectors: tuple[tuple[float, ...], ...] = ()
    clusters: tuple[int, ...] = ()
    version: Literal[1] = 1

    def __post_init__(self) -> None:
        if problem := _problem(self):
            raise ValueError(problem)

    @property
    def trusted(self) -> bool:
        """Whether its gain is significant."""
        return self.gain > 0 and self.gain >= SURE * self.error

    def choose(self, question: str | Vector) -> str:
        """The agent to ask: a question is given as its text or, where embeddings are read, as its embedding."""
        return self.preferred(question) if self.trusted else self.best

    def preferred(self, question: str | Vector) -> str:
        """The same, whether or not the router as a whole is trusted.

        Where there are categories, the one that is likeliest best: each of the most similar questions says, for as much as it is
        alike, how much everybody is worth in its category. Else the one that was best on these, where that is significant.
        """
        near = self._near_words(question) if isinstance(question, str) else self._near_vector(question)
        if len(near) < FEWEST:
            return self.best
        if len(self.means) > 1:
            hopes = [0.0] * len(self.agents)
            for place, likeness in near:
                for agent, mean in enumerate(self.means[self.categories[place]]):
                    hopes[agent] += likeness * likeness * mean
            return self.agents[hopes.index(max(hopes))]
        own = self.agents.index(self.best)
        gains = [(*self._gain(near, place, own), name) for place, name in enumerate(self.agents) if place != own]
        gain, error, better = max(gains, default=(0.0, 0.0, self.best))
        return better if gain > 0 and gain >= SURE * error else self.best

    def _near_words(self, question: str) -> list[tuple[int, float]]:
        likeness: dict[int, float] = {}
        for word, weight in tf_idf(question, self.rarity).items():
            for place, other in self.where.get(word, ()):
                likeness[place] = likeness.get(place, 0.0) + weight * other
        return nlargest(self._neighbours, likeness.items(), key=lambda one: one[1])

    @property
    def _neighbours(self) -> int:
        return min(max(len(self.worth) // 10, FEWEST), NEIGHBOURS)

    def _near_vector(self, vector: Vector) -> list[tuple[int, float]]:
        own = unit(vector)
        likeness = [(place, sum(map(mul, own, one))) for place, one in enumerate(self.vectors)]
        if self.reads == "embeddings":
            return nlargest(self._neighbours, likeness, key=lambda one: one[1])
        nearest = max(likeness, key=lambda one: one[1], default=(0, 0.0))[0]
        return [(place, 1.0) for place, cluster in enumerate(self.clusters) if cluster == nearest]

    def _gain(self, near: Sequence[tuple[int, float]], agent: int, own: int) -> tuple[float, float]:
        """How much more an agent was worth than the fallback, on average, and the standard error of that."""
        return mean_and_error([self.worth[place][agent] - self.worth[place][own] for place, _ in near])


def _problem(router: Router) -> str:
    """What does not fit together in a router; empty where all does."""
    wide, records = len(router.agents), len(router.worth)
    kinds = router.means if len(router.means) > 1 else {}
    checks = (
        (1 <= wide <= MOST_CHOICES and len(set(router.agents)) == wide, f"agents: 1 to {MOST_CHOICES} different ones"),
        (router.best in router.agents, f"best: {router.best!r} is none of the agents"),
        (all(len(row) == wide for row in router.worth), "worth: a row has one number for each agent"),
        (all(len(row) == wide for row in router.means.values()), "means: a row has one number for each agent"),
        (not kinds or len(router.categories) == records, "categories: there is one for each row of worth"),
        (not kinds or set(router.categories) <= set(kinds), "categories: each has a row in means"),
        (
            all(0 <= place < records for places in router.where.values() for place, _ in places),
            "where: a place is that of a row of worth",
        ),
        (router.reads == "words" or bool(router.vectors), f'vectors: reads = "{router.reads}" needs some'),
        (len({len(one) for one in router.vectors}) <= 1, "vectors: all are of one length"),
        (router.reads != "embeddings" or len(router.vectors) == records, "vectors: there is one for each row of worth"),
        (router.reads != "clusters" or len(router.clusters) == records, "clusters: there is one for each row of worth"),
        (all(0 <= one < len(router.vectors) for one in router.clusters), "clusters: each is the place of a vector"),
    )
    return next((words for holds, words in checks if not holds), "")


def mean_and_error(gaps: Sequence[float]) -> tuple[float, float]:
    """The mean of two numbers or more, and its standard error."""
    mean = sum(gaps) / len(gaps)
    spread = sum((gap - mean) ** 2 for gap in gaps) / (len(gaps) - 1)
    return mean, math.sqrt(spread / len(gaps))


def tf_idf(text: str, rarity: Mapping[str, float]) -> Bag:
    """The words of a text by how often they stand in it and how rare they are, of length 1."""
    counts = Counter(words_of(text))
    weights = {word: (1 + math.log(count)) * rarity[word] for word, count in counts.items() if word in rarity}
    size = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {word: weight / size for word, weight in weights.items()} if size else {}


def words_of(text: str) -> list[str]:
    """The words and digits of a text, in lower case."""
    return _WORD.findall(text.lower())


def unit(vector: Vector) -> tuple[float, ...]:
    """The vector of length 1 in the same direction, so that products are cosines; one of nothing stays so."""
    size = math.hypot(*vector) or 1.0
    return tuple(one / size for one in vector)


def embedding_of(text: str) -> tuple[float, ...]:
    """The numbers of an embedder's reply, a JSON list; empty where it is none."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    numbers = isinstance(found, list) and all(type(one) in (int, float) and math.isfinite(one) for one in found)
    return tuple(map(float, found)) if numbers else ()


async def by_router(
    conversation: Conversation,
    router: Router,
    members: Mapping[str, Callable[[Conversation], Flow[Reply]]],
    embedder: Agent | None = None,
) -> Reply:
    """The answer of the agent that the router chooses by the last turn, which the `embedder` is asked about where embeddings are
    read. Where it fails, the best single agent answers, and the reply says so in its notes."""
    turn = up_to_last_turn(conversation)[-1].text
    if not router.trusted:
        return await members[router.best](conversation)
    if router.reads == "words" or embedder is None:
        place = await Choose(router.agents.index(router.choose(turn)), router.agents, told=True)
        return await members[router.agents[place]](conversation)
    try:
        asked = embedder.call((user(turn),), role="embedder")
        reply = (await Ask((asked,), label="embed", steps=3)).replies[0]
    except CallError as error:
        return (await members[router.best](conversation)).noted(f"fallback: the embedder failed ({error})")
    vector = embedding_of(reply.text)
    fits = len(vector) == len(router.vectors[0])
    chosen = router.choose(vector) if fits else router.best
    place = await Choose(router.agents.index(chosen), router.agents)
    answer = await members[router.agents[place]](conversation)
    wrong = f"{len(vector)} numbers, not {len(router.vectors[0])}"
    return answer if fits else answer.noted(f"fallback: the embedder gave {wrong}")
