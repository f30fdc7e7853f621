"""Chat completions over real HTTP: what standard clients see, what a mixture adds, and what each call is shown."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from served import AGENTS, SCRIPTS, Served, served

from moa.core.errors import Overloaded
from moa.core.events import Delta
from moa.core.types import Reply, ToolCall, ToolResult, user
from moa.core.view import View
from moa.providers.fake import Script
from moa.server.asked import Answered, Asked
from moa.server.chat import Chat

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as running:
        yield running


def test_a_mixture_answers_as_a_model_does(server: Served) -> None:
    got = server.chat()
    answer = got.json
    assert got.status == 200
    assert (answer["object"], answer["model"]) == ("chat.completion", "moa/review")
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "It is Paris.", "refusal": None}
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["id"] == f"chatcmpl-{answer['moa']['run']}"
    assert got.headers["x-request-id"].startswith("req_")
    assert got.headers["request-id"] == got.headers["x-request-id"]


def test_the_answer_says_who_took_part(server: Served) -> None:
    told = server.chat(moa={"proposals": True}).json["moa"]
    assert [agent["agent"] for agent in told["agents"]] == ["a", "b", "c", "agg"]
    assert {agent["state"] for agent in told["agents"]} == {"done"}
    assert [one["text"] for one in told["proposals"]] == ["Paris", "Paris", "Rome"]
    assert not told["degraded"]


def test_what_is_taken_and_not_used_is_named(server: Served) -> None:
    assert server.chat(logit_bias={"5": 1}, user="me").json["moa"]["ignored"] == ["logit_bias", "user"]
    assert "ignored" not in server.chat().json["moa"]
    image = {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}}
    named = server.chat([{"role": "user", "name": "bob", "content": [{"type": "text", "text": "What is it?"}, image]}])
    assert named.json["moa"]["ignored"] == ["messages[].name", "image_url.detail"]


def test_a_mixture_cannot_be_alone_and_of_others(server: Served) -> None:
    for options in ({"proposers": ["b"]}, {"layers": 2}):
        got = server.chat(moa={"solo": True, **options})
        assert (got.status, got.json["error"]["param"]) == (400, "moa.mode")


def test_anthropic_s_clients_are_shown_models_as_they_know_them(server: Served) -> None:
    version = {"anthropic-version": "2023-06-01"}
    got = server.ask("GET", "/v1/models", **version).json
    ids = [model["id"] for model in server.ask("GET", "/v1/models").json["data"]]
    assert ([model["id"] for model in got["data"]], got["has_more"], got["first_id"], got["last_id"]) == (
        ids,
        False,
        ids[0],
        ids[-1],
    )
    one = server.ask("GET", f"/v1/models/{ids[0]}", **version).json
    assert (one, one["type"], one["display_name"]) == (got["data"][0], "model", ids[0])


def test_usage_is_that_of_the_acting_call(server: Served) -> None:
    answer = server.chat().json
    assert answer["usage"]["completion_tokens"] == len(SCRIPTS["agg"].split())
    assert answer["moa"]["usage"]["output_tokens"] > answer["usage"]["completion_tokens"]


def test_a_stream_says_the_same_piece_by_piece(server: Served) -> None:
    got = server.chat(stream=True, stream_options={"include_usage": True})
    *chunks, last, done = got.frames
    assert got.headers["content-type"].startswith("text/event-stream")
    assert done == "[DONE]"
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] > 0
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks) == "It is Paris."
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["moa"]["run"] in chunks[0]["id"]
    assert len(chunks) > 3
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_a_stream_tells_of_the_run_only_to_who_asks(server: Served) -> None:
    plain = server.chat(stream=True).frames
    assert not any("reasoning_content" in str(frame) for frame in plain)
    told = server.chat(stream=True, moa={"progress": True, "events": True}).frames[:-1]
    thoughts = "".join(c["delta"].get("reasoning_content", "") for chunk in told for c in chunk["choices"])
    assert "a answered after" in thoughts
    events = [chunk["moa"]["event"] for chunk in told if "event" in chunk.get("moa", {})]
    assert [events[0]["kind"], events[-1]["kind"]] == ["run_started", "run_finished"]
    assert "nonce" not in str(events)


@pytest.mark.parametrize("begins", [{"what": "text"}, {"what": "tool", "id": "c", "name": "weather"}])
def test_progress_is_reasoning_until_the_answer_begins(begins: dict[str, Any]) -> None:
    speaking = Chat().speaking(Asked("m", (user("hi"),)))
    speaking.opening("run")
    assert b"reasoning_content" in speaking.progress("layer 1: 3 calls")
    assert b"reasoning_content" in speaking.delta(Delta("Hm.", "reasoning", final=True))
    assert b"reasoning_content" in speaking.progress("aggregate: 1 call")
    speaking.delta(Delta("It is", final=True, **begins))
    assert speaking.progress("agg answered after 0.1 s") == b""


def test_only_the_aggregator_sees_tools_and_may_call_them() -> None:
    call = ToolCall("call_1", "weather", '{"city":"Paris"}')
    with served({**SCRIPTS, "agg": Script("", tool_calls=(call,))}) as server:
        answer = server.chat(tools=[TOOL], tool_choice="auto").json
        streamed = server.chat(tools=[TOOL], stream=True).frames[:-1]
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    function = {"name": "weather", "arguments": '{"city":"Paris"}'}
    assert choice["message"]["tool_calls"] == [{"id": "call_1", "type": "function", "function": function}]
    deltas = [c["delta"]["tool_calls"][0] for f in streamed for c in f["choices"] if "tool_calls" in c["delta"]]
    assert (deltas[0]["id"], deltas[0]["function"]["name"]) == ("call_1", "weather")
    assert "".join(delta["function"]["arguments"] for delta in deltas) == '{"city":"Paris"}'
    tools = {request.call.agent: bool(request.call.form.tools) for request in server.asked}
    assert tools == {"a": False, "b": False, "c": False, "agg": True}


def test_a_call_without_arguments_is_streamed_as_an_empty_object() -> None:
    speaking = Chat().speaking(Asked("m", (user("hi"),)))
    reply = Reply(
        "", finish="tool_calls", tool_calls=(ToolCall("c1", "weather", "{}"), ToolCall("c2", "news", '{"a":1}'))
    )
    said = speaking.opening("run") + speaking.delta(Delta("", "tool", final=True, id="c1", name="weather"))
    for piece in ("", '{"a"', ":1}"):
        said += speaking.delta(Delta(piece, "tool", final=True, index=1, id="c2", name="news"))
    said += speaking.closing(Answered(reply, View("run")))
    frames = [json.loads(line[6:]) for line in said.decode().splitlines() if line.startswith("data: {")]
    heard = {0: "", 1: ""}
    for frame in frames:
        for call in frame["choices"][0]["delta"].get("tool_calls", ()):
            heard[call["index"]] += call["function"]["arguments"]
    assert heard == {0: "{}", 1: '{"a":1}'}
    assert frames[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_proposers_see_no_tool_traffic(server: Served) -> None:
    turns: list[Any] = [
        {"role": "user", "content": "Is it cold?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "minus five"},
    ]
    server.asked.clear()
    assert server.chat(turns, tools=[TOOL]).status == 200
    seen = {request.call.agent: request.messages for request in server.asked}
    assert not any(isinstance(part, ToolCall | ToolResult) for message in seen["a"] for part in message.parts)
    assert seen["a"][-1].text == "Is it cold?"
    assert any(isinstance(part, ToolResult) for message in seen["agg"] for part in message.parts)


def test_the_request_draws_the_answer_and_not_the_proposals(server: Served) -> None:
    server.asked.clear()
    server.chat(temperature=0.25, max_completion_tokens=77, stop=["END"], seed=5)
    sampling = {request.call.agent: request.call.sampling for request in server.asked}
    assert (sampling["agg"].temperature, sampling["agg"].max_tokens, sampling["agg"].stop) == (0.25, 77, ("END",))
    assert sampling["a"].temperature is None


def test_of_instructions_alone_the_last_is_the_question(server: Served) -> None:
    said = [{"role": "system", "content": "Be brief."}, {"role": "developer", "content": "Name a city."}]
    assert server.chat(said).json["choices"][0]["message"]["content"] == "It is Paris."
    assert [message.role for message in server.asked[-1].call.conversation] == ["system", "user"]


def test_a_vote_takes_no_tools(server: Served) -> None:
    got = server.chat(model="moa/poll", tools=[TOOL])
    assert (got.status, got.json["error"]["param"]) == (400, "tools")
    assert server.chat(model="moa/poll").json["choices"][0]["message"]["content"] == "Paris"


@pytest.mark.parametrize(
    ("options", "agents"),
    [
        ({"proposers": ["other", "a"]}, ["other", "a", "agg"]),
        ({"aggregator": "other"}, ["a", "b", "c", "other"]),
        ({"layers": 2}, ["a", "b", "c", "a", "b", "c", "agg"]),
        ({"solo": True}, ["agg"]),
        ({"solo": True, "aggregator": "other"}, ["other"]),
        ({"mode": "solo"}, ["agg"]),
        ({"mode": "auto"}, ["a", "b"]),
        ({"mode": "full", "tag": "nobody asks for it"}, ["a", "b", "c", "agg"]),
        ({"tag": "legal"}, ["other"]),
        ({"tag": "legal", "mode": "auto"}, ["other"]),
    ],
)
def test_a_caller_chooses_among_what_is_configured(server: Served, options: dict[str, Any], agents: list[str]) -> None:
    told = server.chat(moa=options).json["moa"]["agents"]
    assert [agent["agent"] for agent in told] == agents


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"proposers": ["openai:gpt"]}, "moa.proposers[0]"),
        ({"aggregator": "http://x"}, "moa.aggregator"),
        ({"layers": 99}, "moa.layers"),
        ({"base_url": "http://x"}, "moa.base_url"),
        ({"deadline": "soon"}, "moa.deadline"),
        ({"mode": "half"}, "moa.mode"),
        ({"mode": "auto", "solo": True}, "moa.mode"),
        ({"tag": 7}, "moa.tag"),
    ],
)
def test_a_caller_cannot_name_what_is_not(server: Served, options: dict[str, Any], param: str) -> None:
    got = server.chat(moa=options)
    assert (got.status, got.json["error"]["param"]) == (400, param)


def test_a_vote_has_nobody_who_could_answer_alone(server: Served) -> None:
    got = server.chat(model="moa/poll", moa={"mode": "solo"})
    assert (got.status, got.json["error"]["param"]) == (400, "moa.mode")
    assert got.json["error"]["message"] == "mode: 'solo' asks the aggregator alone, and this mixture has none"


def test_a_tag_that_no_route_names_makes_no_further_mixture(server: Served) -> None:
    made = server.app.state.catalogue._made
    before = len(made)
    for number in range(20):
        assert server.chat(moa={"tag": f"number {number}"}).status == 200
    assert len(made) <= before + 1


def test_a_single_model_is_passed_through_under_its_own_name(server: Served) -> None:
    server.asked.clear()
    answer = server.chat(model="other").json
    assert (answer["model"], answer["choices"][0]["message"]["content"]) == ("other", "Oslo")
    assert len(server.asked) == 1


def test_models_are_listed_and_found(server: Served) -> None:
    listed = [model["id"] for model in server.ask("GET", "/v1/models").json["data"]]
    assert {"moa/review", "moa/poll", "moa/deep", "a", "agg"} <= set(listed)
    assert "moa/paper" not in listed  # its key is missing
    assert server.ask("GET", "/v1/models/moa/review").json["id"] == "moa/review"
    assert server.ask("GET", "/v1/models/none").status == 404
    assert server.ask("GET", "/v1/models/moa").json["id"] == "moa"


def test_an_answer_that_breaks_off_is_no_whole_one() -> None:
    with served({**SCRIPTS, "agg": Script("It is Paris.", cut=2)}) as server:
        frames = server.chat(stream=True).frames
    assert frames[-1]["error"]["code"] == "cut"
    assert frames[-1]["choices"][0]["finish_reason"] == "error"
    assert "[DONE]" not in frames


def test_who_fails_is_named_and_the_answer_is_degraded() -> None:
    with served({**SCRIPTS, "a": Overloaded("too busy")}) as server:
        told = server.chat().json["moa"]
        broken = {**SCRIPTS, **dict.fromkeys(("a", "b", "c", "agg"), Overloaded("too busy", retry_after=2.0))}
    assert told["degraded"]
    assert [agent["problem"] for agent in told["agents"] if agent["state"] == "failed"]
    with served(broken) as server:
        got = server.chat()
    assert (got.status, got.headers["retry-after"]) == (503, "2")
    assert got.json["error"]["type"] == "server_error"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_ends_its_run(stream: bool) -> None:
    hang = {**SCRIPTS, "agg": Script("late", hang=True)}
    with served(hang) as server:
        asked = {"model": "moa/review", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
        body = json.dumps(asked).encode()
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            lines = ("POST /v1/chat/completions HTTP/1.1", "Host: localhost", "Content-Type: application/json")
            head = "".join(f"{line}\r\n" for line in (*lines, f"Content-Length: {len(body)}", ""))
            connection.sendall(head.encode() + body)
            wait_until(lambda: any(request.call.agent == "agg" for request in server.asked))
            assert not server.app.idle.is_set()
        wait_until(server.app.idle.is_set)


def wait_until(holds: Any, seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_streamed_aggregator_that_only_thinks_gives_way_to_the_next_model() -> None:
    agents = {**AGENTS, "agg": {"model": "fake:agg", "fallback": ["fake:second"]}}
    with served({**SCRIPTS, "agg": Script(reasoning="Hm."), "second": "It is Rome."}, agents=agents) as server:
        *chunks, last, done = server.chat(stream=True).frames
    said = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    assert (said, done, last["choices"][0]["finish_reason"]) == ("It is Rome.", "[DONE]", "stop")
    assert any(note.startswith("fallback: fake:second answered for fake:agg") for note in last["moa"]["notes"])


def test_a_silent_stream_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moa.server.turn.PULSE_SECONDS", 0.05)
    with served({**SCRIPTS, "agg": Script("It is Paris.", delay=1.0)}) as server:
        got = server.chat(stream=True)
    assert got.body.count(b": moa is working") >= 3
    assert got.frames[-1] == "[DONE]"


def test_a_deadline_of_the_request_is_kept() -> None:
    with served({**SCRIPTS, "agg": Script("late", hang=True)}) as server:
        answer = server.chat(moa={"deadline": 0.5}).json
    assert answer["choices"][0]["message"]["content"] == "Paris"  # what most proposers say stands in
    assert answer["moa"]["degraded"]


def test_a_tool_loop_buys_its_advice_once_and_only_appends_to_the_prompt(server: Served) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    turns: list[Any] = [{"role": "user", "content": "Shall I take a coat to Lima?"}]
    server.asked.clear()
    server.chat(turns, tools=[TOOL])
    turns += [{"role": "assistant", "content": None, "tool_calls": [call]}]
    turns += [{"role": "tool", "tool_call_id": "c1", "content": "minus five"}]
    assert server.chat(turns, tools=[TOOL]).json["moa"]["costs"]["proposer"] == 0.0
    assert [request.call.agent for request in server.asked].count("a") == 1
    first, second = (request.messages for request in server.asked if request.call.agent == "agg")
    assert second[: len(first)] == first
    turns += [{"role": "assistant", "content": "Yes."}, {"role": "user", "content": "And to Oslo?"}]
    server.chat(turns, tools=[TOOL])
    assert [request.call.agent for request in server.asked].count("a") == 2


def test_advice_can_be_asked_for_every_call() -> None:
    mixture = {"proposers": ["a", "b"], "aggregator": "agg", "advise_on": "call"}
    with served(mixtures={"review": mixture}) as server:
        call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
        turns: list[Any] = [{"role": "user", "content": "Shall I take a coat?"}]
        server.chat(turns, tools=[TOOL])
        turns += [{"role": "assistant", "content": None, "tool_calls": [call]}]
        turns += [{"role": "tool", "tool_call_id": "c1", "content": "minus five"}]
        server.chat(turns, tools=[TOOL])
        seen = [request.messages for request in server.asked if request.call.agent == "a"]
    assert len(seen) == 2
    assert "minus five" in seen[1][-1].text


@pytest.mark.parametrize(("advise_on", "places"), [("call", [0, 2, 4, 6]), (2, [0, 0, 4, 4])])
def test_advice_on_a_step_stands_behind_it_and_leaves_what_is_before_it_alone(
    advise_on: Any, places: list[int]
) -> None:
    mixture = {"proposers": ["a", "b"], "aggregator": "agg", "advise_on": advise_on}
    turns: list[Any] = [{"role": "user", "content": "Shall I take a coat?"}]
    with served(mixtures={"review": mixture}) as server:
        for step in range(4):
            server.chat(turns, tools=[TOOL])
            call = {"id": f"c{step}", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
            turns += [{"role": "assistant", "content": None, "tool_calls": [call]}]
            turns += [{"role": "tool", "tool_call_id": f"c{step}", "content": f"minus {step}"}]
        seen = [request for request in server.asked if request.call.agent == "agg"]
    assert len(seen) == 4
    for request, place in zip(seen, places, strict=True):
        said, sent = request.call.conversation, request.messages
        if place == 0:
            assert sent[0].parts[0] == said[0].parts[0]
            assert "Other models have answered" in sent[0].parts[1].text
            assert sent[1:] == said[1:]
            continue
        assert sent[: place + 1] == said[: place + 1]
        assert (sent[place + 1].role, sent[place + 2 :]) == ("user", said[place + 1 :])
        assert sent[place + 1].text.startswith("---\nOther models have answered")


CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
UNDER_CITY = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}}


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_breaks_its_schema_is_repaired_once(stream: bool) -> None:
    with served(SCRIPTS | {"agg": ["It is Paris.", '{"city": "Paris"}']}) as server:
        got = server.chat(response_format=UNDER_CITY, stream=stream)
        pieces = (
            [frame["choices"][0]["delta"] for frame in got.frames[:-1]]
            if stream
            else [got.json["choices"][0]["message"]]
        )
        assert "".join(piece.get("content") or "" for piece in pieces) == '{"city": "Paris"}'
        assert [request.call.role for request in server.asked].count("aggregator") == 2


def test_one_that_breaks_it_twice_is_an_error_that_names_the_place() -> None:
    with served(SCRIPTS | {"agg": '{"city": 5}'}) as server:
        got = server.chat(response_format=UNDER_CITY)
        assert (got.status, got.json["error"]["code"]) == (502, "bad_reply")
        assert "$.city" in got.json["error"]["message"]
        assert server.chat(response_format=UNDER_CITY, stream=True).frames[-1]["error"]["code"] == "bad_reply"


def test_a_list_of_the_models_plans_no_mixture_twice(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    first = server.ask("GET", "/v1/models").json
    monkeypatch.setattr("moa.config.intake.plan", None)
    assert server.ask("GET", "/v1/models").json == first
