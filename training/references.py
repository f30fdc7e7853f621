"""What the aggregator learns from: real replies of the real proposers, shuffled, and now and then spoilt.

In use a proposer may be missing, cut off or plainly wrong, so some replies are dropped, cut, swapped or falsified here.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.coverage import PROPOSERS
from training.manners import AGGREGATOR, MANNERS, working
from training.scoring import MARK, is_right
from training.world import SKILLS, Question, held, sample
from training.world.beyond import HONEST
from training.world.draft import Rng

QUESTION_SEED = 7171
KEPT_SHARE = 0.5
TURNS = (*SKILLS, "beyond", "beyond", "beyond")
"""What is asked in turn: what is beyond the world is asked more, as any references may come with it."""
ALONE_SHARE = 0.1
# Shares of references that are left out, cut, swapped for another of the skill, for any other, falsified, a stranger's.
SPOILT = (0.06, 0.02, 0.1, 0.05, 0.07, 0.04)
TWIN_SHARE = 0.3  # of the questions with a twin: one reference answers that instead
TAKEN_IN = 0.5  # of what is beyond the world: one to three references answer some question of the world instead
GAVE_UP, GIVING_UP = 0.15, (1, 2, 2, 3, 3, 4)  # of the questions of the world: so many references call it beyond
ENOUGH = 3
"""From so many references on that call a question beyond, it is, unless another took it for what it is (the default)."""
RECALLED = frozenset(("facts",))  # skills where no working leads to the answer
NUMBER = re.compile(r"\d+(?:[.:/]\d+)*")
STRANGERS = ("Answer: {}", "Answer: {}", "The answer is {}.", "{}", "I think it is {}.", "It must be this.\nAnswer: {}")
CHOICE_WEIGHT, ANSWER_WEIGHT = 8, 2
"""What choices (the first token, which begins a tally or the honest sentence, and the number) and the answer count in the loss."""
Trust = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Reference:
    """A proposer's reply; whose it is serves the choice of what to learn and is never shown.

    `implied`: the answer its working leads to, where the one it states was falsified.
    """

    proposer: str
    text: str
    implied: str | None = None

    @property
    def answer(self) -> str:
        """As the tally shows it: "-" where there is none, "beyond" for the honest sentence."""
        return self.implied or stated(self.text)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a reply to learn; `worked_out`: in place of the text, the answer that was worked out."""

    text: str
    weight: int = 1
    worked_out: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what every proposer replied to it, and what one of them replied to its twin (`twin`)."""

    question: Question
    references: tuple[Reference, ...]
    twin: Reference | None = None


def frame(question: str, references: Sequence[str]) -> str:
    """The question with its references joined to it; the frame must equal moa.core.prompts.frame_quoted."""
    parts = [question]
    for number, text in enumerate(references, 1):
        quoted = "\n".join("> " + line for line in text.split("\n"))
        parts.append(f"\n\nResponse {number}:\n{quoted}")
    return "".join(parts)


def training_questions(count: int) -> list[Question]:
    """What the proposers are asked to make references: every skill in its turn, none of it held out, half in wordings they do not
    know, since of those they misread more."""
    rng = Rng(QUESTION_SEED)
    return [sample(rng, TURNS[number % len(TURNS)], kept=rng.random() < KEPT_SHARE) for number in range(count)]


def twin(question: Question) -> str | None:
    """The question with one digit of an operand changed: who answers it is wrong, and as sure of it as of the right one.

    None where the operands are not all numbers that stand in the text, or the changed ones are held out.
    """
    numbers = [operand for operand in question.operands if operand[:1].isdigit()]
    places = {match[0]: match.start() for match in NUMBER.finditer(question.text)}
    if not numbers or not all(number in places for number in numbers):
        return None
    rng = Rng(question.text)
    chosen = rng.choice(numbers)
    at = rng.choice([at for at, sign in enumerate(chosen) if sign.isdigit()])
    digit = rng.choice([digit for digit in "123456789" if digit != chosen[at]])
    changed = chosen[:at] + digit + chosen[at + 1 :]
    left = list(question.operands)
    left[left.index(chosen)] = changed
    start = places[chosen]
    text = question.text[:start] + changed + question.text[start + len(chosen) :]
    return None if held(question.skill, left) else text


def twins_of(proposer: str, asked: Sequence[Question]) -> list[str]:
    """The twins that one proposer is asked: of every fourth question."""
    mine = asked[PROPOSERS.index(proposer) :: len(PROPOSERS)]
    return [text for question in mine if (text := twin(question)) is not None]


def load_asked(work: Path) -> list[Asked]:
    """The questions with the replies kept in `replies-p1.json` and so on, and those to twins (`twins-p1.json`)."""
    replies, twins = ([_kept(work / f"{kind}-{name}.json") for name in PROPOSERS] for kind in ("replies", "twins"))
    rows, found = list(zip(*replies, strict=True)), []
    left = [iter(texts) for texts in twins]
    for number, (question, row) in enumerate(zip(training_questions(len(rows)), rows, strict=True)):
        references = tuple(Reference(name, text) for name, text in zip(PROPOSERS, row, strict=True))
        who = number % len(PROPOSERS)
        other = None if twin(question) is None else Reference(PROPOSERS[who], next(left[who]))
        found.append(Asked(question, references, other))
    return found


def _kept(path: Path) -> list[str]:
    texts: list[str] = json.loads(path.read_text(encoding="utf-8"))
    return texts


def measure_trust(asked: Sequence[Asked]) -> Trust:
    """How often each proposer is right, by skill."""
    right: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for one in asked:
        for reference in one.references:
            right[one.question.skill][reference.proposer] += is_right(reference.text, one.question)
    return right


def falsify(text: str, rng: Rng) -> str:
    """The same reply with another answer of the same kind: one digit changed, or the letters in another order."""
    if MARK not in text:
        return text
    head, answer = text.rsplit(MARK, 1)
    digits = [place for place, sign in enumerate(answer) if sign.isdigit()]
    if not digits:
        letters = list(answer.strip())
        return f"{head}{MARK} {''.join(letters[::-1] if rng.random() < 0.5 else rng.sample(letters, len(letters)))}"
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
        if one.twin is not None and rng.random() < TWIN_SHARE:
            shown = [one.twin if reference.proposer == one.twin.proposer else reference for reference in shown]
        shown = self._disagree(shown, rng) if one.question.answer == HONEST else self._give_up(shown, rng)
        spoilt = (self._spoil(reference, one.question.skill, rng) for reference in rng.sample(shown, len(shown)))
        return [reference for reference in spoilt if reference.text.strip()]

    def _disagree(self, shown: list[Reference], rng: Rng) -> list[Reference]:
        """Proposers know what is beyond from training, and call new prompts beyond less often: so some do not here, either."""
        taken_in = rng.randint(1, len(shown) - 1) if rng.random() < TAKEN_IN else 0
        return [
            replace(reference, text=self._any_other(reference, "beyond", rng)) if place < taken_in else reference
            for place, reference in enumerate(shown)
        ]

    def _give_up(self, shown: list[Reference], rng: Rng) -> list[Reference]:
        """Whether proposers call a question beyond must count, and not only what it is about, which is soon known by heart."""
        gave_up = rng.choice(GIVING_UP) if rng.random() < GAVE_UP else 0
        return [replace(one, text=HONEST) if place < gave_up else one for place, one in enumerate(shown)]

    def _spoil(self, reference: Reference, skill: str, rng: Rng) -> Reference:
        ways = (self._none, self._cut, self._other, self._any_other, self._false, self._stranger)
        way = rng.choices((None, *ways), (1 - sum(SPOILT), *SPOILT))[0]
        if way is None:
            return reference
        implied = stated(reference.text) if way == self._false and skill not in RECALLED else None
        return replace(reference, text=way(reference, skill, rng), implied=implied)

    def _none(self, reference: Reference, skill: str, rng: Rng) -> str:
        return ""

    def _cut(self, reference: Reference, skill: str, rng: Rng) -> str:
        return reference.text[: rng.randint(0, len(reference.text))]

    def _other(self, reference: Reference, skill: str, rng: Rng) -> str:
        """What this proposer said to another question of the skill."""
        return rng.choice(self.others[skill, reference.proposer])

    def _any_other(self, reference: Reference, skill: str, rng: Rng) -> str:
        """What this proposer said to any other question."""
        return rng.choice(self.others[rng.choice(list(SKILLS)), reference.proposer])

    def _false(self, reference: Reference, skill: str, rng: Rng) -> str:
        return falsify(reference.text, rng)

    def _stranger(self, reference: Reference, skill: str, rng: Rng) -> str:
        """Only an answer, without any working: to another question, or falsified."""
        text = self._other(reference, skill, rng) if rng.random() < 0.5 else falsify(reference.text, rng)
        return rng.choice(STRANGERS).format(text.rsplit(MARK, 1)[1].strip()) if MARK in text else text


def stated(text: str) -> str:
    """What a reply gives as its answer."""
    if text.strip() == HONEST:
        return "beyond"
    return text.rsplit(MARK, 1)[1].strip() or "-" if MARK in text else "-"


def fits(question: Question, text: str) -> bool:
    """Whether a reply's working begins as the question's does: who misread the question begins otherwise."""
    if question.answer == HONEST:
        return text.strip() == HONEST
    return any(
        text.startswith(working(replace(question, steps=question.steps[:1]), manner).removesuffix(manner.closing))
        for manner in MANNERS.values()
    )


def tallied(question: Question, reference: Reference) -> str:
    """A reference in the tally: what its working leads to, or "x" where it is wrong and about something else."""
    right = reference.answer.lower() == question.answer.lower()
    return reference.answer if right or fits(question, reference.text) else "x"


def lesson(question: Question, shown: Sequence[Reference], trust: Trust, enough: int = ENOUGH) -> list[Part]:
    """The reply to learn: a tally of the answers, the number of the best right reference, and its answer.

    The tally holds what each working leads to, so that an answer which does not follow from it is set right, and "x" for
    one that is about something else. Where none is right the number is 0 and the aggregator works by itself; but what `enough` of
    them call beyond, and no other is about, is beyond.
    """
    tallies = [tallied(question, one) for one in shown]
    gave_up = sum(one.text.strip() == HONEST for one in shown) >= enough and set(tallies) == {"x"}
    if question.answer == HONEST or gave_up:
        return [Part(HONEST[:4], CHOICE_WEIGHT), Part(HONEST[4:])]
    alone = [Part(f"{working(question, AGGREGATOR)}\n{MARK}"), Part("", worked_out=True)]
    if not shown:
        return alone
    answers = " | ".join(f"{number}: {one}" for number, one in enumerate(tallies, 1))
    tally = [Part(answers[:1], CHOICE_WEIGHT), Part(f"{answers[1:]} ->")]
    right = [number for number, one in enumerate(tallies, 1) if one.lower() == question.answer.lower()]
    if not right:
        return [*tally, Part(" 0", CHOICE_WEIGHT), Part("; "), *alone]
    best = max(right, key=lambda number: trust[question.skill][shown[number - 1].proposer])
    return [*tally, Part(f" {best}", CHOICE_WEIGHT), Part(f"\n{MARK} {shown[best - 1].answer}", ANSWER_WEIGHT)]
