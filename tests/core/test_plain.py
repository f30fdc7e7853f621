"""Values go to plain JSON data and back without a change."""

from __future__ import annotations

import json
from dataclasses import fields
from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa.core.errors import ConfigError
from moa.core.events import CallFinished, CallStarted, Event, Fact, RunStarted
from moa.core.plain import from_plain, plain, restored, to_plain
from moa.core.types import Call, Image, Late, Message, Reply, Request, Sampling, ToolCall, Usage, user

# The halves of a surrogate pair come back as one character, so no text here has a high half before a low one.
TEXT = st.text(st.characters(exclude_categories=())).filter(
    lambda text: not any("\ud800" <= a <= "\udbff" and "\udc00" <= b <= "\udfff" for a, b in pairwise(text))
)
NUMBER = st.floats(allow_nan=False)
for scalar, strategy in ((str, TEXT), (float, NUMBER)):
    st.register_type_strategy(scalar, strategy)

EVENTS = st.one_of([st.builds(Event, fact=st.builds(kind)) for kind in get_args(Fact)])


def there_and_back(data: object) -> Any:
    return json.loads(json.dumps(data, allow_nan=False))


@given(EVENTS)
def test_every_event_comes_back_from_json(event: Event) -> None:
    assert from_plain(there_and_back(to_plain(event))) == event


@given(st.one_of([st.builds(kind) for kind in (Call, Request, Reply, Message, Sampling, Usage, Late)]))
def test_every_value_comes_back_from_json(value: object) -> None:
    back = restored(type(value), there_and_back(plain(value)))
    assert back == value
    if isinstance(value, Call) and isinstance(back, Call):
        assert back.key == value.key


def test_an_event_is_one_flat_object_that_names_its_kind() -> None:
    event = Event(CallStarted("k", "a", "m", "proposer", 0, 0), "r1", 3, 1.5, 2, 1)
    assert to_plain(event) == {
        "run": "r1",
        "seq": 3,
        "time": 1.5,
        "span": 2,
        "parent": 1,
        "kind": "call_started",
        "key": "k",
        "agent": "a",
        "model": "m",
        "role": "proposer",
        "sample": 0,
        "references": 0,
    }


def test_parts_name_their_kind() -> None:
    assert plain(user("hi", Image("https://a"), ToolCall("1", "n", "{}"))) == {
        "role": "user",
        "parts": [
            {"kind": "text", "text": "hi"},
            {"kind": "image", "url": "https://a"},
            {"kind": "tool_call", "id": "1", "name": "n", "arguments": "{}"},
        ],
    }


def test_no_field_of_a_fact_is_hidden_by_the_stamp() -> None:
    stamp = {field.name for field in fields(Event)} | {"kind"}
    for kind in get_args(Fact):
        assert not stamp & {field.name for field in fields(kind)}, kind


def test_numbers_that_json_has_not_are_written_as_text() -> None:
    event = Event(RunStarted("m", (), float("inf")), "r", 0, 0.0)
    assert to_plain(event)["deadline"] == "inf"
    assert from_plain(there_and_back(to_plain(event))) == event


GOOD = to_plain(Event(CallFinished(Reply("hi"), 1.0), "r1", 0, 1.5))
START = to_plain(Event(RunStarted("m", (user("hi"),)), "r1", 0, 1.5))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "expected an object, found None"),
        ([], "expected an object"),
        ({}, "field run: missing"),
        (GOOD | {"seq": "1"}, "field seq: expected a whole number, found '1'"),
        (GOOD | {"seq": True}, "field seq: expected a whole number, found True"),
        (GOOD | {"time": "soon"}, "field time: expected a number, found 'soon'"),
        (GOOD | {"kind": "call_vanished"}, "field kind: expected one of run_started,"),
        (GOOD | {"kind": ["x"]}, "field kind: expected text"),
        (GOOD | {"colour": 1}, "field colour: unknown here"),
        (GOOD | {"reply": {}}, "field reply.text: missing"),
        (GOOD | {"reply": {"text": "x", "finish": "bored"}}, "field reply.finish: expected one of 'stop',"),
        (GOOD | {"reply": {"text": "x", "usage": {"input": 1.5}}}, "field reply.usage.input: expected a whole number"),
        (START | {"conversation": "hi"}, "field conversation: expected a list"),
        (
            START | {"conversation": [{"role": "user", "parts": [{}]}]},
            r"field conversation\[0\].parts\[0\].kind: missing",
        ),
        (
            START | {"conversation": [{"role": "user", "parts": ["x"]}]},
            r"field conversation\[0\].parts\[0\]: expected an",
        ),
    ],
)
def test_bad_data_is_refused_and_the_field_named(data: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        from_plain(data)


def test_a_value_that_does_not_fit_its_class_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"not a Reply of moa: field cost: expected a number, found 'much'"):
        restored(Reply, {"text": "hi", "cost": "much"})


def test_pairs_must_be_pairs() -> None:
    event = to_plain(Event(CallStarted("k", "a", "m", "p", 0, 0, (("a", "b"),)), "r", 0, 0.0))
    with pytest.raises(ConfigError, match=r"field digests\[0\]: expected a list of 2"):
        from_plain(event | {"digests": [["a", "b", "c"]]})
