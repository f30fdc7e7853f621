"""What the acting call's host said is what the client is told: the same status, type, code and parameter, streamed or not."""

from __future__ import annotations

from typing import Any

import pytest
from served import SCRIPTS, Got, Served, served

from moa.core.errors import AuthFailed, BadRequest, CallError, Overloaded, RateLimited, TimedOut, TooLong

FUNCTION = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
TOOLS = [{"type": "function", "function": FUNCTION}]
ERRORS: dict[str, tuple[CallError, int, str, str]] = {
    "limited": (RateLimited("slow down", retry_after=2.0), 429, "rate_limit_error", "rate_limit_exceeded"),
    "bad": (BadRequest("no such temperature"), 400, "invalid_request_error", "bad_request"),
    "long": (TooLong("too many tokens"), 400, "invalid_request_error", "context_length_exceeded"),
    "late": (TimedOut("no answer in 9 s"), 504, "server_error", "timeout"),
    "busy": (Overloaded("too busy"), 503, "server_error", "overloaded"),
    "ours": (AuthFailed("bad key abc"), 502, "server_error", "auth_failed"),
}


def failing(error: CallError) -> Any:
    """A server whose aggregator, and agent "other", fail so."""
    return served({**SCRIPTS, "agg": error, "other": error})


def asked(server: Served, model: str, stream: bool) -> Got:
    return server.chat(model=model, stream=stream, tools=TOOLS)


@pytest.mark.parametrize("model", ["moa/review", "other"])
@pytest.mark.parametrize("way", ERRORS)
def test_an_error_of_the_acting_call_is_told_as_openai_has_it(way: str, model: str) -> None:
    error, status, kind, code = ERRORS[way]
    with failing(error) as server:
        whole = asked(server, model, False)
    with failing(error) as server:
        told = asked(server, model, True).frames[-1]["error"]
    assert whole.status == status
    assert whole.json["error"] == told
    assert (told["type"], told["code"]) == (kind, code)
    assert "abc" not in told["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_parameter_that_a_host_names_is_named(stream: bool) -> None:
    error = BadRequest("temperature must be 1")
    error.param = "temperature"
    with failing(error) as server:
        got = asked(server, "other", stream)
    told = got.frames[-1]["error"] if stream else got.json["error"]
    assert told["param"] == "temperature"


def test_anthropics_clients_are_told_so_too() -> None:
    body = {"model": "other", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    for way, kind in (("limited", "rate_limit_error"), ("bad", "invalid_request_error"), ("late", "timeout_error")):
        with failing(ERRORS[way][0]) as server:
            got = server.ask("POST", "/v1/messages", body | {"stream": True})
        assert got.frames[-1]["error"]["type"] == kind


def test_where_several_calls_fail_how_many_is_told() -> None:
    down = dict.fromkeys(SCRIPTS, Overloaded("too busy"))
    with served(down) as server:
        whole, told = server.chat(model="moa/poll"), server.chat(model="moa/poll", stream=True).frames[-1]["error"]
    assert (whole.status, whole.json["error"]["code"], told["code"]) == (
        503,
        "not_enough_replies",
        "not_enough_replies",
    )


def test_a_conversation_too_long_for_every_proposer_is_told_by_that_code() -> None:
    """Clients cut what was said before by it."""
    with served({name: TooLong("too many tokens") for name in SCRIPTS}) as server:
        told = server.chat().json["error"]
        frames = server.ask("POST", "/v1/responses", {"model": "other", "input": "hi", "stream": True}).frames
    assert (told["code"], told["type"]) == ("context_length_exceeded", "invalid_request_error")
    assert frames[-1]["response"]["error"]["code"] == "context_length_exceeded"
