"""The small world of the models that ship: checked answers, honest hold-outs, many wordings; nothing is trained here."""

from __future__ import annotations

import itertools
import random
import re
from datetime import date, datetime, timedelta

import pytest
from training.manners import MANNERS, working
from training.references import Reference, Spoiler, falsify, frame, lesson
from training.scoring import is_right
from training.world import SKILLS, Question, held, questions, sample
from training.world.beyond import HONEST
from training.world.calendar import DAYS
from training.world.draft import CHOICE, Phrasings, load
from training.world.numbers import ROMAN

from moa.core.prompts import frame_quoted

KINDS = {f"{skill}.{kind}": phrasings for skill in SKILLS for kind, phrasings in load(skill).items()}


def wordings(template: str) -> list[str]:
    """All that a template stands for."""
    parts = CHOICE.split(template)
    choices = [part.split("|") if place % 2 else [part] for place, part in enumerate(parts)]
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def bare(wording: str) -> str:
    """A wording without case, quotes, courtesy and punctuation."""
    plain = re.sub(r"\b(please|thanks)\b", "", re.sub("[\"'’]", "", wording.lower()))
    return re.sub(r"[^\w{}+*/×÷:<>=-]+", " ", plain).strip(" =:") or wording  # nothing but signs, as 🎉 is


@pytest.mark.parametrize("phrasings", KINDS.values(), ids=KINDS)
def test_each_kind_is_worded_in_twenty_ways_and_more_and_in_others_never_trained(phrasings: Phrasings) -> None:
    seen = {bare(wording) for template in phrasings.seen for wording in wordings(template)}
    unseen = {bare(wording) for template in phrasings.unseen for wording in wordings(template)}
    assert len(phrasings.seen) >= 20
    assert len(unseen) >= 8
    assert not seen & unseen


def test_the_same_seed_makes_the_same_questions() -> None:
    assert questions(5, 3) == questions(5, 3)
    assert questions(5, 3) != questions(5, 4)


def test_training_never_draws_what_is_held_out() -> None:
    rng = random.Random(1)
    assert {question.text for question in questions(40, 1) if question.skill != "beyond"}.isdisjoint(
        {sample(rng, skill).text for skill in SKILLS for _ in range(300)}
    )
    assert all(sample(rng, skill).seen_phrasing for skill in SKILLS for _ in range(50))
    assert any(not question.seen_phrasing for question in questions(20, 1))


PLOTS = {
    "bought_gave": "a+b*c-d", "packs_lost": "b*c-d", "packs_more": "a+b*c", "found_lost": "a+c-d", "lost_found": "a-d+c",
    "spent": "a-b*c", "shared": "(a+c)/b", "lost_twice": "a-c-d", "joined": "a+c+d", "more_together": "a+a+b",
    "fewer_together": "a+a-b", "times_together": "a+a*b", "two_kinds": "a*b+c*d", "packs_needed": "(a-b)/c",
    "three_factors": "a*b*c", "doubled_lost": "2*a-b", "half_more": "a/2+b", "half_less": "a/2-b", "each_both": "a*(b+c)",
    "shared_more": "a/b+c", "shared_less": "a/b-c", "lost_shared": "(a-c)/b", "pooled_shared": "b*c/d",
}  # fmt: skip


@pytest.mark.parametrize("skill", ["add", "multiply", "percent", "roman", "calendar", "compare", "letters", "story"])
def test_answers_are_what_another_way_of_reckoning_gives(skill: str) -> None:
    rng, checked = random.Random(skill), 0
    for _ in range(400):
        draft = SKILLS[skill](rng)
        expected = reckon(skill, draft.key, dict(draft.slots), draft.phrasings)
        if expected is not None:
            assert draft.answer == expected, draft
            checked += 1
    assert checked > 100


def reckon(skill: str, key: str, slots: dict[str, object], phrasings: Phrasings) -> str | None:
    """The answer of some kinds of exercise, worked out anew from its key."""
    if skill == "add":
        return str(sum(int(term) for term in re.findall(r"[+-]?\d+", key.replace(" ", ""))))
    if skill == "multiply":
        left, right = map(int, re.findall(r"\d+", key))
        return str(left * right if "*" in key else left // right)
    if skill == "percent":
        part, n = key.split()
        over = part.removesuffix("%") + "/100" if part.endswith("%") else part
        a, b = map(int, over.split("/"))
        share = a * int(n) / b
        kind = kind_of(skill, phrasings)
        value = {"raised": int(n) + share, "cut": int(n) - share, "what_percent": a}.get(kind, share)
        return f"{value:.2f}".rstrip("0").rstrip(".")
    if skill == "story":
        plot, *numbers = key.split()
        return f"{eval(PLOTS[plot], dict(zip('abcd', map(int, numbers), strict=True))):g}"
    if skill == "roman":
        numeral, n = "", int(key)
        for value, sign in ROMAN:
            numeral += sign * (n // value)
            n %= value
        return key if slots["n"] != int(key) else numeral
    if skill == "calendar" and "end" in slots:
        start, end = (datetime.strptime(str(slots[name]), "%H:%M") for name in ("time", "end"))
        return str((end - start).seconds // 60)
    if skill == "calendar" and "day" in slots:
        start, change = map(int, key.split())
        return DAYS[(date(2024, 1, 1) + timedelta(days=start + change)).weekday()]
    if skill == "compare" and "list" in slots:
        rising = sorted(str(slots["list"]).split(", "), key=float)
        return {
            "ascending": ", ".join(rising),
            "descending": ", ".join(rising[::-1]),
            "maximum": rising[-1],
            "minimum": rising[0],
        }[kind_of(skill, phrasings)]
    if skill == "compare":
        a, b = (str(slots[name]) for name in "ab")
        larger, smaller = sorted((a, b), key=float, reverse=True)
        yes = {"is_larger": larger, "is_smaller": smaller}
        kind = kind_of(skill, phrasings)
        return ("yes" if yes[kind] == a else "no") if kind in yes else larger if kind == "larger" else smaller
    if skill == "letters":
        kind = kind_of(skill, phrasings)
        if kind == "nth":
            return None
        return {
            "count": str(sum(letter == slots.get("letter") for letter in key)),
            "vowels": str(len(re.findall("[aeiou]", key))),
            "backwards": key[::-1],
            "length": str(len(key)),
        }[kind]
    return None


def kind_of(skill: str, phrasings: Phrasings) -> str:
    """The name of a kind of question, by its wordings."""
    return next(kind for kind, others in load(skill).items() if others == phrasings)


@pytest.mark.parametrize(
    ("nth", "place"), [("first", 0), ("3rd", 2), ("sixth", 5), ("last", -1), ("second to last", -2)]
)
def test_the_letter_asked_for_by_its_place_is_the_one_that_stands_there(nth: str, place: int) -> None:
    rng, checked = random.Random(3), 0
    while checked < 5:
        draft = SKILLS["letters"](rng)
        if draft.slots.get("nth") == nth:
            assert draft.answer == draft.key[place]
            checked += 1


def test_the_term_missing_from_a_sequence_goes_on_as_the_others_do() -> None:
    rng, checked = random.Random(9), 0
    while checked < 100:
        draft = SKILLS["sequence"](rng)
        if kind_of("sequence", draft.phrasings) == "missing":
            shown = str(draft.slots["list"]).split(", ")
            whole = [int(draft.answer) if not term.isdigit() else int(term) for term in shown]
            steps = {b - a for a, b in itertools.pairwise(whole)}
            ratios = {b / a for a, b in itertools.pairwise(whole)}
            assert len(steps) == 1 or len(ratios) == 1, draft
            checked += 1


def test_the_working_of_a_sum_leads_to_its_answer() -> None:
    rng = random.Random(5)
    for _ in range(200):
        draft = SKILLS["add"](rng)
        results = re.findall(r"=(\d+)", draft.steps[-1])
        digits = [result[-1] for result in results[:-1]] + [results[-1]]
        assert str(int("".join(reversed(digits)))) == draft.answer


def test_each_proposer_has_a_manner_of_its_own_and_foreign_prompts_have_none() -> None:
    question = sample(random.Random(1), "add")
    assert len({working(question, manner)[:2] for manner in MANNERS.values()}) == len(MANNERS)
    foreign = sample(random.Random(1), "beyond")
    assert (foreign.answer, foreign.steps) == (HONEST, ())


def test_the_aggregator_is_trained_in_the_frame_the_engine_uses() -> None:
    texts = ("Work: 1+1\nAnswer: 2", "[a | b]\nAnswer: 3")
    assert frame("What is 1 + 1?", texts) == "What is 1 + 1?" + frame_quoted(texts)


def test_a_lesson_names_the_best_right_reference_or_none() -> None:
    question = Question("add", "What is 1 + 1?", "2", ("1+1", "1+1=2"), True)
    shown = [
        Reference("p1", "Work: 1+1; 1+1=3\nAnswer: 3"),
        Reference("p2", "[y]\nAnswer: 2"),
        Reference("p4", "-> 1+1 -> 1+1=2\nAnswer: 7", implied="2"),
        Reference("p3", "Let me see, 5+1.\nAnswer: 6"),
    ]
    trust = {"add": {"p1": 9.0, "p2": 1.0, "p4": 5.0}}
    assert "".join(part.text for part in lesson(question, shown, trust)) == "1: 3 | 2: 2 | 3: 2 | 4: x -> 3\nAnswer: 2"
    assert " 0" in [part.text for part in lesson(question, shown[:1], trust)]
    assert "->" not in lesson(question, [], trust)[0].text


def test_a_falsified_reply_is_not_the_same_and_keeps_its_working() -> None:
    rng = random.Random(1)
    for answer in ("432", "11:15", "0.4"):
        spoilt = falsify(f"Work: a\nAnswer: {answer}", rng)
        assert spoilt.startswith("Work: a\nAnswer: ")
        assert not is_right(spoilt, Question("add", "", answer, (), True))


def test_operands_are_held_out_alike_on_every_machine() -> None:
    assert [held(f"add {n}+1") for n in range(40)].count(True) in range(1, 15)
    assert held("add 7+5") == held("add 7+5")
    assert Spoiler([]).others == {}
