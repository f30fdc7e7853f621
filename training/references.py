"""What the aggregator learns from: real replies of the real proposers, shuffled, and now and then spoilt.

In use a proposer may be missing, cut off or plainly wrong, so some replies are dropped, cut, swapped or falsified here.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.coverage import PROPOSERS
from training.manners import AGGREGATOR, MANNERS, working
from training.scoring import MARK, is_right
from training.world import SKILLS, Question, sample
from training.world.beyond import HONEST
from training.world.draft import Rng

QUESTION_SEED = 4242
ALONE_SHARE = 0.12
DROPPED, CUT, SWAPPED, FALSIFIED = 0.08, 0.05, 0.04, 0.06
Trust = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Reference:
    """A proposer's reply; whose it is serves the choice of what to learn and is never shown."""

    proposer: str
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what every proposer replied to it."""

    question: Question
    references: tuple[Reference, ...]


def frame(question: str, references: Sequence[str]) -> str:
    """The question with its references joined to it; the frame must equal moa.core.prompts.frame_quoted."""
    parts = [question]
    for number, text in enumerate(references, 1):
        quoted = "\n".join("> " + line for line in text.split("\n"))
        parts.append(f"\n\nResponse {number}:\n{quoted}")
    return "".join(parts)


def training_questions(count: int) -> list[Question]:
    """What the proposers are asked to make references: every skill alike, none of it held out."""
    rng, skills = Rng(QUESTION_SEED), list(SKILLS)
    return [sample(rng, skills[number % len(skills)]) for number in range(count)]


def load_asked(work: Path) -> list[Asked]:
    """The questions with the replies kept in `replies-p1.json` and so on; as many as all have."""
    replies = [json.loads((work / f"replies-{name}.json").read_text(encoding="utf-8")) for name in PROPOSERS]
    rows = list(zip(*replies, strict=True))
    return [
        Asked(question, tuple(Reference(name, text) for name, text in zip(PROPOSERS, row, strict=True)))
        for question, row in zip(training_questions(len(rows)), rows, strict=True)
    ]


def measure_trust(asked: Sequence[Asked]) -> Trust:
    """How often each proposer is right, by skill."""
    right: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one in asked:
        for reference in one.references:
            right[one.question.skill][reference.proposer] += is_right(reference.text, one.question)
    return right


def falsify(text: str, rng: Rng) -> str:
    """The same reply with another answer: one digit changed, or the letters turned around."""
    if MARK not in text:
        return text
    head, answer = text.rsplit(MARK, 1)
    digits = [place for place, sign in enumerate(answer) if sign.isdigit()]
    if not digits:
        return f"{head}{MARK} {answer.strip()[::-1]}"
    place = rng.choice(digits)
    other = (int(answer[place]) + rng.randint(1, 9)) % 10
    return f"{head}{MARK}{answer[:place]}{other}{answer[place + 1 :]}"


class Spoiler:
    """Shuffles the references of one question and spoils a few of them."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        self.others: dict[tuple[str, str], list[str]] = defaultdict(list)
        for one in asked:
            for reference in one.references:
                self.others[one.question.skill, reference.proposer].append(reference.text)

    def show(self, one: Asked, rng: Rng) -> list[Reference]:
        """What the aggregator is shown; none in a share of cases, since it must also stand alone."""
        if rng.random() < ALONE_SHARE:
            return []
        shown = rng.sample(one.references, len(one.references))
        spoilt = (self._spoil(reference, one.question.skill, rng) for reference in shown)
        return [reference for reference in spoilt if reference and reference.text.strip()]

    def _spoil(self, reference: Reference, skill: str, rng: Rng) -> Reference | None:
        chance = rng.random()
        if chance < DROPPED:
            return None
        if chance < DROPPED + CUT:
            return replace(reference, text=reference.text[: rng.randint(0, len(reference.text))])
        if chance < DROPPED + CUT + SWAPPED:
            return replace(reference, text=rng.choice(self.others[skill, reference.proposer]))
        if chance < DROPPED + CUT + SWAPPED + FALSIFIED:
            return replace(reference, text=falsify(reference.text, rng))
        return reference


def any_right(question: Question, shown: Sequence[Reference]) -> bool:
    return any(is_right(reference.text, question) for reference in shown)


def line_to_learn(question: Question, shown: Sequence[Reference], trust: Trust) -> str:
    """The line of working: the first step of the best right reference, in that one's manner; else one's own working.

    Writing the opening of a manner is the choice whom to trust; the answer then only has to be taken from there.
    """
    if question.answer == HONEST:
        return ""
    right = [reference.proposer for reference in shown if is_right(reference.text, question)]
    if not right:
        return working(question, AGGREGATOR)
    best = max(right, key=lambda proposer: trust[question.skill][proposer])
    return working(replace(question, steps=question.steps[:1]), MANNERS[best])
