"""What a family of skills hands over: a drawn exercise, before it is put into words.

Wording is kept apart from drawing so that operands and phrasings can be held out of training independently. The
wordings themselves are data: one file per skill in `phrasings/`, with the seen, the kept and the unseen ones of every kind.
"""

import itertools
import math
import random
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

Rng = random.Random
Which = Literal["seen", "unseen", "kept"]
FOLDER = Path(__file__).parent / "phrasings"
PLAIN, PLAIN_SHARE = 10, 0.25  # the first wordings of a kind are those most people use: they come oftener
CHOICE = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class Phrasings:
    """Ways to ask the same thing; the unseen ones are never drawn in training, the kept ones only for the aggregator's.

    `[a|b]` in one of them stands for either wording, `{slot}` for an operand.
    """

    seen: tuple[str, ...]
    unseen: tuple[str, ...]
    kept: tuple[str, ...] = ()

    def pick(self, rng: Rng, which: Which = "seen", favour_plain: bool = True) -> str:
        """One wording, its choices made, its slots still open; a seen one where none is kept."""
        if which == "unseen":
            template = rng.choice(self.unseen)
        elif which == "seen" and favour_plain and rng.random() < PLAIN_SHARE:
            template = rng.choice(self.seen[:PLAIN])
        else:
            some = self.kept if which == "kept" and self.kept else self.seen
            template = rng.choices(some, cum_weights=_weights(some))[0]
        return CHOICE.sub(lambda choice: rng.choice(choice[1].split("|")), template)

    def without(self, *words: str) -> "Phrasings":
        """Those with none of these words in them."""
        return self.where(lambda template: not any(word in template for word in words))

    def where(self, fits: Callable[[str], bool]) -> "Phrasings":
        """Those that fit."""
        return Phrasings(*(tuple(filter(fits, templates)) for templates in (self.seen, self.unseen, self.kept)))


@cache
def _weights(templates: tuple[str, ...]) -> tuple[float, ...]:
    """How often each comes, added up: one with choices inside oftener, once more each time that what it stands for doubles."""
    sizes = (math.prod(choice.count("|") + 1 for choice in CHOICE.findall(template)) for template in templates)
    return tuple(itertools.accumulate(1 + math.log2(size) for size in sizes))


def load(skill: str) -> dict[str, Phrasings]:
    """The phrasings of a skill, by kind of question."""
    tables = tomllib.loads((FOLDER / f"{skill}.toml").read_text(encoding="utf-8"))
    return {
        kind: Phrasings(tuple(table["seen"]), tuple(table["unseen"]), tuple(table.get("kept", ())))
        for kind, table in tables.items()
        if "seen" in table
    }


@dataclass(frozen=True, slots=True)
class Draft:
    """One exercise: `operands` is what is asked of whom, in any order; empty when the answer can only be recalled."""

    operands: tuple[object, ...]
    phrasings: Phrasings
    answer: str
    steps: tuple[str, ...]
    slots: Mapping[str, object] = field(default_factory=dict)
