"""What a family of skills hands over: a drawn exercise, before it is put into words.

Wording is kept apart from drawing so that operands and phrasings can be held out of training independently. The
wordings themselves are data: one file per skill in `phrasings/`, with the seen and the unseen ones of every kind.
"""

import random
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Rng = random.Random
FOLDER = Path(__file__).parent / "phrasings"
PLAIN, PLAIN_SHARE = 10, 0.25  # the first wordings of a kind are those most people use: they come oftener
CHOICE = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class Phrasings:
    """Ways to ask the same thing; the unseen ones are never drawn in training.

    `[a|b]` in one of them stands for either wording, `{slot}` for an operand.
    """

    seen: tuple[str, ...]
    unseen: tuple[str, ...]

    def pick(self, rng: Rng, unseen: bool, favour_plain: bool = True) -> str:
        """One wording, its choices made, its slots still open."""
        plain = favour_plain and not unseen and rng.random() < PLAIN_SHARE
        template = rng.choice(self.unseen if unseen else self.seen[:PLAIN] if plain else self.seen)
        return CHOICE.sub(lambda choice: rng.choice(choice[1].split("|")), template)

    def without(self, *words: str) -> "Phrasings":
        """Those with none of these words in them."""
        seen, unseen = (
            tuple(template for template in templates if not any(word in template for word in words))
            for templates in (self.seen, self.unseen)
        )
        return Phrasings(seen, unseen)


def load(skill: str) -> dict[str, Phrasings]:
    """The phrasings of a skill, by kind of question."""
    tables = tomllib.loads((FOLDER / f"{skill}.toml").read_text(encoding="utf-8"))
    return {
        kind: Phrasings(tuple(table["seen"]), tuple(table["unseen"]))
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
