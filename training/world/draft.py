"""What a family of skills hands over: a drawn exercise, before it is put into words.

Wording is kept apart from drawing so that operands and phrasings can be held out of training independently.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

Rng = random.Random


@dataclass(frozen=True, slots=True)
class Phrasings:
    """Ways to ask the same thing; the unseen ones never occur in training data."""

    seen: tuple[str, ...]
    unseen: tuple[str, ...]

    def pick(self, rng: Rng, unseen: bool) -> str:
        return rng.choice(self.unseen if unseen else self.seen)


@dataclass(frozen=True, slots=True)
class Draft:
    """One exercise: `key` names its operands (empty when the answer can only be recalled, not worked out)."""

    key: str
    phrasings: Phrasings
    answer: str
    steps: tuple[str, ...]
    slots: Mapping[str, object] = field(default_factory=dict)
