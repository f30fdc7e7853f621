"""Chat completions and models are what OpenAI's own description of its API takes for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from conformance import Check, check, parameters
from served import SCRIPTS, Served, served

from moa.core.errors import MoaError, RateLimited
from moa.core.events import deltas_of
from moa.core.types import Choice, Logprob, Reply, ToolCall, Usage
from moa.core.view import View
from moa.providers.fake import Script
from moa.server.asked import Answered
from moa.server.chat import Chat
from moa.server.refusals import Rejection

QUESTION = [{"role": "user", "content": "Which city?"}]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
CALLS = (ToolCall("c1", "look", '{"at":1}'), ToolCall("c2", "look", "{}"))
LIKELY = (Logprob("Paris", -0.1, ("Paris", "Rome"), (-0.1, -2.0)),)
REPLIES = {
    "plain": Reply("It is Paris.", usage=Usage(12, 5, 2, 1, written=3)),
    "thoughtful": Reply("Paris", reasoning="France, so …"),
    "calls": Reply("Looking.", finish="tool_calls", tool_calls=CALLS),
    "only calls": Reply("", finish="tool_calls", tool_calls=CALLS),
    "cut": Reply("It is", finish="length"),
    "filtered": Reply("It", finish="content_filter"),
    "blank": Reply(""),
    "likely": Reply("Paris", logprobs=LIKELY),
    "several": Reply("Paris", others=(Choice("Rome"), Choice("", tool_calls=CALLS))),
}
BODIES: dict[str, dict[str, Any]] = {
    "little": {"model": "moa/review", "messages": QUESTION},
    "usage": {"model": "moa/review", "messages": QUESTION, "stream": True, "stream_options": {"include_usage": True}},
    "tools": {"model": "moa/review", "messages": QUESTION, "tools": [TOOL], "logprobs": True, "top_logprobs": 2},
}


@pytest.fixture(scope="module")
def checked() -> Check:
    return check()


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served({**SCRIPTS, "other": Script("", tool_calls=CALLS)}) as running:
        yield running


def answered(reply: Reply) -> Answered:
    return Answered(reply, View("0123abcd", "review", "done", started=1767225600.25, ended=1767225602.5))


def frames(stream: bytes) -> list[Any]:
    """The chunks of a stream, without [DONE]."""
    lines = [line.removeprefix("data: ") for line in stream.decode().split("\n\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_an_answer_is_a_chat_completion(reply: Reply, body: dict[str, Any], checked: Check) -> None:
    checked("CreateChatCompletionRequest", body)
    told = Chat().whole(Chat().read(body), answered(reply))
    checked("CreateChatCompletionResponse", json.loads(json.dumps(told)))


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_every_chunk_is_one_of_openais(reply: Reply, body: dict[str, Any], checked: Check) -> None:
    speaking = Chat().speaking(Chat().read(body))
    stream = speaking.opening("0123abcd") + speaking.progress("a answered") + speaking.aside({"kind": "note"})
    stream += b"".join(map(speaking.delta, deltas_of(reply, final=True))) + speaking.closing(answered(reply))
    for chunk in frames(stream):
        checked("CreateChatCompletionStreamResponse", chunk)


def test_what_is_served_is_as_described(server: Served, checked: Check) -> None:
    checked("CreateChatCompletionResponse", server.chat().json)
    checked("CreateChatCompletionResponse", server.chat(model="other", tools=[TOOL]).json)
    for settings in ({}, {"model": "other", "tools": [TOOL]}, {"stream_options": {"include_usage": True}}):
        *chunks, done = server.chat(stream=True, **settings).frames
        assert done == "[DONE]"
        for chunk in chunks:
            checked("CreateChatCompletionStreamResponse", chunk)


def test_models_are_as_described(server: Served, checked: Check) -> None:
    models = server.ask("GET", "/v1/models").json
    checked("ListModelsResponse", models)
    for model in models["data"]:
        checked("Model", server.ask("GET", f"/v1/models/{model['id']}").json)


def test_refusals_are_as_described(server: Served, checked: Check) -> None:
    checked("ErrorResponse", server.chat(model="none").json)
    checked("ErrorResponse", server.chat(temperature=9).json)
    checked("ErrorResponse", server.ask("GET", "/v1/none").json)
    for error in (RateLimited("slow down"), MoaError("no"), RuntimeError("a bug"), Rejection("odd")):
        checked("ErrorResponse", Chat().refusal(error))
        checked("ErrorResponse", frames(Chat().speaking(Chat().read(BODIES["little"])).failure(error))[0])


def test_openais_description_lists_no_parameter_that_is_refused() -> None:
    for name in parameters("CreateChatCompletionRequest") - {"model", "messages"}:
        Chat().read({**BODIES["little"], name: None})
