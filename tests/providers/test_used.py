"""What hosts say a call has used: no answer is lost for it, what can be read counts, and what makes no sense is told (F30)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from moa.core.errors import Refused
from moa.core.events import Noted
from moa.core.ports import Scope
from moa.core.tokens import completed
from moa.core.types import Reply, Usage
from moa.providers._sse import EventStream
from moa.providers.remote import WIRES

ANSWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("usage", {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}),
    "responses": ("usage", {"output": [{"type": "message", "content": [{"type": "output_text", "text": "x"}]}]}),
    "anthropic": ("usage", {"content": [{"type": "text", "text": "x"}], "stop_reason": "end_turn"}),
    "gemini": ("usageMetadata", {"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}]}),
    "embeddings": ("usage", {"data": [{"embedding": [1.0]}]}),
}  # fmt: skip
NAMES = {
    "chat": ("prompt_tokens", "completion_tokens"), "responses": ("input_tokens", "output_tokens"),
    "anthropic": ("input_tokens", "output_tokens"), "gemini": ("promptTokenCount", "candidatesTokenCount"),
}  # fmt: skip
every_wire = pytest.mark.parametrize("wire", NAMES)


def whole(wire: str, body: bytes) -> tuple[Reply, list[str]]:
    """The reply to that body, and the alarms."""
    facts: list[Any] = []
    reading = WIRES[wire].reading(Scope(facts.append), "m")
    list(reading.whole(body))
    return reading.reply(ended=True), [fact.detail for fact in facts if isinstance(fact, Noted)]


def used(wire: str, usage: Any) -> tuple[Reply, list[str]]:
    """The reply to an answer that says it has used that."""
    name, answer = ANSWERS[wire]
    return whole(wire, json.dumps(answer | {name: usage}).encode())


def streamed(*chunks: Any) -> tuple[Reply, list[str]]:
    """The reply to a stream of chat chunks, and the alarms."""
    facts: list[Any] = []
    reading = WIRES["chat"].reading(Scope(facts.append), "m")
    for event in EventStream().feed(b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks)):
        list(reading.event(event))
    return reading.reply(ended=True), [fact.detail for fact in facts if isinstance(fact, Noted)]


@pytest.mark.parametrize("wire", ANSWERS)
@pytest.mark.parametrize("usage", [[], [1], "x", 5, True, {}, None])
def test_no_answer_is_lost_for_a_usage_of_another_shape(wire: str, usage: Any) -> None:
    reply, alarms = used(wire, usage)
    assert reply.text
    assert reply.usage == Usage(estimated=True)
    assert bool(alarms) == (bool(usage) and wire != "embeddings")


@every_wire
@pytest.mark.parametrize("number", ["1e400", "NaN", "-Infinity", "1" + "0" * 400])
def test_no_answer_is_lost_for_a_number_that_is_none(wire: str, number: str) -> None:
    name, answer = ANSWERS[wire]
    body = json.dumps(answer | {name: {NAMES[wire][0]: 0.5, NAMES[wire][1]: 2}}).replace("0.5", number)
    reply, alarms = whole(wire, body.encode())
    assert (reply.text, reply.usage, len(alarms)) == ("x", Usage(0, 2, estimated=True), 1)


@every_wire
def test_counts_that_are_written_as_text_are_read(wire: str) -> None:
    reply, alarms = used(wire, dict(zip(NAMES[wire], ("12", "3.0"), strict=True)))
    assert (reply.usage, alarms) == (Usage(12, 3), [])


@every_wire
@pytest.mark.parametrize("odd", [-1, 1e12, "many", [], {"n": 1}, True])
def test_what_can_be_read_of_a_usage_counts_and_the_rest_is_estimated_and_told(wire: str, odd: Any) -> None:
    reply, alarms = used(wire, dict(zip(NAMES[wire], (12, odd), strict=True)))
    assert reply.usage == Usage(12, 0, estimated=True)
    assert alarms == ["the host's token counts make no sense; they were estimated"]
    assert completed(reply.usage, Usage(7, 5, reasoning=2, estimated=True)) == Usage(12, 5, 0, 2, estimated=True)


def test_an_odd_part_of_a_count_is_told_and_leaves_the_count() -> None:
    reply, alarms = used(
        "chat", {"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": -4}}
    )
    assert (reply.usage, len(alarms)) == (Usage(9, 5), 1)


@pytest.mark.parametrize(
    ("wire", "usage", "told"),
    [
        ("anthropic", {"input_tokens": -4, "cache_read_input_tokens": 10, "output_tokens": 2}, Usage(0, 2, estimated=True)),
        ("gemini", {"promptTokenCount": 4, "candidatesTokenCount": -3, "thoughtsTokenCount": 10}, Usage(4, 0, estimated=True)),
    ],
)  # fmt: skip
def test_no_sum_hides_that_a_part_of_it_is_negative(wire: str, usage: Any, told: Usage) -> None:
    reply, alarms = used(wire, usage)
    assert (reply.usage, len(alarms)) == (told, 1)


@pytest.mark.parametrize("cost", [-1, 1e12, "much", [1]])
@pytest.mark.parametrize("wire", ["chat", "responses"])
def test_a_cost_that_no_call_can_have_is_told(wire: str, cost: Any) -> None:
    reply, alarms = used(wire, dict(zip(NAMES[wire], (3, 2), strict=True)) | {"cost": cost})
    assert (reply.cost, reply.usage) == (None, Usage(3, 2))
    assert alarms == ["the host's cost makes no sense; it was reckoned from the tokens"]


@pytest.mark.parametrize("last", [{}, None, [], {"prompt_tokens": None}, {"completion_tokens": 9}])
def test_what_a_later_usage_leaves_out_stays_as_it_was_said(last: Any) -> None:
    said = {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}
    counts = {"prompt_tokens": 7, "completion_tokens": 9, "cost": 0.5}
    reply, alarms = streamed(said, {"choices": [], "usage": counts}, {"choices": [], "usage": last})
    assert (reply.usage, reply.cost, alarms) == (Usage(7, 9), 0.5, [])


def test_an_odd_usage_in_every_chunk_is_told_once() -> None:
    said = {"choices": [{"delta": {"content": "x"}}], "usage": {"prompt_tokens": -1, "cost": -1}}
    _, alarms = streamed(said, said, said)
    assert len(alarms) == 2


@pytest.mark.parametrize(
    ("wire", "answer"),
    [
        ("chat", {"choices": [{"message": {"refusal": "no"}, "finish_reason": "stop"}],
                  "usage": {"prompt_tokens": 7, "completion_tokens": 9, "cost": 0.5}}),
        ("responses", {"output": [{"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}],
                       "usage": {"input_tokens": 7, "output_tokens": 9, "cost": 0.5}}),
    ],
)  # fmt: skip
def test_a_refusal_costs_what_its_host_says(wire: str, answer: Any) -> None:
    with pytest.raises(Refused) as caught:
        whole(wire, json.dumps(answer).encode())
    assert (caught.value.usage, caught.value.cost) == (Usage(7, 9), 0.5)


def test_a_prompt_that_gemini_refuses_has_used_what_it_says() -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 40}}
    with pytest.raises(Refused) as caught:
        whole("gemini", json.dumps(blocked).encode())
    assert caught.value.usage == Usage(40, 0, estimated=True)
