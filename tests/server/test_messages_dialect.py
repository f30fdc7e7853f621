"""Anthropic's Messages: what a body asks, how an answer reads, and that the anthropic SDK makes sense of both."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from moa.core.errors import CallError
from moa.core.events import Delta
from moa.core.tokens import estimated_input
from moa.core.types import Image, Message, Reply, Text, Tool, ToolCall, ToolResult, Usage, assistant, system, user
from moa.core.view import View
from moa.server.asked import Answered, Asked, Options
from moa.server.messages import Messages, counted
from moa.server.refusals import Rejection

Json = dict[str, Any]
DIALECT = Messages()
ASKED = Asked("moa", (user("hi"),))
EPHEMERAL = {"type": "ephemeral", "ttl": "5m"}

SHARED: Json = {  # what anthropic 2.14's own tests send to count_tokens
    "messages": [{"content": "Hello, world", "role": "user"}],
    "model": "claude-opus-5-5",
    "cache_control": EPHEMERAL,
    "output_config": {"effort": "low", "format": {"schema": {"foo": "bar"}, "type": "json_schema"}},
    "speed": "standard",
    "system": [
        {
            "text": "Today's date is 2024-06-01.",
            "type": "text",
            "cache_control": EPHEMERAL,
            "citations": [{"cited_text": "Grass is green.", "document_index": 0, "type": "char_location"}],
        }
    ],
    "thinking": {"type": "adaptive", "display": "summarized"},
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "tools": [
        {
            "input_schema": {"type": "object", "properties": {"location": "bar"}, "required": ["location"]},
            "name": "name",
            "allowed_callers": ["direct"],
            "cache_control": EPHEMERAL,
            "defer_loading": True,
            "description": "Get the current weather in a given location",
            "eager_input_streaming": True,
            "input_examples": [{"foo": "bar"}],
            "strict": True,
            "type": "custom",
        }
    ],
    "user_profile_id": "anthropic-user-profile-id",
    "workspace_id": "wrkspc_011CZkZaBF1tNoB5wlCeusgy",
}
EVERYTHING: Json = SHARED | {  # and to create
    "max_tokens": 1024,
    "container": {"id": "id", "skills": [{"skill_id": "pdf", "type": "anthropic", "version": "latest"}]},
    "diagnostics": {"previous_message_id": "previous_message_id"},
    "inference_geo": "inference_geo",
    "metadata": {"user_id": "13803d75-b4b5-4c3e-b2a2-6f21399b021b"},
    "service_tier": "auto",
    "stop_sequences": ["string"],
    "stream": False,
}


def body(*content: Any, **more: Any) -> Json:
    said = content[0] if len(content) == 1 and isinstance(content[0], str) else list(content) or "hi"
    return {"model": "moa", "max_tokens": 10, "messages": [{"role": "user", "content": said}]} | more


def text(said: str) -> Json:
    return {"type": "text", "text": said}


def test_a_plain_question() -> None:
    assert DIALECT.read(body("hi")).conversation == (user("hi"),)
    asked = DIALECT.read(body("hi", stream=True, system="Be brief.", max_tokens=0, moa={"layers": 1}))
    assert asked.stream
    assert asked.model == "moa"
    assert asked.options == Options(layers=1)
    assert asked.conversation == (system("Be brief."), user("hi"))
    assert asked.sampling.max_tokens is None


def test_every_parameter_of_the_sdk_is_accepted() -> None:
    asked = DIALECT.read(EVERYTHING)
    assert asked.conversation == (system("Today's date is 2024-06-01."), user("Hello, world"))
    assert asked.form.tools == (
        Tool(
            "name",
            "Get the current weather in a given location",
            '{"type":"object","properties":{"location":"bar"},"required":["location"]}',
            True,
        ),
    )
    assert asked.form.tool_choice == "auto"
    assert asked.form.parallel_tools is False
    assert asked.form.schema == '{"foo":"bar"}'
    assert asked.sampling.stop == ("string",)
    assert asked.sampling.reasoning_effort == "low"
    assert asked.sampling.max_tokens == 1024


def test_sampling() -> None:
    sampling = DIALECT.read(body(temperature=0.5, top_p=1, top_k=40)).sampling
    assert (sampling.temperature, sampling.top_p) == (0.5, 1.0)
    thinking = {"type": "enabled", "budget_tokens": 2048}
    assert DIALECT.read(body(thinking=thinking)).sampling.reasoning_effort == "high"
    asked = DIALECT.read(body(thinking=thinking, output_config={"effort": "max"}))
    assert asked.sampling.reasoning_effort == "max"
    assert DIALECT.read(body(thinking={"type": "disabled"})).sampling.reasoning_effort is None
    older = {"type": "json_schema", "schema": {"type": "object"}}
    assert DIALECT.read(body(output_format=older)).form.schema == '{"type":"object"}'


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        (None, ""),
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "look"}, "look"),
    ],
)
def test_tool_choice(choice: Json | None, read: str) -> None:
    tools = [{"name": "look", "input_schema": {"type": "object"}}]
    form = DIALECT.read(body(tools=tools, tool_choice=choice)).form
    assert form.tool_choice == read
    assert form.parallel_tools is None


def test_blocks_become_messages() -> None:
    turns = [
        {"role": "user", "content": [text("look"), image("base64", media_type="image/png", data="AAAA")]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "x"},
                {"type": "redacted_thinking", "data": "x"},
                text("one moment"),
                {"type": "tool_use", "id": "a", "name": "look", "input": {"n": 1}, "cache_control": EPHEMERAL},
                {"type": "tool_use", "id": "b", "name": "look", "input": {}},
                {"type": "tool_use", "id": "c", "name": "look", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "42"},
                {
                    "type": "tool_result",
                    "tool_use_id": "b",
                    "content": [text("no"), image("url", url="https://x/y")],
                    "is_error": True,
                },
                {"type": "tool_result", "tool_use_id": "c"},
                text("and?"),
                image("url", url="https://x/y.png"),
            ],
        },
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "x"}]},
        {"role": "system", "content": "now in French"},
    ]
    asked = DIALECT.read(body(messages=turns, system=[text("One."), text("Two.")]))
    assert asked.conversation == (
        system("One.\n\nTwo."),
        user("look", Image("data:image/png;base64,AAAA")),
        assistant(
            "one moment", ToolCall("a", "look", '{"n":1}'), ToolCall("b", "look", "{}"), ToolCall("c", "look", "{}")
        ),
        Message("tool", (ToolResult("a", "42"),)),
        Message("tool", (ToolResult("b", "Error: no\n(an image, shown below)"),)),
        Message("tool", (ToolResult("c", ""),)),
        user("An image in the result of tool call b:", Image("https://x/y"), "and?", Image("https://x/y.png")),
        Message("system", (Text("now in French"),)),
    )


def image(kind: str, **source: str) -> Json:
    return {"type": "image", "source": {"type": kind, **source}}


def result(*content: Json) -> Json:
    return {"type": "tool_result", "tool_use_id": "a", "content": list(content)}


TOOL = {"name": "look", "input_schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"model": "moa", "messages": [{"role": "user", "content": "hi"}]}, "max_tokens"),
        ({"max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}, "model"),
        ({"max_tokens": 1, "model": "moa"}, "messages"),
        (body(max_tokens=-1), "max_tokens"),
        (body(model=""), "model"),
        (body(messages=[]), "messages"),
        (body(messages="hi"), "messages"),
        (body(messages=["hi"]), "messages[0]"),
        (body(messages=[{"role": "assistant", "content": "hi"}]), "messages"),
        (body(messages=[{"role": "tool", "content": "hi"}]), "messages[0].role"),
        (body(messages=[{"role": "user"}]), "messages[0].content"),
        (body(" \n"), "messages"),
        (body({"text": "hi"}), "messages[0].content[0].type"),
        (body({"type": "text"}), "messages[0].content[0].text"),
        (body(text("a"), {"type": "document", "source": {}}), "messages[0].content[1].type"),
        (body({"type": "search_result"}), "messages[0].content[0].type"),
        (body({"type": "server_tool_use", "id": "a"}), "messages[0].content[0].type"),
        (body(text("a"), {"type": "thinking", "thinking": ""}), "messages[0].content[1].type"),
        (body(result({"type": "document"})), "messages[0].content[0].content[0].type"),
        (body(image("file", file_id="f")), "messages[0].content[0].source.type"),
        (body(image("url", url="http://x/y")), "messages[0].content[0].source.url"),
        (
            body(image("base64", media_type="image/svg+xml", data="AA")),
            "messages[0].content[0].source.media_type",
        ),
        (body(system=[{"type": "image"}]), "system[0].type"),
        (body(tools=[{"type": "web_search_20250305", "name": "web_search"}]), "tools[0].type"),
        (body(tools=[{"name": "a b", "input_schema": {}}]), "tools[0].name"),
        (body(tools=[{"name": "a"}]), "tools[0].input_schema"),
        (body(tools=[TOOL | {"input_schema": {"$ref": "http://x"}}]), "tools[0].input_schema"),
        (body(tools=[TOOL], tool_choice={"type": "tool", "name": "b"}), "tool_choice.name"),
        (body(tools=[TOOL], tool_choice={"type": "required"}), "tool_choice.type"),
        (body(temperature=1.5), "temperature"),
        (body(top_p=-0.1), "top_p"),
        (body(stop_sequences=[""]), "stop_sequences[0]"),
        (body(thinking={"type": "on"}), "thinking.type"),
        (body(output_config={"effort": "huge"}), "output_config.effort"),
        (
            body(output_config={"format": {"type": "json_schema", "schema": {"$ref": "file:x"}}}),
            "output_config.format.schema",
        ),
        (body(mcp_servers=[{"name": "x"}]), "mcp_servers"),
        (body(n=2), "n"),
        (body(moa={"layer": 1}), "moa.layer"),
    ],
)
def test_what_is_wrong_is_named(wrong: Json, param: str) -> None:
    with pytest.raises(Rejection) as caught:
        DIALECT.read(wrong)
    assert caught.value.param == param
    assert caught.value.status == 400
    told = DIALECT.refusal(caught.value)
    assert told["type"] == "error"
    assert told["error"]["type"] == "invalid_request_error"
    assert told["error"]["param"] == param


def test_a_body_that_is_no_object() -> None:
    with pytest.raises(Rejection, match="JSON object"):
        DIALECT.read([])


@pytest.mark.parametrize(("kind", "code"), [("create", "thread_unsupported_request"), ("continue", "thread_not_found")])
def test_a_thread_is_refused_so_that_the_sdk_sends_the_whole_conversation(kind: str, code: str) -> None:
    with pytest.raises(Rejection, match="Threads are not kept") as caught:
        DIALECT.read(body(text("hi"), thread={"type": kind}))
    assert (caught.value.status, caught.value.param) == (400, "thread")
    assert DIALECT.refusal(caught.value)["error"]["details"] == {"error_code": code}


def test_counting() -> None:
    plain = {"model": "moa", "messages": [{"role": "user", "content": "hi"}]}
    assert counted(plain) == {"input_tokens": estimated_input((user("hi"),))}
    assert counted(SHARED)["input_tokens"] > counted(SHARED | {"tools": []})["input_tokens"]
    assert counted(SHARED)["input_tokens"] > counted(SHARED | {"system": ""})["input_tokens"]
    with pytest.raises(Rejection) as caught:
        counted(plain | {"max_tokens": 5})
    assert caught.value.param == "max_tokens"


FULL = Reply(
    "It is 42.",
    reasoning="Let me see.",
    finish="tool_calls",
    tool_calls=(ToolCall("a", "look", '{"n": 1}'), ToolCall("b", "look", "")),
    usage=Usage(100, 20, cached=60, reasoning=5, written=30),
)


def answered(reply: Reply = FULL) -> Answered:
    return Answered(reply, View("f00d", "mix", "done", started=1.0, ended=2.0))


def test_an_answer_whole() -> None:
    told = DIALECT.whole(ASKED, answered())
    assert told.pop("moa")["run"] == "f00d"
    assert told == {
        "id": "msg_f00d",
        "type": "message",
        "role": "assistant",
        "model": "moa",
        "content": [
            {"type": "thinking", "thinking": "Let me see.", "signature": ""},
            {"type": "text", "text": "It is 42."},
            {"type": "tool_use", "id": "a", "name": "look", "input": {"n": 1}},
            {"type": "tool_use", "id": "b", "name": "look", "input": {}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 30,
            "cache_read_input_tokens": 60,
            "output_tokens": 20,
        },
    }


CUT = (ToolCall("a", "look", '{"n":'),)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply("x"), "end_turn"),
        (Reply("x", finish="error"), "end_turn"),
        (Reply("x", finish="tool_calls"), "end_turn"),
        (Reply("x", finish="length"), "max_tokens"),
        (Reply("x", finish="content_filter"), "refusal"),
        (Reply("", finish="length", tool_calls=CUT), "max_tokens"),
        (Reply("", finish="stop", tool_calls=CUT), "tool_use"),
    ],
)
def test_stop_reasons(reply: Reply, reason: str) -> None:
    told = DIALECT.whole(ASKED, answered(reply))
    assert told["stop_reason"] == reason
    assert all(block["input"] == {"arguments": '{"n":'} for block in told["content"] if block["type"] == "tool_use")


def events(stream: bytes) -> list[Json]:
    """The events of a stream, each with its name checked."""
    told = []
    for one in stream.decode().split("\n\n")[:-1]:
        name, data = one.split("\n")
        told.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {told[-1]['type']}"
    return told


def brief(stream: bytes) -> list[str]:
    """A stream in short: `+` a block begins, `-` it ends, and what its pieces say."""
    short = []
    for event in events(stream):
        match event:
            case {"type": "content_block_start", "index": index, "content_block": block}:
                short.append(f"+{index} {block['type']} {block.get('id', '')}{block.get('name', '')}".strip())
            case {"type": "content_block_delta", "index": index, "delta": delta}:
                short.append(f"{index} {next(value for key, value in delta.items() if key != 'type')}")
            case {"type": "content_block_stop", "index": index}:
                short.append(f"-{index}")
            case {"type": kind}:
                short.append(kind)
    return short


def spoken(*deltas: Delta, reply: Reply = FULL) -> bytes:
    speaking = DIALECT.speaking(ASKED)
    said = [speaking.opening("f00d"), *map(speaking.delta, deltas), speaking.closing(answered(reply))]
    return b"".join(said)


def tool(said: str, index: int = 0, id: str = "", name: str = "") -> Delta:  # noqa: A002
    return Delta(said, "tool", 1, True, index, id, name)


ALL_DELTAS = (
    Delta("Let me ", "reasoning"),
    Delta("see.", "reasoning"),
    Delta("It is "),
    Delta("42."),
    tool("", 0, "a", "look"),
    tool('{"n":'),
    tool(" 1}"),
    tool("", 1, "b", "look"),
)


def test_an_answer_streamed() -> None:
    stream = spoken(*ALL_DELTAS)
    assert brief(stream) == [
        "message_start",
        "ping",
        "+0 thinking",
        "0 Let me ",
        "0 see.",
        "-0",
        "+1 text",
        "1 It is ",
        "1 42.",
        "-1",
        "+2 tool_use alook",
        '2 {"n":',
        "2  1}",
        "-2",
        "+3 tool_use blook",
        "-3",
        "message_delta",
        "message_stop",
    ]
    first, *_, last, _ = events(stream)
    assert first["message"]["id"] == "msg_f00d"
    assert first["message"]["content"] == []
    assert first["message"]["usage"]["input_tokens"] == estimated_input(ASKED.conversation)
    assert last["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    assert last["usage"] == DIALECT.whole(ASKED, answered())["usage"]
    assert last["moa"]["run"] == "f00d"


def test_calls_in_turns_are_told_one_after_another() -> None:
    turns = (tool("1", 0, "a", "x"), tool("3", 1, "b", "y"), tool("2", 0), tool("4", 1), Delta("so"), Delta("!"))
    assert brief(spoken(*turns, reply=Reply("so!", tool_calls=FULL.tool_calls)))[2:-2] == [
        "+0 tool_use ax",
        "0 1",
        "0 2",
        "-0",
        "+1 tool_use by",
        "1 34",
        "-1",
        "+2 text",
        "2 so!",
        "-2",
    ]


def test_a_name_that_comes_late_and_an_id_that_never_comes() -> None:
    told = brief(spoken(tool("{"), tool("}", name="look"), reply=Reply("", tool_calls=FULL.tool_calls[:1])))
    assert told[2:-2] == ["+0 tool_use call_0look", "0 {}", "-0"]


def test_calls_that_were_not_streamed_are_told_at_the_end() -> None:
    assert brief(spoken(Delta("It is 42.")))[2:-2] == [
        "+0 text",
        "0 It is 42.",
        "-0",
        "+1 tool_use alook",
        '1 {"n": 1}',
        "-1",
        "+2 tool_use blook",
        "-2",
    ]


def test_progress_is_thinking_until_the_answer_begins() -> None:
    speaking = DIALECT.speaking(ASKED)
    said = [speaking.opening("f00d"), speaking.progress("layer 1: 2 calls"), speaking.delta(Delta("hm", "reasoning"))]
    said += [speaking.progress("a answered"), speaking.delta(Delta("hi")), speaking.progress("b answered")]
    stream = b"".join((*said, speaking.closing(answered(Reply("hi")))))
    assert brief(stream)[2:-2] == [
        "+0 thinking",
        "0 layer 1: 2 calls\n",
        "0 hm",
        "0 a answered\n",
        "-0",
        "+1 text",
        "1 hi",
        "-1",
    ]


def test_asides_and_failures() -> None:
    speaking = DIALECT.speaking(ASKED)
    speaking.opening("f00d")
    assert events(speaking.aside({"kind": "step_started"})) == [{"type": "moa", "event": {"kind": "step_started"}}]
    (failed,) = events(speaking.failure(CallError("too few")))
    assert failed["error"]["type"] == "api_error"
    assert failed["error"]["message"] == "too few"


@contextmanager
def serving(handle: Callable[[Json], tuple[str, bytes]]) -> Iterator[Any]:
    """The SDK's client, before a server that answers each body with a content type and bytes."""
    anthropic = pytest.importorskip("anthropic")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kind, sent = handle(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with anthropic.Anthropic(
                api_key="k", base_url=f"http://127.0.0.1:{server.server_port}", max_retries=0
            ) as client:
                yield client
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_sdk_asks_and_reads_answers() -> None:
    def handle(sent: Json) -> tuple[str, bytes]:
        told = DIALECT.whole(DIALECT.read(sent), answered()) if "max_tokens" in sent else counted(sent)
        return "application/json", json.dumps(told).encode()

    with serving(handle) as client:
        asking = {key: EVERYTHING[key] for key in ("model", "max_tokens", "messages")}
        message = client.messages.create(**asking, extra_body=EVERYTHING)
        assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
        assert message.stop_reason == "tool_use"
        again = [*EVERYTHING["messages"], {"role": "assistant", "content": message.content}]
        assert client.messages.create(**asking | {"messages": again}).usage.output_tokens == 20
        counting = {key: SHARED[key] for key in ("model", "messages")}
        assert client.messages.count_tokens(**counting, extra_body=SHARED).input_tokens > 20


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_sdk_reads_streams_and_skips_events_it_does_not_know() -> None:
    def handle(sent: Json) -> tuple[str, bytes]:
        speaking = DIALECT.speaking(DIALECT.read(sent))
        said = [speaking.opening("f00d"), speaking.aside({"kind": "step_started"}), b": moa is working\n\n"]
        for delta in ALL_DELTAS:
            said += [speaking.delta(delta), speaking.aside({"kind": "call_started", "type": "text", "index": 7})]
        return "text/event-stream", b"".join((*said, speaking.closing(answered()), speaking.aside({})))

    with serving(handle) as client:
        asking = {"model": "moa", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        with client.messages.stream(**asking) as stream:
            assert "".join(stream.text_stream) == "It is 42."
            message = stream.get_final_message()
        with client.messages.create(**asking, stream=True) as raw:
            kinds = [event.type for event in raw]
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert message.content[0].thinking == "Let me see."
    assert [block.input for block in message.content[2:]] == [{"n": 1}, {}]
    assert message.stop_reason == "tool_use"
    assert message.usage.input_tokens == 10
    assert message.usage.cache_read_input_tokens == 60
    assert kinds[-2:] in (["message_stop", "moa"], ["message_delta", "message_stop"])  # as the SDK's version has it


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_sdk_raises_what_ends_a_stream() -> None:
    anthropic = pytest.importorskip("anthropic")

    def handle(sent: Json) -> tuple[str, bytes]:
        speaking = DIALECT.speaking(DIALECT.read(sent))
        said = speaking.opening("f00d") + speaking.delta(Delta("It"))
        return "text/event-stream", said + speaking.failure(CallError("too few"))

    asking = {"model": "moa", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    with (
        serving(handle) as client,
        pytest.raises(anthropic.APIStatusError, match="too few"),
        client.messages.stream(**asking) as stream,
    ):
        stream.until_done()


def test_what_is_taken_and_not_used_is_named() -> None:
    sent = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    asked = DIALECT.read(
        sent
        | {"top_k": 3, "metadata": {"user_id": "u"}, "service_tier": "auto", "cache_control": {"type": "ephemeral"}}
    )
    assert DIALECT.whole(asked, answered())["moa"]["ignored"] == ["top_k", "metadata", "service_tier"]
    assert "ignored" not in DIALECT.whole(DIALECT.read(sent), answered())["moa"]
