"""Answers are extracted and normalised by one rule for all models."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa.flows.answers import Kind, answer_of

CASES: list[tuple[Kind, str, str | None]] = [
    ("number", "347+085: 7+5=12\nAnswer: 432", "432"),
    ("number", "The final answer is **1,234.50**.", "1234.5"),
    ("number", "So \\boxed{-12} it is", "-12"),
    ("number", "First 3, then 4.", "4"),
    ("number", "Answer: $18 per day", "18"),
    ("number", "Answer: −5", "-5"),
    ("number", "0.50", "0.5"),
    ("number", "-0", "0"),
    ("number", "Answer: 1e3", "1000"),
    ("number", "none at all", None),
    ("choice", "The answer is (C).", "C"),
    ("choice", "Answer: B) Paris", "B"),
    ("choice", "I would say D", "D"),
    ("choice", "no letters here", None),
    ("choice", "Option B is right. I am sure.", "B"),
    ("choice", "B. A good choice.", "B"),
    ("choice", "answer = c", "C"),
    ("choice", "A", "A"),
    ("choice", "I think it is a good idea", None),
    ("number", "Answer: 3 + 4 = 7", "7"),
    ("json", '{"b": 1, "a": [1, 2]}', '{"a":[1,2],"b":1}'),
    ("json", 'Here:\n```json\n{"a": 1}\n```\nDone.', '{"a":1}'),
    ("json", 'It is {"a": 1} I think', '{"a":1}'),
    ("json", "not json", None),
    ("text", "  Lima! ", "lima"),
    ("text", '"Lima"', "lima"),
    ("text", "\n", None),
    ("auto", "work\nAnswer: Lima.", "lima"),
    ("auto", "Answer: 5\nno wait\nAnswer: 1,000", "1000"),
    ("auto", "**Answer:** 42", "42"),
    ("auto", "42.0", "42"),
    ("auto", '{"b": 2, "a": 1}', '{"a":1,"b":2}'),
    ("auto", "Lima", "lima"),
    ("auto", "9:40", "9:40"),
    ("auto", "", None),
]


@pytest.mark.parametrize(("kind", "text", "answer"), CASES)
def test_answers_are_extracted_and_normalised(kind: Kind, text: str, answer: str | None) -> None:
    assert answer_of(text, kind) == answer


@given(st.text(), st.sampled_from(["auto", "number", "choice", "json", "text"]))
def test_no_text_breaks_the_extraction(text: str, kind: Kind) -> None:
    first = answer_of(text, kind)
    assert first is None or first.strip()


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=3))
def test_equal_numbers_are_equal_however_they_are_written(value: object) -> None:
    assert answer_of(f"Answer: {value:,}", "number") == answer_of(f"it is {value}", "number")
