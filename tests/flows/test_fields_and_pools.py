"""Votes by field, and probabilities made into one: who says nothing abstains, and is never counted as neutral."""

from __future__ import annotations

import json

import msgspec
import pytest

from moa.core.errors import NotEnoughReplies
from moa.core.flow import play
from moa.core.types import Reply, user
from moa.flows.answers import answer_of
from moa.flows.chance import probability_of
from moa.flows.fields import by_field, merged
from moa.flows.pool import EDGE, Pool, logit, pool, sigmoid
from moa.flows.vote import plurality

QUESTION = (user("Fill in the form."),)


def test_each_field_is_voted_on_by_itself() -> None:
    texts = ['{"name": "Ann", "age": 31}', '{"name": "Anne", "age": 32}', 'Here: {"name": "Ann", "age": 32}', "no idea"]
    reply = play(by_field()(QUESTION, tuple(map(Reply, texts))), []).answer
    assert json.loads(reply.text) == {"name": "Ann", "age": 32}


def test_what_json_has_no_word_for_is_no_value_and_the_answer_is_json_all_the_same() -> None:
    texts = ['{"x": NaN, "y": 1e999, "z": [1, -Infinity]}'] * 2 + ['{"x": 1, "y": 2, "z": [1, null]}']
    said = play(by_field()(QUESTION, tuple(map(Reply, texts))), []).answer.text
    assert msgspec.json.decode(said) == {"x": 1, "y": 2, "z": [1, None]}


def test_half_a_surrogate_pair_in_a_field_stays_spelt_as_json_spells_it() -> None:
    texts = ('{"x": "\\ud800", "é": 1}', '{"x": "\\ud800"}')
    said = play(by_field()(QUESTION, tuple(map(Reply, texts))), []).answer.text
    assert said == '{"x": "\\ud800", "é": 1}'
    assert said.encode()


def test_who_lacks_a_field_abstains_there_and_counts_for_nothing() -> None:
    assert merged([{"a": None}, {"a": 2}, {"a": 3}, {"a": 3}]) == {"a": 3}
    assert merged([{"image": 1}, {"labs": 2}, {"history": 3}]) == {"image": 1, "labs": 2, "history": 3}
    assert merged([{"x": "old"}, {"x": None}, {"x": None}]) == {"x": "old"}
    assert merged([{"x": None}, {"x": None}, {}]) == {"x": None}
    assert merged([{"a": {"x": 1, "y": 2}}, {"a": {"x": 1, "y": 3}}, {"a": {"x": 5, "y": 3}}]) == {
        "a": {"x": 1, "y": 3}
    }
    assert merged([{"a": [1, 2]}, {"a": [2, 1]}, {"a": [1, 2]}]) == {"a": [1, 2]}


def test_without_any_object_the_most_frequent_answer_stands_in_and_it_is_said() -> None:
    reply = play(by_field()(QUESTION, tuple(map(Reply, ("[1]", "[2]", "[2]")))), []).answer
    assert (reply.text, reply.notes[0][:9]) == ("[2]", "fallback:")


@pytest.mark.parametrize(
    ("text", "probability"),
    [
        ("Answer: 0.7", 0.7), ("I'd say 70 %.", 0.7), ('{"probability": 0.25}', 0.25), ('{"score": 1}', 1.0), ("0.4", 0.4),
        ("1", 1.0), ("The chance is .35 at most", 0.35), ("Answer: 7", None), ("no number", None), ("Answer: 1e-3", 0.001),
        ("150 %", None), ('{"p": true}', None), ("in 2026 there were 12", None), ("Answer: 73 percent", 0.73),
        ("Answer: 0.2 (confidence 95 %)", 0.2), ("Risk reduced by 30 %. Probability: 0.9", 0.9), ("Probability: 0,73", 0.73),
        ("The probability of rain is about **70 %**", 0.7), ("There is a 70% chance of rain.", 0.7), ("\\boxed{0.7}", 0.7),
        ("Thinking: 12 of 40.\n\n**0.3**", 0.3), ("Probability (0 to 1): 0.7", 0.7), ("Answer: yes\nProbability: 0.9", 0.9),
        ('```json\n{"probability": 0.3, "n": 1}\n```', 0.3), ('It is {"p": "70 %"}.', 0.7), ('{"probability": 73}', None),
        ("There is 1 finding, and I cannot tell.", None), ("I am 100% unsure.", None), ("No idea, 0 evidence", None),
        ("Answer: 1 of 5 findings", None), ("probability between 0.2 and 0.3", None), ("Answer: 0.2 to 0.3", None),
        ("Answer: 1,000", None), ("Findings:\n1", None), ("Risk reduced by 30 %.", None), ("1 in 5", None),
    ],
)  # fmt: skip
def test_a_probability_is_read_where_one_is_stated_and_nowhere_else(text: str, probability: float | None) -> None:
    assert probability_of(text) == probability


def test_the_log_pool_is_the_mean_of_logits_and_the_linear_one_of_probabilities() -> None:
    said = {"a": 0.9, "b": 0.6}
    assert Pool("linear").pooled(said.items()) == pytest.approx(0.75)
    assert Pool("log").pooled(said.items()) == pytest.approx(sigmoid((logit(0.9) + logit(0.6)) / 2))
    assert Pool("log", slope=2.0, intercept=-0.5).pooled({"a": 0.8}.items()) == pytest.approx(
        sigmoid(2 * logit(0.8) - 0.5)
    )
    assert Pool("log", {"a": 3.0}).pooled(said.items()) == pytest.approx(sigmoid((3 * logit(0.9) + logit(0.6)) / 4))


@pytest.mark.parametrize("kind", ["linear", "log"])
def test_who_abstains_is_not_counted_as_neutral(kind: str) -> None:
    how = Pool(kind)  # type: ignore[arg-type]
    assert how.pooled({"a": 0.9, "b": None}.items()) == how.pooled({"a": 0.9}.items()) == pytest.approx(0.9)
    assert how.pooled({"a": 0.9, "b": 0.5}.items()) != how.pooled({"a": 0.9, "b": None}.items())
    assert how.pooled({"a": None}.items()) is None
    assert Pool("log", {"a": 0.0}).pooled({"a": 0.9}.items()) is None


def test_each_sample_of_one_agent_is_a_voice() -> None:
    replies = tuple(Reply(f"Answer: {chance}", agent="a") for chance in (0.9, 0.9, 0.1))
    assert play(pool(Pool("linear"))(QUESTION, replies), []).answer.text == "Answer: 0.6333"


def test_nobody_is_so_sure_that_it_outvotes_all() -> None:
    assert Pool("log").pooled({"a": 1.0}.items()) == pytest.approx(1 - EDGE)


def test_pooling_answers_with_a_figure_and_names_who_abstained() -> None:
    replies = (
        Reply("Answer: 0.9", agent="labs"),
        Reply("I cannot tell.", agent="image"),
        Reply("60 %", agent="history"),
    )
    reply = play(pool(Pool("linear"))(QUESTION, replies), []).answer
    assert (reply.text, reply.notes) == ("Answer: 0.75", ("abstained: image",))
    with pytest.raises(NotEnoughReplies):
        play(pool(Pool())(QUESTION, replies[1:2]), [])


def test_who_is_no_object_is_left_out_and_that_is_said() -> None:
    said = ('{"x": 1}', "It is two.", '{"x": ', '[{"x": 3}]')
    reply = play(by_field()((user("Q?"),), tuple(map(Reply, said))), []).answer
    assert (reply.text, reply.notes) == ('{"x": 1}', ("fields: 3 of 4 proposals are no JSON object",))


def test_a_whole_number_of_json_is_the_same_with_a_point() -> None:
    said = tuple(map(Reply, ('{"x": 9}', '{"x": [2]}', '{"x": [2.0]}')))
    assert play(by_field()((user("Q?"),), said), []).answer.text == '{"x": [2]}'
    assert plurality(said, "json") is said[1]
    assert (
        answer_of('{"x": 1e400, "y": -0.0, "z": 0.5, "big": 1e15}', "json")
        == '{"big":1000000000000000.0,"x":Infinity,"y":0,"z":0.5}'
    )


def test_a_pool_says_why_it_has_nothing_to_pool() -> None:
    with pytest.raises(NotEnoughReplies, match="nobody states a probability"):
        play(pool(Pool())((user("Q?"),), (Reply("likely"), Reply("no"))), [])
    with pytest.raises(NotEnoughReplies, match="who states one weighs nothing"):
        play(pool(Pool(weights={"a": 0.0}))((user("Q?"),), (Reply("Answer: 0.5", agent="a"), Reply("no"))), [])


def test_a_vote_in_which_nothing_can_be_counted_says_so() -> None:
    reply = plurality((Reply("no"), Reply("dunno")), "number")
    assert (reply.text, reply.notes) == (
        "no",
        ("vote: nobody gives an answer that could be counted; this is the first reply",),
    )
