"""Answers are extracted and normalised by one rule for all models."""

from __future__ import annotations

from typing import get_args

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
    ("number", "Answer: 4 because 4 = 2 + 2", "4"),
    ("number", "Answer: 3 * 4 = 12 m^2", "12"),
    ("number", "Answer: x = 1/2", "0.5"),
    ("number", "\\boxed{\\frac{1}{2}}", "0.5"),
    ("number", "Answer: -\\dfrac{2}{6}", "-1/3"),
    ("number", "It is 1 1/2 cups", "1.5"),
    ("number", "Answer: 12/25/2024", "12"),
    ("number", "Answer: 5/0", "5"),
    ("auto", "Answer: 2/4", "0.5"),
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


@given(st.text(), st.sampled_from(get_args(Kind)))
def test_no_text_breaks_the_extraction(text: str, kind: Kind) -> None:
    first = answer_of(text, kind)
    assert first is None or first.strip()


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=3))
def test_equal_numbers_are_equal_however_they_are_written(value: object) -> None:
    assert answer_of(f"Answer: {value:,}", "number") == answer_of(f"it is {value}", "number")


LITERALS = [
    ("'ABC'", "'abc'", False),
    ("ABC", "abc", False),
    ("'1'", "1", False),
    ("'it'", '"it"', True),
    ("{'b': 1, 'a': [2.0]}", '{"a": [2], "b": 1}', True),
    ("{1, 2}", "{2,1}", True),
    ("(1,)", "[1]", False),
    ("True", "1", False),
    ("1.0", "1", True),
    ("so it is\nAnswer: `[1, 2]`.", "[1,2]", True),
    ("Therefore:\n```python\n['a', 'B']\n```", '["a", "B"]', True),
    ("f(1)", "f(1)", True),
]


@pytest.mark.parametrize(("one", "other", "equal"), LITERALS)
def test_literals_are_compared_as_values_of_python_and_by_their_case(one: str, other: str, equal: bool) -> None:
    assert (answer_of(one, "literal") == answer_of(other, "literal")) is equal


@given(
    st.recursive(st.integers() | st.booleans() | st.text() | st.floats(), lambda one: st.lists(one) | st.tuples(one))
)
def test_what_a_literal_comes_to_is_a_literal_that_comes_to_the_same(value: object) -> None:
    said = answer_of(repr(value), "literal")
    assert said is not None
    assert answer_of(said, "literal") == said


@pytest.mark.parametrize(
    "text", ["[" * 9000, "-" * 9000 + "1", "{[]: 1}", "1if 2", "'\\d'", "0x" + "f" * 9000, "9" * 9000]
)
def test_what_only_looks_like_a_literal_is_compared_as_it_stands_and_warns_of_nothing(text: str) -> None:
    assert answer_of(text, "literal") is not None
