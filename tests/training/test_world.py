"""The small world of the models that ship: checked answers, honest hold-outs, many wordings; nothing is trained here."""

from __future__ import annotations

import itertools
import random
import re
from dataclasses import replace

import pytest
from reckoning import BY_SKILL, kind_of, reckon
from training.manners import MANNERS, working
from training.references import Reference, falsify, frame, lesson, twin
from training.scoring import is_right
from training.world import SKILLS, Question, held, questions, sample
from training.world.beyond import HONEST
from training.world.draft import Phrasings, load
from training.world.sequences import follow
from worded import bare, wordings

from moa.core.prompts import frame_quoted

KINDS = {f"{skill}.{kind}": phrasings for skill in SKILLS for kind, phrasings in load(skill).items()}


@pytest.mark.parametrize("phrasings", KINDS.values(), ids=KINDS)
def test_each_kind_is_worded_in_twenty_ways_and_more_and_in_others_never_trained(phrasings: Phrasings) -> None:
    seen, kept, unseen = (
        {bare(wording) for template in templates for wording in wordings(template)}
        for templates in (phrasings.seen, phrasings.kept, phrasings.unseen)
    )
    assert len(phrasings.seen) >= 20
    assert len(unseen) >= 8
    assert not (seen | kept) & unseen
    assert not seen & kept


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


@pytest.mark.parametrize("skill", BY_SKILL)
def test_answers_are_what_another_way_of_reckoning_gives(skill: str) -> None:
    rng, checked = random.Random(skill), 0
    for _ in range(1000):
        draft = SKILLS[skill](rng)
        expected = reckon(skill, draft)
        if expected is not None:
            assert draft.answer == expected, draft
            checked += 1
    assert checked > 200


@pytest.mark.parametrize(
    ("nth", "place"), [("first", 0), ("3rd", 2), ("sixth", 5), ("last", -1), ("second to last", -2)]
)
def test_the_letter_asked_for_by_its_place_is_the_one_that_stands_there(nth: str, place: int) -> None:
    rng, checked = random.Random(3), 0
    while checked < 5:
        draft = SKILLS["letters"](rng)
        if draft.slots.get("nth") == nth:
            assert draft.answer == str(draft.operands[0])[place]
            checked += 1


def test_the_term_missing_from_a_sequence_goes_on_as_the_others_do() -> None:
    rng, checked = random.Random(9), 0
    while checked < 100:
        draft = SKILLS["sequence"](rng)
        if kind_of("sequence", draft.phrasings) == "missing":
            shown = re.sub(r"-> |→|[|;,/]| - ", " ", str(draft.slots["list"])).replace("[ ]", "?").replace("( )", "?")
            whole = [int(draft.answer) if not term.isdigit() else int(term) for term in shown.split()]
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


def test_what_enough_call_beyond_is_beyond_unless_one_is_about_the_question() -> None:
    question = Question("add", "What is 1 + 1?", "2", ("1+1", "1+1=2"), True)
    lost, about = Reference("p1", HONEST), Reference("p3", "Work: 1+1; 1+1=3\nAnswer: 3")
    said = lambda shown, **more: "".join(part.text for part in lesson(question, shown, {"add": {}}, **more))  # noqa: E731
    assert said([lost] * 3) == said([lost] * 2, enough=2) == HONEST
    assert "-> 0" in said([lost] * 2)
    assert "-> 0" in said([lost, about, lost, lost])


def test_a_falsified_reply_is_not_the_same_and_keeps_its_working() -> None:
    rng = random.Random(1)
    for answer in ("432", "11:15", "0.4"):
        spoilt = falsify(f"Work: a\nAnswer: {answer}", rng)
        assert spoilt.startswith("Work: a\nAnswer: ")
        assert not is_right(spoilt, Question("add", "", answer, (), True))


def test_operands_are_held_out_alike_on_every_machine_and_in_every_order() -> None:
    assert [n for n in range(40) if held("add", ("+", n, 1))] == [3, 8, 11, 26, 32, 39]
    assert all(held("multiply", ("*", a, b)) == held("multiply", ("*", b, a)) for a in range(30) for b in range(30))


@pytest.mark.parametrize("skill", [skill for skill in SKILLS if skill not in ("beyond", "facts")])
def test_what_a_held_out_question_shows_is_never_shown_in_training(skill: str) -> None:
    """By what can be read in the text: in any order, whatever the wording, the names and the terms beyond the third."""
    rng = random.Random(skill)
    trained = {shown(sample(rng, skill)) for _ in range(6000)}
    tested = {shown(sample(rng, skill, held_out=True)) for _ in range(400)} - {None}
    assert not trained & tested
    assert len(tested) > 20


def shown(question: Question) -> tuple[object, ...] | None:
    """The numbers, or the word, a question shows, what is done with them, and the answer; None if only recalled."""
    if question.skill in ("letters", "roman"):
        return question.operands
    if " ".join(question.operands) in question.text.lower() and question.skill == "calendar":
        return None
    nature = (*(one for one in question.operands if not one[:1].isdigit()), re.sub(r"\d", "", question.steps[0]))
    numbers = re.findall(r"\d[\d.:/]*(?<!\D)", question.text)
    return nature, tuple(sorted(numbers[:3] if question.skill == "sequence" else numbers)), question.answer


def numbers_in(text: str) -> tuple[str, ...]:
    return tuple(sorted(re.findall(r"\d[\d.:/]*", text)))


def test_a_plot_shows_the_same_numbers_in_all_its_wordings() -> None:
    for kind, phrasings in load("story").items():
        letters = {
            frozenset(re.findall(r"\{([abcd])\}", template))
            for template in (*phrasings.seen, *phrasings.kept, *phrasings.unseen)
        }
        assert len(letters) == 1, kind


def test_a_sequence_goes_on_in_one_way_only() -> None:
    assert follow((2, 3, 5, 8)) == {12, 13}
    assert follow((2, 4, 8)) == {16}
    assert follow((1, 4, 9, 16)) == {25}
    rng = random.Random(4)
    drawn = [SKILLS["sequence"](rng) for _ in range(500)]
    for draft in drawn:
        if kind_of("sequence", draft.phrasings) == "next":
            assert follow([int(term) for term in re.findall(r"\d+", str(draft.slots["list"]))]) == {int(draft.answer)}


def test_a_twin_differs_in_one_operand_and_is_not_held_out() -> None:
    rng, found = random.Random(8), 0
    for _ in range(300):
        question = sample(rng, rng.choice(("add", "multiply", "story", "sequence", "compare", "units")))
        if (text := twin(question)) is not None:
            assert sum(a != b for a, b in zip(text, question.text, strict=True)) == 1
            assert numbers_in(text) != numbers_in(question.text)
            found += 1
    assert found > 150
    digits = Question("add", "3+5", "8", (), True, ("+", "3", "5"))
    assert twin(replace(digits, operands=("+", "4", "5"))) is None
