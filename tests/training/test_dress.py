"""How training dresses questions, what it asks just outside of the world, and what it may say of what: answers stay right."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
from training.scoring import is_right
from training.world import OUTSIDE, SKILLS, _drawn, outside, questions, sample
from training.world.beyond import HONEST
from training.world.draft import load
from training.world.dress import (
    ABBREVIATED,
    CASE_SHARES,
    COURTEOUS,
    COURTESIES,
    LAID_OUT,
    SYMBOLS,
    WAYS,
    Case,
    dressed,
    kept_words,
    respelled,
    spelled,
)  # fmt: skip
from training.world.facts import CAPITALS
from training.world.noise import AFTER
from training.world.numbers import COUNTED
from worded import bare, wordings

from training import coverage

CASES: tuple[Case, ...] = get_args(Case)
FOREIGN = Path(__file__).parents[2] / "benchmarks" / "embedded_foreign.jsonl"


def plain(text: str) -> str:
    """Without case, spaces, and the stop before a courtesy."""
    return re.sub(r"\s", "", text).lower()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("skill", SKILLS)
def test_in_any_case_the_same_is_asked_and_the_answer_is_right(skill: str, case: Case) -> None:
    rng = random.Random(f"{skill} {case}")
    for question in (sample(rng, skill, held_out=True) for _ in range(150)):
        kept = kept_words(skill, question.text, question.answer)
        text = spelled(question.text, case, kept, rng)
        assert text.lower() == question.text.lower()
        assert all(re.search(rf"\b{word}\b", text) for word in kept)
        assert is_right(f"Answer: {question.answer.upper()}", question) or question.answer == HONEST


def test_no_two_operands_are_alike_but_for_their_case() -> None:
    for names in (SYMBOLS, ABBREVIATED, [name for pair in CAPITALS for name in set(pair)]):
        assert len({name.lower() for name in names}) == len(set(names))


def test_the_case_stays_where_it_is_what_is_asked_about() -> None:
    assert spelled("Is Fe the symbol of iron?", "caps", kept_words("facts", "Is Fe the symbol of iron?", "yes")) == (
        "IS Fe THE SYMBOL OF IRON?"
    )
    assert spelled("Which element is Fe?", "lower", kept_words("facts", "Which element is Fe?", "iron")) == (
        "which element is fe?"
    )
    assert spelled("Name the element He.", "lower", kept_words("facts", "Name the element He.", "helium")) == (
        "name the element He."
    )
    assert spelled("How many metres are 3.5 km?", "title") == "How Many Metres Are 3.5 km?"
    assert spelled("what's 3 + 4", "word") == "WHAT'S 3 + 4"


@pytest.mark.parametrize("way", WAYS)
def test_a_question_put_in_another_way_keeps_its_words_and_numbers(way: str) -> None:
    rng = random.Random(way)
    for question in questions(10, 4):
        text = respelled(question.skill, question.text, question.answer, way, rng)  # type: ignore[arg-type]
        assert plain(question.text) in plain(text)
        assert re.findall(r"\d+", text) == re.findall(r"\d+", question.text)
        assert text != question.text or way in ("caps", "lower", "title", "word", "spaced")


@pytest.mark.parametrize("skill", ["add", "story", "facts", "beyond"])
def test_shares_of_each_dress_are_as_said(skill: str) -> None:
    rng = random.Random(skill)
    text, drawn = "Could you tell Anna about it, now or later? She wants to know", 6000
    seen = Counter[str]()
    for _ in range(drawn):
        found = dressed(skill, text, "5", rng)
        assert plain(text) in plain(found)
        words = re.findall(r"[A-Za-z]+", found)
        seen["caps"] += all(word.isupper() for word in words)
        seen["lower"] += all(word.islower() for word in words)
        seen["title"] += all(word[0].isupper() and not word[1:2].isupper() for word in words)
        seen["as it is"] += found == text
    shares = dict(zip(CASES, CASE_SHARES, strict=True))
    for case in ("caps", "lower", "title"):
        assert abs(seen[case] / drawn - shares[case]) < 0.012  # type: ignore[index]
    left = (1 - sum(CASE_SHARES)) * (1 - COURTEOUS) * (1 - LAID_OUT)
    assert abs(seen["as it is"] / drawn - left) < 0.02


def test_training_is_dressed_and_tests_are_not() -> None:
    rng = random.Random(2)
    assert sum(sample(rng, "story").text.isupper() for _ in range(1000)) > 20
    texts = [question.text for question in questions(30, 5)]
    assert not any(re.search(r"[\n\t\u00a0\u202f]|  $", text) for text in texts)
    assert sum(text.isupper() for text in texts) < 5


@pytest.mark.parametrize("where", ["before", "behind"])
def test_courtesies_are_many_and_some_are_never_trained(where: str) -> None:
    phrasings = COURTESIES[where]
    seen, unseen = (
        {bare(one) for template in templates for one in wordings(template)}
        for templates in (phrasings.seen, phrasings.unseen)
    )
    assert len(seen) >= 60
    assert len(unseen) >= 12
    assert not seen & unseen
    assert not any(re.search(r"[\d{}]", template) for template in (*phrasings.seen, *phrasings.unseen))


def test_a_stop_comes_before_a_courtesy_that_is_a_sentence() -> None:
    rng = random.Random(6)
    begun = "|".join(re.escape(one.strip()) for one in AFTER if one[1].isupper())
    for _ in range(3000):
        question = sample(rng, rng.choice(list(SKILLS)), held_out=True)
        assert not re.search(rf"[a-z\d] (?:{begun})$", question.text), question.text


def test_just_outside_is_a_tenth_of_what_is_beyond_and_never_a_question_of_the_world() -> None:
    rng = random.Random(7)
    asked = {draft.phrasings.pick(rng).format(**draft.slots) for draft in (outside.outside(rng) for _ in range(2000))}
    assert len(asked) > 1800
    assert not asked & {sample(rng, skill).text for skill in SKILLS if skill != "beyond" for _ in range(200)}
    foreign = load("beyond")["foreign"]
    drawn = [_drawn(rng, "beyond", held_out, rng) for held_out in (False, True) for _ in range(2000)]
    assert abs(sum(draft.phrasings != foreign for draft in drawn[:2000]) / 2000 - OUTSIDE) < 0.03
    assert all(draft.phrasings == foreign for draft in drawn[2000:])
    assert all(draft.answer == HONEST for draft in drawn)


@pytest.mark.parametrize(("kind", "beyond"), [("_sum", 10**5), ("_product", 1000), ("_story", 10**5)])
def test_operands_just_outside_are_far_from_the_ranges(kind: str, beyond: int) -> None:
    rng = random.Random(kind)
    for _ in range(300):
        draft = getattr(outside, kind)(rng)
        operands = [int(str(value).replace(",", "")) for name, value in draft.slots.items() if name in "abcd"]
        assert max(operands) >= beyond
    for _ in range(300):
        draft = outside._below_zero(rng)
        assert int(str(draft.slots["a"])) < 10 < int(str(draft.slots["b"]))


def test_questions_do_not_depend_on_what_draws_their_dress() -> None:
    one, other = (
        [
            sample(rng, skill, dressing=random.Random(seed)).operands
            for skill in SKILLS
            if skill != "beyond"
            for _ in range(20)
        ]
        for seed, rng in ((1, random.Random(9)), (2, random.Random(9)))
    )
    assert one == other


@pytest.mark.parametrize("held_out", [False, True])
def test_nothing_that_is_counted_whole_comes_in_decimals(held_out: bool) -> None:
    rng = random.Random(10)
    for _ in range(3000):
        draft = SKILLS["compare"](rng)
        if any(isinstance(one, str) and re.fullmatch(r"\d+\.\d+", one) for one in draft.operands):
            which = draft.phrasings.unseen if held_out else (*draft.phrasings.seen, *draft.phrasings.kept)
            assert not any(COUNTED.search(template) for template in which)
            assert which
    assert COUNTED.search("We had {a} guests, then {b}, then {c}. How many on the busiest day?")


def test_what_is_to_be_sorted_is_never_one_or_the_other() -> None:
    rng, sorting = random.Random(11), [load("compare")[kind].seen[0] for kind in ("ascending", "descending")]
    lists = [
        draft.slots["list"]
        for draft in (SKILLS["compare"](rng) for _ in range(4000))
        if draft.phrasings.seen[0] in sorting
    ]
    assert len(lists) > 300
    assert not any(" or " in str(listed) or " vs " in str(listed) for listed in lists)


def test_the_prompts_for_development_are_neither_trained_nor_tested() -> None:
    rows = [json.loads(line) for line in FOREIGN.read_text(encoding="utf-8").splitlines()]
    phrasings = load("beyond")["foreign"]
    known = {
        bare(one) for template in (*phrasings.seen, *phrasings.kept, *phrasings.unseen) for one in wordings(template)
    }
    assert len({row["question"] for row in rows}) == 200
    assert all(row["answer"] == HONEST for row in rows)
    assert not known & {bare(row["question"]) for row in rows}


def test_only_dense_skills_are_drawn_oftener_where_they_are_weak() -> None:
    assert all(proposer in coverage.DENSE[skill] for skill, proposer in coverage.WEAK)
    for proposer in coverage.PROPOSERS:
        shares = coverage.shares(proposer)
        assert all(
            shares[skill] == coverage.THIN_WEIGHT for skill in coverage.DENSE if coverage.is_thin(proposer, skill)
        )
    assert coverage.shares("p2")["letters"] > coverage.WEIGHTS["letters"]
