"""Tools of Responses that no host knows: texts, namespaces, OpenAI's search. As Codex sends them with its every request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from conformance import EVENT_SCHEMAS, Check, check

from moa.core.events import Delta
from moa.core.types import Message, Reply, ToolCall, ToolResult, assistant, user
from moa.core.view import View
from moa.server.asked import Answered, Asked
from moa.server.refusals import Rejection
from moa.server.responses import Responses

GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/s"}
PATCH: dict[str, Any] = {"type": "custom", "name": "apply_patch", "description": "Edits files.", "format": GRAMMAR}
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": False}
AGENTS = {"type": "namespace", "name": "agents", "description": "Others.", "tools": [LOOK, {**PATCH, "name": "tell"}]}
SEARCH = {"type": "web_search", "external_web_access": False}
ALL = [LOOK, PATCH, AGENTS, SEARCH]
TEXT = '*** Begin Patch\n+ "quoted" \\ é\n*** End Patch'
CALLS = Reply(
    "",
    finish="tool_calls",
    tool_calls=(
        ToolCall("c1", "look", "{}"),
        ToolCall("c2", "apply_patch", json.dumps({"input": TEXT})),
        ToolCall("c3", "agents__look", '{"at":1}'),
        ToolCall("c4", "agents__tell", json.dumps({"input": "hello"})),
    ),
)


def read(**body: Any) -> Asked:
    return Responses().read({"model": "moa/review", "input": "Mend it.", "tools": ALL, **body})


def answered(reply: Reply) -> Answered:
    return Answered(reply, View("0123abcd", "review", "done", started=1767225600.25, ended=1767225602.5))


def events(reply: Reply, *, deltas: list[Delta], **body: Any) -> list[dict[str, Any]]:
    speaking = Responses().speaking(read(**body))
    stream = speaking.opening("0123abcd") + b"".join(map(speaking.delta, deltas)) + speaking.closing(answered(reply))
    return [json.loads(one.split("\n")[1].removeprefix("data: ")) for one in stream.decode().strip().split("\n\n")]


@pytest.fixture(scope="module")
def checked() -> Check:
    return check()


def test_hosts_are_asked_for_functions_alone() -> None:
    look, patch, far_look, tell = read().form.tools
    assert (look.name, look.strict) == ("look", False)
    assert (patch.name, patch.strict) == ("apply_patch", None)
    assert "Edits files." in patch.description
    assert "start: /.+/s" in patch.description
    assert json.loads(patch.parameters)["required"] == ["input"]
    assert (far_look.name, far_look.parameters) == ("agents__look", look.parameters)
    assert (tell.name, tell.parameters) == ("agents__tell", patch.parameters)


def test_openais_search_is_left_out_and_named() -> None:
    asked = read(client_metadata={"session": "x"})
    assert asked.echo["moa"]["ignored"] == ["client_metadata", "tools[3]"]
    assert [tool["type"] for tool in asked.echo["tools"]] == ["function", "custom", "namespace"]
    assert read(tools=[SEARCH]).form.tools == ()
    with pytest.raises(Rejection, match="none is served here"):
        read(tools=[SEARCH], tool_choice="required")


def test_a_call_is_given_back_as_its_tool_was_offered(checked: Check) -> None:
    told = Responses().whole(read(), answered(CALLS))
    checked("Response", told)
    assert [item["type"] for item in told["output"]] == ["function_call", "custom_tool_call"] * 2
    assert [(item.get("namespace"), item["name"]) for item in told["output"]] == [
        (None, "look"), (None, "apply_patch"), ("agents", "look"), ("agents", "tell"),
    ]  # fmt: skip
    assert told["output"][1]["input"] == TEXT
    assert told["output"][2]["arguments"] == '{"at":1}'


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_text_streams_whole_though_its_json_came_in_pieces(size: int, checked: Check) -> None:
    deltas = []
    for index, call in enumerate(CALLS.tool_calls):
        pieces = [call.arguments[at : at + size] for at in range(0, len(call.arguments), size)]
        deltas += [Delta("", "tool", index=index, id=call.id, name=call.name)]
        deltas += [Delta(piece, "tool", index=index) for piece in pieces]
    told = events(CALLS, deltas=deltas, stream=True)
    for event in told:
        checked(EVENT_SCHEMAS[event["type"]], event)
    texts = [event for event in told if event["type"].startswith("response.custom_tool_call_input")]
    assert [event.get("delta", event.get("input")) for event in texts] == [TEXT, TEXT, "hello", "hello"]
    done = [event["item"] for event in told if event["type"] == "response.output_item.done"]
    assert done == told[-1]["response"]["output"] == Responses().whole(read(), answered(CALLS))["output"]


def test_arguments_that_hold_no_text_are_the_text() -> None:
    for arguments in ("*** Begin Patch", '{"patch": "x"}', "[]", '{"input": 4}'):
        reply = Reply("", finish="tool_calls", tool_calls=(ToolCall("c", "apply_patch", arguments),))
        assert Responses().whole(read(), answered(reply))["output"][0]["input"] == arguments


def test_what_was_called_comes_back_as_hosts_had_it() -> None:
    assert read(
        input=[
            {"role": "user", "content": "Mend it."},
            {"type": "custom_tool_call", "call_id": "c2", "name": "apply_patch", "input": TEXT},
            {"type": "custom_tool_call", "call_id": "c4", "name": "tell", "namespace": "agents", "input": "hello"},
            {"type": "function_call", "call_id": "c3", "name": "look", "namespace": "agents", "arguments": "{}"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": "done"},
            {"type": "custom_tool_call_output", "call_id": "c4", "output": [{"type": "input_text", "text": "hi"}]},
            {"type": "function_call_output", "call_id": "c3", "output": "seen"},
        ]
    ).conversation == (
        user("Mend it."),
        assistant(
            ToolCall("c2", "apply_patch", as_arguments(TEXT)),
            ToolCall("c4", "agents__tell", as_arguments("hello")),
            ToolCall("c3", "agents__look", "{}"),
        ),
        Message("tool", (ToolResult("c2", "done"),)),
        Message("tool", (ToolResult("c4", "hi"),)),
        Message("tool", (ToolResult("c3", "seen"),)),
    )


def as_arguments(text: str) -> str:
    return json.dumps({"input": text}, ensure_ascii=False, separators=(",", ":"))


def test_which_of_them_may_be_called() -> None:
    def chosen(choice: Any) -> tuple[str, list[str]]:
        form = read(tool_choice=choice).form
        return form.tool_choice, [tool.name for tool in form.tools]

    assert chosen({"type": "custom", "name": "apply_patch"})[0] == "apply_patch"
    assert chosen({"type": "function", "name": "look", "namespace": "agents"})[0] == "agents__look"
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "apply_patch"}]}
    assert chosen(allowed) == ("auto", ["apply_patch"])


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([{"type": "custom"}], "tools[0].name"),
        ([LOOK, {**AGENTS, "tools": [LOOK, {"type": "function"}]}], "tools[1].tools[1].name"),
        ([{**AGENTS, "tools": [AGENTS]}], "tools[0].tools[0].type"),
        ([{**AGENTS, "tools": [SEARCH]}], "tools[0].tools[0].type"),
        ([{**AGENTS, "tools": [{**LOOK, "parameters": {"$ref": "http://x/y"}}]}], "tools[0].tools[0].parameters"),
        ([AGENTS, {**LOOK, "name": "agents__look"}], "tools"),
        ([PATCH, {**LOOK, "name": "apply_patch"}], "tools"),
        ([{**AGENTS, "tools": [{**LOOK, "name": f"f{n}"} for n in range(129)]}], "tools"),
        ([{"type": "file_search", "vector_store_ids": ["v"]}], "tools[0].type"),
    ],
)
def test_what_is_wrong_with_them_is_named(tools: list[Any], param: str) -> None:
    with pytest.raises(Rejection) as caught:
        read(tools=tools)
    assert caught.value.param == param


def test_a_tool_offered_twice_in_the_same_words_is_no_contradiction() -> None:
    assert len(read(tools=[LOOK, LOOK]).form.tools) == 2
