"""What a user says of a stored run: its answer is right or wrong, or what the right one is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rating:
    """One of the two: whether the run's answer is `right`, or the right `answer` (`right` is None then)."""

    right: bool | None = None
    answer: str = ""

    def __str__(self) -> str:
        return f"the right answer is {self.answer}" if self.right is None else "right" if self.right else "wrong"
