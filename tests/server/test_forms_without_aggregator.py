"""The aggregator fails where a client asks for a form: an error as OpenAI and Anthropic have it, no proposal without the form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from served import AGENTS, MIXTURES, SCRIPTS, Served, served

from moa.core.errors import Overloaded
from moa.core.types import ToolCall
from moa.providers.fake import Script

FUNCTION = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORMS: dict[str, dict[str, Any]] = {
    "tools": {"tools": [{"type": "function", "function": FUNCTION}]},
    "n": {"n": 2},
    "logprobs": {"logprobs": True},
    "schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}},
}
DOWN = {**SCRIPTS, "agg": Overloaded("too busy", retry_after=2.0)}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(DOWN) as running:
        yield running


def test_without_a_form_a_proposal_stands_in_and_the_answer_says_that_it_is_degraded(server: Served) -> None:
    got = server.chat()
    assert (got.status, got.json["choices"][0]["message"]["content"]) == (200, "Paris")
    assert got.json["moa"]["degraded"]
    assert any("the aggregator failed, this is a proposal" in note for note in got.json["moa"]["notes"])


@pytest.mark.parametrize("form", FORMS)
def test_with_a_form_it_is_an_error_after_which_a_client_may_ask_again(server: Served, form: str) -> None:
    got = server.chat(**FORMS[form])
    assert got.status == 503
    assert int(got.headers["retry-after"]) >= 2  # more, once the circuit of a model that keeps failing has opened
    assert got.json["error"]["type"] == "server_error"
    assert "choices" not in got.json


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_with_a_form_ends_in_an_error(server: Served, form: str) -> None:
    last = server.chat(stream=True, **FORMS[form]).frames[-1]
    assert last["choices"][0]["finish_reason"] == "error"
    assert last["error"]["type"] == "server_error"


def test_tool_results_without_tools_are_no_form(server: Served) -> None:
    loop = [
        {"role": "user", "content": "Cold?"},
        {
            "role": "assistant",
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "w", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "4 degrees"},
    ]
    got = server.chat(loop)
    assert (got.status, got.json["moa"]["degraded"]) == (200, True)


def test_in_the_other_dialects_it_is_an_error_too(server: Served) -> None:
    tool = {"name": "weather", "input_schema": FUNCTION["parameters"]}
    asked = {"model": "moa/review", "max_tokens": 99, "messages": [{"role": "user", "content": "Cold?"}]}
    plain, tools = (server.ask("POST", "/v1/messages", asked | more) for more in ({}, {"tools": [tool]}))
    assert (plain.status, tools.status, tools.json["error"]["type"]) == (200, 503, "overloaded_error")
    answer = {"model": "moa/review", "input": "Cold?"}
    plain, tools = (
        server.ask("POST", "/v1/responses", answer | more)
        for more in ({}, {"tools": [{"type": "function", **FUNCTION}]})
    )
    assert (plain.status, tools.status) == (200, 503)


def test_a_fallback_of_the_aggregator_answers_under_the_form() -> None:
    call = ToolCall("call_1", "weather", "{}")
    agents = AGENTS | {"agg": {"model": "fake:agg", "fallback": ["fake:other"]}}
    with served({**DOWN, "other": Script("", tool_calls=(call,))}, agents=agents, mixtures=MIXTURES) as server:
        choice = server.chat(**FORMS["tools"]).json["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "weather"
