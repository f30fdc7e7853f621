"""What a model may call: the tools it was offered, as far as the request's choice leaves them, streamed or not."""

from __future__ import annotations

import pytest

from moa.core.events import Delta, Fact
from moa.core.form import Form
from moa.core.offered import offered, only_offered
from moa.core.types import Call, Reply, Tool, ToolCall, user

TOOLS = tuple(Tool(name, "", "{}") for name in ("see", "hear"))


def call(**form: object) -> Call:
    return Call("fake:a", (user("hi"),), form=Form(tools=TOOLS, **form))  # type: ignore[arg-type]


def reply(*names: str) -> Reply:
    calls = tuple(ToolCall(f"c{n}", name, "{}") for n, name in enumerate(names))
    return Reply("so", finish="tool_calls" if calls else "stop", tool_calls=calls)


CASES = [
    ({}, ("see", "hear"), ("see", "hear"), ""),
    ({}, ("see", "smell"), ("see",), "not offered"),
    ({"tool_choice": "none"}, ("see",), (), "rules out"),
    ({"tool_choice": "see"}, ("see", "hear"), ("see",), "rules out"),
    ({"parallel_tools": False}, ("see", "hear"), ("see",), "the first is kept"),
    ({"parallel_tools": True}, ("see", "hear"), ("see", "hear"), ""),
    ({"tool_choice": "required"}, (), (), "no tool was called"),
    ({"tool_choice": "see"}, (), (), "no tool was called"),
    ({"tool_choice": "required"}, ("hear",), ("hear",), ""),
    ({"tool_choice": "auto"}, (), (), ""),
    ({"tool_choice": "none"}, (), (), ""),
]


@pytest.mark.parametrize(("form", "called", "kept", "words"), CASES)
def test_the_calls_of_a_reply_are_those_that_were_free(
    form: dict[str, object], called: tuple[str, ...], kept: tuple[str, ...], words: str
) -> None:
    left, said = offered(reply(*called), call(**form))
    assert tuple(one.name for one in left.tool_calls) == kept
    assert words in said
    assert bool(words) == bool(said)
    assert left.finish == ("tool_calls" if kept else "stop")


@pytest.mark.parametrize(("form", "called", "kept", "words"), CASES)
def test_a_stream_lets_through_the_same_calls(
    form: dict[str, object], called: tuple[str, ...], kept: tuple[str, ...], words: str
) -> None:
    heard: list[Fact] = []
    emit = only_offered(heard.append, call(**form))
    for index, name in enumerate(called):
        emit(Delta("", "tool", index=index, id=f"c{index}", name=name))
        emit(Delta("{}", "tool", index=index))
    emit(Delta("so"))
    tools = [fact for fact in heard if isinstance(fact, Delta) and fact.what == "tool"]
    assert tuple(fact.name for fact in tools if fact.name) == kept
    assert len(tools) == 2 * len(kept)
    assert isinstance(heard[-1], Delta)
    assert heard[-1].what == "text"
