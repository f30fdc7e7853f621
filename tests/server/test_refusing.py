"""A model that declines, or whose answer its provider's filter cuts, has answered: SDKs send again what ends in an error."""

from __future__ import annotations

from typing import Any

import pytest
from served import FACES, served

from moa.core.errors import Refused
from moa.core.types import Usage
from moa.providers.fake import Script

WORDS = "I can't help with that."


def refusal(said: str = "", partial: str = "") -> Refused:
    error = Refused(f"the model declined: {said}" if said else "the provider's filter cut the answer", partial=partial)
    error.said, error.usage = said, Usage(3, 2)
    return error


def asked(path: str, error: Refused, **more: Any) -> Any:
    with served({"a": error, "b": "x", "c": "x", "agg": "x", "other": "x"}) as server:
        got = server.ask("POST", path, FACES[path] | {"model": "a", **more})
    assert got.status == 200, got.body
    return [one for one in got.frames if one != "[DONE]"] if more.get("stream") else got.json


def test_what_a_model_declines_is_told_in_its_words_on_every_protocol() -> None:
    chat = asked("/v1/chat/completions", refusal(WORDS))["choices"][0]
    assert (chat["message"]["content"], chat["message"]["refusal"], chat["finish_reason"]) == (None, WORDS, "stop")
    response = asked("/v1/responses", refusal(WORDS))
    assert (response["status"], response["output"][0]["content"]) == (
        "completed",
        [{"type": "refusal", "refusal": WORDS}],
    )
    message = asked("/v1/messages", refusal(WORDS))
    assert (message["stop_reason"], message["content"]) == ("refusal", [{"type": "text", "text": WORDS}])
    assert message["usage"]["output_tokens"] == 2


def test_what_a_filter_cuts_ends_so_on_every_protocol() -> None:
    chat = asked("/v1/chat/completions", refusal(partial="Mix the"))["choices"][0]
    assert (chat["message"]["content"], chat["message"]["refusal"], chat["finish_reason"]) == (
        "Mix the",
        None,
        "content_filter",
    )
    response = asked("/v1/responses", refusal())
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "content_filter"})
    assert asked("/v1/messages", refusal())["stop_reason"] == "refusal"


@pytest.mark.parametrize("stream", [False, True])
def test_what_was_used_for_an_answer_that_a_filter_cut_is_told(stream: bool) -> None:
    cut = Script("Mix the", finish="content_filter", usage=Usage(30, 20))
    with served({"a": cut, "b": "x", "c": "x", "agg": "x", "other": "x"}) as server:
        got = server.chat(model="a", stream=stream, **({"stream_options": {"include_usage": True}} if stream else {}))
    last = got.frames[-2] if stream else got.json
    assert (last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]) == (30, 20)
    choices = [one for frame in (got.frames[:-1] if stream else [got.json]) for one in frame["choices"]]
    said = "".join(
        (one.get("delta") or one["message"]).get("content") or "" for one in choices if one.get("delta") != {}
    )
    assert (said, choices[-1]["finish_reason"]) == ("Mix the", "content_filter")


def test_a_stream_ends_as_the_whole_answer_does() -> None:
    *_, last = frames = asked("/v1/chat/completions", refusal(WORDS), stream=True)
    assert "".join(one["choices"][0]["delta"].get("refusal") or "" for one in frames) == WORDS
    assert last["choices"][0]["finish_reason"] == "stop"
    events = asked("/v1/responses", refusal(WORDS), stream=True)
    assert [one["type"] for one in events if "refusal" in one["type"]] == [
        "response.refusal.delta",
        "response.refusal.done",
    ]
    assert events[-1]["response"]["output"][0]["content"] == [{"type": "refusal", "refusal": WORDS}]
    assert events[-1]["type"] == "response.completed"
    said = asked("/v1/messages", refusal(WORDS), stream=True)
    assert [one["delta"]["text"] for one in said if one["type"] == "content_block_delta"] == [WORDS]
    assert next(one["delta"]["stop_reason"] for one in said if one["type"] == "message_delta") == "refusal"


@pytest.mark.parametrize("stream", [False, True])
def test_behind_a_gate_nobodys_words_are_told(stream: bool) -> None:
    gated = {"g": {"proposers": ["b"], "aggregator": "a", "mode": "solo", "gate": {}}}
    with served({"a": refusal(WORDS, "Mix the")}, mixtures=gated, default="g") as server:
        got = server.ask(
            "POST", "/v1/chat/completions", FACES["/v1/chat/completions"] | {"model": "moa/g", "stream": stream}
        )
    assert WORDS.encode() not in got.body
    assert b"Mix the" not in got.body
