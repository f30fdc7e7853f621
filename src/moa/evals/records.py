"""Graded records: what agents answered to questions whose right answers are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True, slots=True)
class Record:
    """One question: what each agent answered (None: nothing that could be read) and how right that is, 0 to 1.

    `answers` compare equal where they mean the same; `category` is what kind of question it is, as far as that is known beforehand.
    `cost` (US dollars) and `seconds` are what each agent's answer took, where that is known, `embedding` the question's.
    """

    question: str
    answers: Mapping[str, str | None]
    right: Mapping[str, float]
    category: str = ""
    key: str = field(default="", compare=False)
    cost: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    embedding: tuple[float, ...] = ()


def folds(records: Sequence[Record], count: int = 5, seed: int = 0) -> list[list[Record]]:
    """The records in so many parts of about one size, drawn by chance, the same for the same seed."""
    order = list(records)
    Random(seed).shuffle(order)
    return [order[place::count] for place in range(count)]


def rest(parts: Sequence[Sequence[Record]], left_out: int) -> list[Record]:
    """All parts but one."""
    return [record for place, part in enumerate(parts) if place != left_out for record in part]


def accuracy(records: Sequence[Record], agent: str) -> float:
    """How right an agent is, on average; 0 without records."""
    return sum(record.right.get(agent, 0.0) for record in records) / len(records) if records else 0.0


def best_single(records: Sequence[Record], agents: Sequence[str]) -> str:
    """The agent that is right most often, the first of equals."""
    return max(agents, key=lambda agent: accuracy(records, agent))
