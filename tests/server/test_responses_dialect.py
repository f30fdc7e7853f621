"""Responses: what a body asks, and that every answer and every event is what OpenAI's description and SDK take for one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conformance import EVENT_SCHEMAS, Check, check, parameters

from moa.core.errors import MoaError, RateLimited
from moa.core.events import Delta, deltas_of
from moa.core.types import (
    Image,
    Logprob,
    Message,
    Reply,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Usage,
    assistant,
    system,
    user,
)
from moa.core.view import View
from moa.server.asked import Answered, Asked, Options
from moa.server.refusals import Rejection
from moa.server.responses import Responses

TOOL = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": True}
PNG = "data:image/png;base64,iVBORw0KGgo="

EVERYTHING: dict[str, Any] = {
    "access_programs": {"cyber": "standard"},
    "background": True,
    "background_options": {"completion_window": "soonest", "continuation_id": "continuation_id"},
    "context_management": [{"type": "compaction", "compact_threshold": 1000}],
    "image": {"context_compression": "auto"},
    "include": ["file_search_call.results"],
    "input": "string",
    "instructions": "instructions",
    "max_output_tokens": 16,
    "max_tool_calls": 0,
    "metadata": {"foo": "string"},
    "model": "gpt-6-astra",
    "moderation": {"model": "model", "policy": {"input": {"mode": "score"}, "output": {"mode": "score"}}},
    "parallel_tool_calls": True,
    "prompt": {"id": "id", "variables": {"foo": "string"}, "version": "version"},
    "prompt_cache_key": "prompt-cache-key-1234",
    "prompt_cache_options": {"comparison_response_id": "resp_123", "mode": "implicit", "prewarm": True, "ttl": "30m"},
    "prompt_cache_retention": "in_memory",
    "reasoning": {
        "context": "auto",
        "effort": "none",
        "generate_summary": "auto",
        "mode": "standard",
        "summary": "auto",
    },
    "safety_identifier": "safety-identifier-1234",
    "service_tier": "auto",
    "store": True,
    "stream": True,
    "stream_options": {"include_obfuscation": True},
    "temperature": 1,
    "text": {"format": {"type": "text"}, "verbosity": "low"},
    "tool_choice": "none",
    "tools": [
        {
            "name": "name",
            "parameters": {"foo": "bar"},
            "strict": True,
            "type": "function",
            "allowed_callers": ["direct"],
            "async": True,
            "defer_loading": True,
            "description": "description",
            "output_schema": {"foo": "bar"},
        }
    ],
    "top_logprobs": 0,
    "top_p": 1,
    "truncation": "auto",
    "user": "user-1234",
}
"""What the SDK's own test of `responses.create` sends, without `conversation` and `previous_response_id`: nothing is kept here."""


def read(**body: Any) -> Asked:
    return Responses().read({"model": "moa/review", "input": "Which city?", **body})


def messages(*items: Any) -> tuple[Message, ...]:
    return read(input=list(items)).conversation


def refused(**body: Any) -> Rejection:
    with pytest.raises(Rejection) as caught:
        read(**body)
    assert caught.value.status == 400
    return caught.value


def said(part: Any) -> dict[str, Any]:
    """The part of a body that holds one part of a message."""
    return {"input": [{"role": "user", "content": [part]}]}


def test_a_text_is_a_question_and_instructions_come_first() -> None:
    assert read(instructions="Be brief.").conversation == (system("Be brief."), user("Which city?"))


def test_everything_that_the_sdk_sends_is_taken_and_what_is_not_used_is_named() -> None:
    asked = Responses().read(EVERYTHING)
    assert asked.stream
    assert (asked.sampling.max_tokens, asked.sampling.temperature, asked.sampling.top_p) == (16, 1.0, 1.0)
    assert asked.sampling.reasoning_effort == "none"
    assert asked.form.tools == (Tool("name", "description", '{"foo":"bar"}', True),)
    assert (asked.form.tool_choice, asked.form.parallel_tools, asked.form.logprobs) == ("none", True, None)
    assert {"prompt", "background", "moderation", "store"} <= set(asked.echo["moa"]["ignored"])
    assert (asked.echo["background"], asked.echo["store"]) == (False, False)


def test_settings_nobody_set_are_left_to_the_mixture_and_told_as_defaults() -> None:
    asked = read()
    assert asked.sampling.temperature is None
    assert (asked.echo["temperature"], asked.echo["tool_choice"], asked.echo["tools"]) == (1.0, "auto", [])
    assert "moa" not in asked.echo
    assert read(moa={"solo": True}).options == Options(solo=True)


def test_messages_of_all_roles_and_parts() -> None:
    assert messages(
        {"role": "developer", "content": "Rules"},
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "What is"}, {"type": "input_image", "image_url": PNG}]},
        {"id": "rs_1", "type": "reasoning", "summary": []},
        {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
         "content": [{"type": "output_text", "text": "A dot", "annotations": []}, {"type": "refusal", "refusal": "No."}]},
        {"role": "system", "content": "More rules"},
        {"role": "user", "content": "Sure?"},
    ) == (
        system("Rules"),
        user("What is", Image(PNG)),
        assistant("A dot", "No."),
        system("More rules"),
        user("Sure?"),
    )  # fmt: skip


def test_of_instructions_alone_the_last_is_the_question() -> None:
    rules = {"role": "developer", "content": "Be brief."}
    assert messages(rules, {"role": "system", "content": "Name a city."}) == (system("Be brief."), user("Name a city."))
    assert read(instructions="Rules.", input=[rules]).conversation == (system("Rules."), user("Be brief."))


def test_the_tool_calls_of_a_turn_are_one_message_whose_results_follow() -> None:
    call = {"type": "function_call", "name": "look", "arguments": "{}"}
    assert messages(
        {"role": "user", "content": "Look twice"},
        {**call, "call_id": "c1"},
        {"role": "assistant", "content": "Looking."},
        {**call, "call_id": "c2"},
        {"type": "function_call_output", "call_id": "c1", "output": "one"},
        {"type": "function_call_output", "call_id": "c2", "output": [
            {"type": "input_text", "text": "t"}, {"type": "input_text", "text": "wo"}]},
        {"role": "assistant", "content": "Both."},
        {"role": "assistant", "content": "Seen."},
    ) == (
        user("Look twice"),
        assistant("Looking.", ToolCall("c1", "look", "{}"), ToolCall("c2", "look", "{}")),
        Message("tool", (ToolResult("c1", "one"),)),
        Message("tool", (ToolResult("c2", "two"),)),
        assistant("Both."),
        assistant("Seen."),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "schema", "strict"),
    [
        ({"type": "text"}, "", None),
        ({"type": "json_object"}, "{}", None),
        (
            {"type": "json_schema", "name": "city", "schema": {"type": "object"}, "strict": True},
            '{"type":"object"}',
            True,
        ),
    ],
)
def test_the_format_of_the_text(given: dict[str, Any], schema: str, strict: bool | None) -> None:
    form = read(text={"format": given}).form
    assert (form.schema, form.strict) == (schema, strict)


def test_which_tools_may_be_called() -> None:
    two = [TOOL, {**TOOL, "name": "hear"}]
    assert read(tools=two, tool_choice={"type": "function", "name": "hear"}).form.tool_choice == "hear"
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "hear"}]}
    form = read(tools=two, tool_choice=allowed).form
    assert (form.tool_choice, [tool.name for tool in form.tools]) == ("required", ["hear"])
    assert read(tool_choice="auto").form.tool_choice == ""


def test_logprobs_are_wanted_where_they_are_named() -> None:
    assert read(include=["message.output_text.logprobs"]).form.logprobs == 0
    assert read(top_logprobs=3).form.logprobs == 3


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"model": 3}, "model", "invalid_value"),
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": []}, "input", "invalid_value"),
        ({"input": " "}, "input", "invalid_value"),
        ({"input": 7}, "input", "invalid_value"),
        ({"input": ["text"]}, "input[0]", "invalid_value"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input[0].role", "invalid_value"),
        ({"input": [{"role": "user"}]}, "input[0].content", "missing_required_parameter"),
        (said({"type": "input_file", "file_id": "f"}), "input[0].content[0].type", "invalid_value"),
        (said({"type": "input_text"}), "input[0].content[0].text", "missing_required_parameter"),
        (said({"type": "input_text", "text": 4}), "input[0].content[0].text", "invalid_value"),
        (said("x"), "input[0].content[0]", "invalid_value"),
        (
            said({"type": "input_image", "image_url": "file:///etc/passwd"}),
            "input[0].content[0].image_url",
            "invalid_image_url",
        ),
        (
            said({"type": "input_image", "file_id": "f", "detail": "auto"}),
            "input[0].content[0].image_url",
            "missing_required_parameter",
        ),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type", "invalid_value"),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input[0].type", "invalid_value"),
        ({"input": [{"type": "function_call", "call_id": "c", "arguments": "{}"}]}, "input[0].name", "missing_required_parameter"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}, "input[0].call_id", "invalid_value"),
        ({"tools": [TOOL, {"type": "file_search"}]}, "tools[1].type", "invalid_value"),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, "tools[0].type", "invalid_value"),
        ({"tools": [{"type": "function", "parameters": {}}]}, "tools[0].name", "missing_required_parameter"),
        ({"tools": [{**TOOL, "parameters": {"$ref": "http://x/y"}}]}, "tools[0].parameters", "invalid_schema"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "hear"}}, "tool_choice", "invalid_value"),
        ({"tools": [TOOL], "tool_choice": {"type": "web_search_preview"}}, "tool_choice", "invalid_value"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": []}]}},
         "tool_choice", "invalid_value"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "invalid_value"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema", "missing_required_parameter"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name", "missing_required_parameter"),
        ({"max_output_tokens": 0}, "max_output_tokens", "invalid_value"),
        ({"temperature": 2.5}, "temperature", "invalid_value"),
        ({"top_p": -1}, "top_p", "invalid_value"),
        ({"top_logprobs": 21}, "top_logprobs", "invalid_value"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort", "invalid_value"),
        ({"metadata": {"a": 1}}, "metadata[...]", "invalid_value"),
        ({"messages": []}, "messages", "unknown_parameter"),
        ({"moa": {"solos": True}}, "moa.solos", "unknown_parameter"),
        ({"previous_response_id": "resp_1"}, "previous_response_id", "previous_response_not_found"),
        ({"conversation": "conv_1"}, "conversation", "unsupported_parameter"),
        ({"conversation": {"id": "conv_1"}}, "conversation", "unsupported_parameter"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(body: dict[str, Any], param: str, code: str) -> None:
    error = refused(**body)
    assert (error.param, error.code) == (param, code)
    assert Responses().refusal(error)["error"]["param"] == param


def test_a_model_is_needed() -> None:
    with pytest.raises(Rejection, match="Missing required parameter: 'model'"):
        Responses().read({"input": "x"})


# --- answers ---

PLAIN = Reply("It is Paris.", usage=Usage(12, 5, 2, 1, written=3))
CALLS = Reply(
    "Looking.",
    finish="tool_calls",
    tool_calls=(ToolCall("c1", "look", '{"at":1}'), ToolCall("c2", "look", "{}")),
    reasoning="Hm.",
)
REPLIES = {
    "plain": PLAIN,
    "thoughtful": Reply("Paris", reasoning="France, so …"),
    "calls": CALLS,
    "only calls": Reply("", finish="tool_calls", tool_calls=CALLS.tool_calls),
    "cut": Reply("It is", finish="length"),
    "filtered": Reply("It", finish="content_filter"),
    "blank": Reply(""),
    "likely": Reply("Paris", logprobs=(Logprob("Paris", -0.1, ("Paris", "Rome"), (-0.1, -2.0)),)),
}
BODIES: dict[str, dict[str, Any]] = {
    "little": {"model": "moa/review", "input": "Which city?"},
    "everything": EVERYTHING,
    "schema": {
        "model": "m", "input": "x", "tools": [TOOL], "tool_choice": {"type": "function", "name": "look"},
        "text": {"format": {"type": "json_schema", "name": "city", "schema": {"type": "object"}}},
    },
}  # fmt: skip


def answered(reply: Reply) -> Answered:
    return Answered(reply, View("0123abcd", "review", "done", started=1767225600.25, ended=1767225602.5))


def streamed(reply: Reply, body: dict[str, Any], *, deltas: tuple[Delta, ...] | None = None) -> bytes:
    speaking = Responses().speaking(Responses().read(body))
    pieces = deltas_of(reply, final=True) if deltas is None else deltas
    told = speaking.opening("0123abcd") + speaking.progress("propose: 3 calls")
    return told + b"".join(map(speaking.delta, pieces)) + speaking.closing(answered(reply))


def events(stream: bytes) -> list[dict[str, Any]]:
    """The events of a stream, each named by its frame as it names itself, and numbered without gaps."""
    told = []
    for number, one in enumerate(stream.decode().removesuffix("\n\n").split("\n\n")):
        name, data = one.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert event["sequence_number"] == number
        told.append(event)
    return told


@pytest.fixture(scope="module")
def checked() -> Check:
    return check()


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_an_answer_is_a_response(reply: Reply, body: dict[str, Any], checked: Check) -> None:
    checked("CreateResponse", body)
    checked("Response", Responses().whole(Responses().read(body), answered(reply)))


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_every_event_is_one_of_openais(reply: Reply, body: dict[str, Any], checked: Check) -> None:
    for event in events(streamed(reply, body)):
        checked(EVENT_SCHEMAS[event["type"]], event)


def test_failures_are_events_of_openais(checked: Check) -> None:
    for error in (RateLimited("slow down"), MoaError("no"), RuntimeError("a bug"), Rejection("odd")):
        checked("ResponseFailedEvent", failed(error)[-1])
        checked("ResponseErrorEvent", events(Responses().speaking(read()).failure(error))[0])


def test_openais_description_lists_no_parameter_that_is_refused() -> None:
    for name in parameters("CreateResponse"):
        if name not in ("model", "input"):
            read(**{name: None})


def test_a_whole_answer() -> None:
    told = Responses().whole(read(), answered(PLAIN))
    assert (told["id"], told["object"], told["model"]) == ("resp_0123abcd", "response", "moa/review")
    assert (told["created_at"], told["completed_at"], told["status"]) == (1767225600, 1767225602, "completed")
    assert [item["type"] for item in told["output"]] == ["message"]
    assert told["output"][0]["content"][0]["text"] == "It is Paris."
    assert told["usage"] == {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 3},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 17,
    }
    assert told["moa"]["run"] == "0123abcd"
    assert "ignored" not in told["moa"]


def test_a_whole_answer_with_thoughts_and_calls() -> None:
    output = Responses().whole(read(tools=[TOOL]), answered(CALLS))["output"]
    assert [item["type"] for item in output] == ["reasoning", "message", "function_call", "function_call"]
    assert output[0]["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert [item.get("call_id") for item in output[2:]] == ["c1", "c2"]
    assert output[2]["arguments"] == '{"at":1}'
    assert len({item["id"] for item in output}) == 4


@pytest.mark.parametrize(("finish", "why"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_a_cut_answer_is_incomplete(finish: Any, why: str) -> None:
    told = Responses().whole(read(), answered(Reply("It is", finish=finish)))
    assert (told["status"], told["incomplete_details"], told["completed_at"]) == ("incomplete", {"reason": why}, None)
    assert told["output"][0]["status"] == "incomplete"
    last = events(streamed(Reply("It is", finish=finish), BODIES["little"]))[-1]
    assert (last["type"], last["response"]["incomplete_details"]) == ("response.incomplete", {"reason": why})


def test_the_order_of_a_stream() -> None:
    told = events(streamed(CALLS, BODIES["little"]))
    assert [event["type"].removeprefix("response.") for event in told] == [
        "created", "in_progress",
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "output_item.added", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done", "function_call_arguments.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    done = [event for event in told if event["type"] == "response.output_item.done"]
    assert [event["output_index"] for event in done] == [0, 1, 2, 3]
    assert [event["item"] for event in done] == told[-1]["response"]["output"]
    assert told[0]["response"]["created_at"] == told[-1]["response"]["created_at"]


def test_the_stream_ends_with_what_the_whole_answer_would_be() -> None:
    for reply in REPLIES.values():
        asked = Responses().read(BODIES["everything"])
        speaking = Responses().speaking(asked)
        stream = speaking.opening("0123abcd") + b"".join(map(speaking.delta, deltas_of(reply, final=True)))
        last = events(stream + speaking.closing(answered(reply)))[-1]["response"]
        whole = Responses().whole(asked, answered(reply))
        assert last | {"created_at": 0} == whole | {"created_at": 0}


def test_calls_side_by_side_keep_their_own_arguments() -> None:
    pieces = (
        Delta("", "tool", index=0, id="c1", name="look"),
        Delta("", "tool", index=1, id="c2", name="look"),
        Delta('{"at"', "tool", index=0),
        Delta("{}", "tool", index=1),
        Delta(":1}", "tool", index=0),
    )
    told = events(streamed(REPLIES["only calls"], BODIES["little"], deltas=pieces))
    done = [event for event in told if event["type"] == "response.function_call_arguments.done"]
    assert [(event["arguments"], event["name"]) for event in done] == [('{"at":1}', "look"), ("{}", "look")]


def test_what_was_not_streamed_is_sent_at_the_end_and_what_was_replaced_is_set_right() -> None:
    for reply in (PLAIN, REPLIES["only calls"]):
        assert [
            item["type"] for item in events(streamed(reply, BODIES["little"], deltas=()))[-1]["response"]["output"]
        ][1:] == [item["type"] for item in Responses().whole(read(), answered(reply))["output"]]
    told = events(streamed(PLAIN, BODIES["little"], deltas=(Delta("It was"),)))
    assert next(event for event in told if event["type"] == "response.output_text.done")["text"] == "It is Paris."


def test_progress_ends_where_the_answer_begins() -> None:
    speaking = Responses().speaking(read())
    speaking.opening("0123abcd")
    assert speaking.progress("a answered")
    speaking.delta(Delta("It"))
    assert speaking.progress("agg answered") == b""


def test_an_event_of_the_run_is_an_event_of_moas() -> None:
    told = events(Responses().speaking(read()).aside({"kind": "step_started"}))
    assert told == [{"type": "moa.event", "sequence_number": 0, "event": {"kind": "step_started"}}]


def failed(error: Exception) -> list[dict[str, Any]]:
    speaking = Responses().speaking(read())
    return events(speaking.opening("0123abcd") + speaking.delta(Delta("It")) + speaking.failure(error))


def test_a_failed_run_says_why_and_keeps_what_was_said() -> None:
    response = failed(RateLimited("slow down"))[-1]["response"]
    assert (response["status"], response["error"]["code"]) == ("failed", "rate_limit_exceeded")
    assert response["moa"]["error"]["type"] == "rate_limit_error"
    assert (response["output"][0]["content"][0]["text"], response["output"][0]["status"]) == ("It", "incomplete")


def parsed(stream: bytes) -> list[Any]:
    """The events as OpenAI's SDK reads them."""
    openai = pytest.importorskip("openai")
    import httpx2

    def answer(_: Any) -> Any:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    with openai.OpenAI(api_key="x", base_url="http://moa/v1", http_client=http) as client:
        return list(client.responses.create(model="m", input="x", stream=True))


@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES)
def test_openais_sdk_reads_the_stream(reply: Reply) -> None:
    told = parsed(streamed(reply, BODIES["little"]))
    last = told[-1].response
    assert last.output_text == reply.text
    assert [item.arguments for item in last.output if item.type == "function_call"] == [
        call.arguments for call in reply.tool_calls
    ]
    assert "".join(event.delta for event in told if event.type == "response.output_text.delta") == reply.text
    assert last.usage.total_tokens == reply.usage.input + reply.usage.output


def test_openais_sdk_passes_over_events_of_moas() -> None:
    speaking = Responses().speaking(read())
    stream = speaking.opening("0123abcd") + speaking.aside({"kind": "note"}) + speaking.closing(answered(PLAIN))
    assert parsed(stream)[-1].response.output_text == "It is Paris."


def test_a_text_part_says_only_its_text() -> None:
    assert messages({"role": "user", "content": [{"type": "input_text", "text": "x"}]})[0].parts == (Text("x"),)
