"""How a whole question is dressed: its case, longer courtesies around it, and how it is laid out; what is asked stays the same.

Operands change their case with the rest, since people who type in capitals type all of it so; answers are compared
without case. Only where the case itself is asked about (`kept_words`) does a word stay as it is.
"""

import re
from typing import Literal, get_args

from training.world import draft
from training.world.draft import Rng
from training.world.facts import ELEMENTS
from training.world.noise import followed

Case = Literal["caps", "lower", "title", "word"]
Way = Case | Literal["courteous", "spaced"]
CASES: tuple[Case, ...] = get_args(Case)
WAYS: tuple[Way, ...] = (*CASES, "courteous", "spaced")
CASE_SHARES = (0.04, 0.06, 0.02, 0.02)
"""Of what is trained on: in capitals, in small letters (beside those of `noise.py`), Each Word With A Capital, one WORD in them."""
COURTEOUS = 0.07
LAID_OUT = 0.05
COURTESIES = draft.load("courtesy")
SYMBOLS = frozenset(symbol for _, symbol in ELEMENTS)
LIKE_WORDS = frozenset(("As", "Be", "He", "I", "In"))
ABBREVIATED = frozenset(
    ("km", "m", "dm", "cm", "mm", "t", "kg", "g", "mg", "l", "dl", "cl", "ml", "h", "min", "s", "am", "pm")
)
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
PART_END = re.compile(r"(?<=[.?!:;,]) (?=\S)")
SPACES = ("\u00a0", "\u00a0", "\u00a0", "\u202f", "  ", "  ", "   ", "\t")
EDGES = (" {}", "  {}", "\n{}", "{} ", "{} ", "{}  ", "{}\n", "{}\n\n", "{}\t", "\u00a0{}", "{}\u00a0", "\n{}\n")
FRAMES = (
    '"{}"', '"{}"', "“{}”", "'{}'", "«{}»", "`{}`", "*{}*", "**{}**", "({})", "[{}]", "<{}>", "- {}", "* {}", "> {}",
    "Q: {}", "Q: {}\nA:", "Q: {} A:", "q: {} a:", "Question: {} Answer:", "Question: {}\nAnswer:", "QUESTION: {}\nANSWER:",
    "Question: {}", "### Question\n{}", "### Question\n{}\n### Answer", "Problem: {}\nSolution:", "Input: {}\nOutput:",
    "User: {}", "User: {}\nAssistant:", "Human: {}", "[question] {}", "Prompt: {}", "Task:\n{}", "-- {} --", "... {}",
)  # fmt: skip


def kept_words(skill: str, text: str, answer: str) -> frozenset[str]:
    """Words whose case is part of what is asked.

    They are the symbol of which it is asked whether it is the right one, and those that small letters would make English words.
    """
    if skill != "facts":
        return frozenset()
    symbols = SYMBOLS.intersection(WORD.findall(text))
    return frozenset(symbols if answer in ("yes", "no") else symbols & LIKE_WORDS)


def spelled(text: str, case: Case, kept: frozenset[str] = frozenset(), rng: Rng | None = None) -> str:
    """The text in another case; of "word" it is the first one, or with `rng` sometimes any other one that is longer."""
    words = WORD.findall(text)
    if case == "word":
        places = [place for place, word in enumerate(words) if len(word) > 2 and word not in kept] or [0]
        chosen = rng.choice(places) if rng is not None and rng.random() < 0.5 else 0
    count = iter(range(len(words)))

    def changed(match: re.Match[str]) -> str:
        word, place = match[0], next(count)
        if word in kept or (case == "word" and place != chosen):
            return word
        if case == "title":
            return word if word in ABBREVIATED else word[0].upper() + word[1:]
        return word.lower() if case == "lower" else word.upper()

    return WORD.sub(changed, text)


def courteous(skill: str, text: str, rng: Rng, which: draft.Which = "seen") -> str:
    """With something polite, or a wish for the answer, before it or behind it or both; apart from a word whose letters matter."""
    place = rng.random()
    if place < 0.55:
        text = COURTESIES["before"].pick(rng, which, favour_plain=False) + text
    if place > 0.45:
        after = COURTESIES["behind"].pick(rng, which, favour_plain=False)
        text = (
            f"{text},{after}"
            if skill == "letters" and after[1].islower() and text[-1].isalpha()
            else followed(text, after)
        )
    return text


def laid_out(text: str, rng: Rng) -> str:
    """With odd spaces, lines broken between its parts, or a frame around it."""
    kind = rng.random()
    if kind < 0.25:
        space = rng.choice(SPACES)
        if rng.random() < 0.4:
            return text.replace(" ", space)
        return _one(r" ", space, text, rng)
    if kind < 0.45:
        return PART_END.sub("\n", text) if rng.random() < 0.5 else _one(PART_END.pattern, "\n", text, rng)
    if kind < 0.65:
        return rng.choice(EDGES).format(text)
    frame = rng.choice(FRAMES)
    return text if frame[0] in "\"“'«`" and re.search("[\"“”'«`]", text) else frame.replace("{}", text)


def _one(pattern: str, other: str, text: str, rng: Rng) -> str:
    """One place of a pattern, put in another way."""
    places = list(re.finditer(pattern, text))
    if not places:
        return text
    place = rng.choice(places)
    return text[: place.start()] + other + text[place.end() :]


def respelled(skill: str, text: str, answer: str, way: Way, rng: Rng) -> str:
    """The same question in one of these ways, to measure what it costs: courteous in words that training never shows."""
    if way == "courteous":
        return courteous(skill, text, rng, "unseen")
    if way == "spaced":
        return laid_out(text, rng)
    return spelled(text, way, kept_words(skill, text, answer), rng)


def dressed(skill: str, text: str, answer: str, rng: Rng) -> str:
    """As training shows it: mostly as it is."""
    if rng.random() < COURTEOUS:
        text = courteous(skill, text, rng)
    case = rng.choices((None, *CASES), (1 - sum(CASE_SHARES), *CASE_SHARES))[0]
    if case is not None:
        text = spelled(text, case, kept_words(skill, text, answer), rng)
    return laid_out(text, rng) if rng.random() < LAID_OUT else text
