"""What templates stand for, and wordings without what does not matter."""

from __future__ import annotations

import itertools
import re

from training.world.draft import CHOICE


def wordings(template: str) -> list[str]:
    """All that a template stands for."""
    parts = CHOICE.split(template)
    choices = [part.split("|") if place % 2 else [part] for place, part in enumerate(parts)]
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def bare(wording: str) -> str:
    """A wording without case, quotes, courtesy and punctuation."""
    plain = re.sub(r"\b(please|thanks)\b", "", re.sub("[\"'’]", "", wording.lower()))
    return re.sub(r"[^\w{}+*/×÷:<>=-]+", " ", plain).strip(" =:") or wording  # nothing but signs, as 🎉 is
