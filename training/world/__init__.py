"""The small world the embedded models know: twelve skills, many phrasings, answers that can be checked.

Every question is drawn from a seeded generator, so the same seed gives the same data on every machine. Operands are
held out of training by a stable hash of what is asked, phrasings by being listed as unseen.
"""

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from training.world import arithmetic, beyond, calendar, facts, letters, numbers, outside, sequences, stories, units
from training.world.draft import Draft, Rng, Which
from training.world.dress import dressed
from training.world.noise import loosened, singular, typed

SKILLS: dict[str, Callable[[Rng], Draft]] = {
    "add": arithmetic.add,
    "multiply": arithmetic.multiply,
    "compare": numbers.compare,
    "percent": arithmetic.percent,
    "units": units.units,
    "calendar": calendar.calendar,
    "sequence": sequences.sequence,
    "letters": letters.letters,
    "roman": numbers.roman,
    "story": stories.story,
    "facts": facts.facts,
    "beyond": beyond.beyond,
}
UNSEEN_SHARE = 1 / 3
HOLD_OUT = 8
OUTSIDE = 0.1
"""Of the prompts from beyond the world: those that are its own questions but for their operands."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its checked answer; `steps` is the working, still without any proposer's manner.

    `operands`: what it is held out by, sorted; where nothing can be worked out, the fact with its wording.
    """

    skill: str
    text: str
    answer: str
    steps: tuple[str, ...]
    seen_phrasing: bool
    operands: tuple[str, ...] = ()


def held(skill: str, operands: Iterable[object]) -> bool:
    """Whether these operands are kept for tests, in whatever order: the same on every machine and in every run."""
    key = " ".join((skill, *sorted(map(str, operands))))
    return zlib.crc32(key.encode()) % HOLD_OUT == 0


def sample(rng: Rng, skill: str, held_out: bool = False, kept: bool = False, dressing: Rng | None = None) -> Question:
    """Draw one question; held-out ones have operands, and a third of them phrasings, that training never shows.

    Where the wording itself is held out, few plain ones are: tests do not favour those, or they would repeat them. Nor does
    anything favour some prompts from beyond the world: there the wording is all there is. `kept`: in a wording that proposers
    do not know. `dressing`: what draws how training dresses them; with one of its own, the questions are those of the rounds before
    there was any such dress.
    """
    dressing = dressing or rng
    while True:
        draft = _drawn(rng, skill, held_out, dressing)
        plain = skill != "beyond" and (bool(draft.operands) or not held_out)
        unseen = held_out and rng.random() < UNSEEN_SHARE
        which: Which = "unseen" if unseen else "kept" if kept else "seen"
        template = draft.phrasings.pick(rng, which, favour_plain=plain)
        operands = tuple(sorted(map(str, draft.operands or (template.format(**draft.slots),))))
        if held(skill, operands) == held_out:
            template = typed(template if held_out else loosened(template, rng), rng)
            text = singular(template.format(**draft.slots))
            text = text if held_out else dressed(skill, text, draft.answer, dressing)
            return Question(skill, text, draft.answer, draft.steps, not unseen, operands)


def _drawn(rng: Rng, skill: str, held_out: bool, dressing: Rng) -> Draft:
    """An exercise; in training some of what is beyond the world is just outside of it."""
    if skill == "beyond" and not held_out and dressing.random() < OUTSIDE:
        return outside.outside(dressing)
    return SKILLS[skill](rng)


def questions(n_per_skill: int, seed: int) -> list[Question]:
    """The held-out test set of a seed: `n_per_skill` questions of every skill, no two worded alike."""
    rng = Rng(seed)
    asked: dict[str, Question] = {}
    for count, skill in enumerate(SKILLS, start=1):
        while len(asked) < count * n_per_skill:
            question = sample(rng, skill, held_out=True)
            asked.setdefault(question.text, question)
    return list(asked.values())
