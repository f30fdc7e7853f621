"""Texts made so that a pattern would try every length of a gap before every other: at these sizes that takes minutes, and a run
that is in one looks at no deadline."""

from __future__ import annotations

from functools import partial

import pytest

from moa import Agent
from moa.core.flow import play
from moa.core.types import Reply, user
from moa.flows.alone import alone
from moa.flows.answers import Kind, answer_of
from moa.flows.chance import probability_of
from moa.flows.route import Rule
from moa.flows.sparse import passed_on

MANY = 300_000


@pytest.mark.parametrize(
    ("kind", "text", "answer"),
    [
        ("auto", "Answer: 4\nThe answer is" + "\n" * MANY, "4"),
        ("auto", "The answer is" + "\n" * MANY + "5", "5"),
        ("auto", "Answer:" + "*" * MANY + " 5", "5"),
        ("literal", "\n" * MANY + "```" + "\n" * MANY, None),
        ("json", "```" + "\n" * MANY + '{"a": 1}\n```', '{"a":1}'),
        ("json", "```" + "\n" * MANY, None),
        ("choice", "\n" * MANY + "x", None),
        ("choice", "\n" * MANY + "A.", "A"),
        ("choice", "Answer: " + "!" * MANY + "\n", None),
        ("choice", "Answer: " + "!" * MANY + "B", "B"),
        ("choice", "Option" + " " * MANY + "x", None),
    ],
)
def test_an_answer_is_read_out_of_a_text_of_gaps_alone(kind: Kind, text: str, answer: str | None) -> None:
    assert answer_of(text, kind) == answer


@pytest.mark.parametrize(("end", "code"), [("x", False), ("def f(", True), ("  import os", True)])
def test_a_question_of_empty_lines_is_looked_through_for_code(end: str, code: bool) -> None:
    rule = Rule(partial(alone, member=Agent("x:a")), code=True)
    assert rule.holds((user("Hi" + "\n" * MANY + end),)) is code


def test_a_long_fraction_is_looked_through_for_a_probability() -> None:
    assert probability_of("Answer: 0." + "1" * MANY + ",1") is None


def test_a_verdict_of_empty_lines_is_looked_through_for_a_stop() -> None:
    references = (Reply("1"), Reply("2"), Reply("3"))
    verdict = "Keep: 1" + "\n" * MANY + "no stop"
    kept, stopped, _ = play(passed_on(Agent("x:judge"), (user("Q?"),), references, 2), [verdict]).answer
    assert (len(kept), stopped) == (1, False)


@pytest.mark.parametrize(
    "text", ["Answer: 5\nso the answer is: ", "Answer: 5\n**Answer:**", "The answer is 5.\nThe answer is:"]
)
def test_an_answer_that_is_announced_and_does_not_come_is_none(text: str) -> None:
    assert answer_of(text) == "5"


def test_an_answer_may_stand_below_its_heading() -> None:
    assert answer_of("Work.\n\n**Answer:**\n42") == "42"
