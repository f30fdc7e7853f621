"""An answer under a schema is checked, repaired once, and else refused with the place that is wrong."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from moa import Agent, ConfigError, Mixture, play, user
from moa.config.schema import problem_of
from moa.core.errors import BadReply
from moa.core.events import Delta
from moa.core.flow import Played
from moa.core.types import Choice, Form, Reply, Tool, ToolCall
from moa.flows.schema import under_schema
from moa.flows.topology import topology
from moa.providers.fake import Fake, Script

CITY = '{"type":"object","properties":{"city":{"type":"string"},"size":{"type":"integer"}},"required":["city"]}'
GOOD, BAD = '{"city": "Paris"}', '{"city": "Paris", "size": "big"}'


def asked(*answers: str | Reply) -> Played[Reply]:
    flow = topology([[Agent("a"), Agent("b")]], Agent("agg"), "synthesise")
    return play(under_schema(flow, problem_of(CITY))((user("Which city?"),)), ["x", "y", *answers])


def test_an_answer_that_obeys_is_passed_on_in_two_steps() -> None:
    played = asked(GOOD)
    assert (played.answer.text, len(played.asked)) == (GOOD, 2)


def test_one_that_does_not_is_asked_for_once_more_and_told_what_is_wrong() -> None:
    played = asked(BAD, GOOD)
    (repair,) = played.asked[-1].calls
    assert played.answer.text == GOOD
    assert repair.agent == played.asked[-2].calls[0].agent == "agg"
    assert repair.references == ()
    assert [turn.role for turn in repair.conversation] == ["user", "assistant", "user"]
    assert "$.size" in repair.conversation[-1].text


def test_the_second_that_does_not_obey_is_an_error_that_names_the_place() -> None:
    with pytest.raises(BadReply, match=r"\$\.size.*integer"):
        asked(BAD, BAD)


def test_nothing_under_a_schema_is_streamed_before_it_is_known_to_obey() -> None:
    assert not any(ask.final for ask in asked(BAD, GOOD).asked)


@pytest.mark.parametrize(
    "reply",
    [
        Reply('{"city": "Pa', finish="length"),
        Reply("", tool_calls=(ToolCall("1", "look", "{}"),), finish="tool_calls"),
    ],
)
def test_what_was_cut_or_calls_tools_is_passed_on(reply: Reply) -> None:
    assert asked(reply).answer is reply


def test_every_one_of_several_answers_must_obey() -> None:
    assert len(asked(Reply(GOOD, others=(Choice(BAD),)), GOOD).asked) == 3


def test_json_mode_wants_an_object() -> None:
    problem = problem_of("{}")
    assert problem("{}") is None
    assert "object" in str(problem("[1]"))
    assert "no JSON" in str(problem('{"a": 1'))


def test_a_schema_that_allows_everything_is_not_checked() -> None:
    assert problem_of('{"foo":"bar"}')("It is Paris.") is None


@pytest.mark.parametrize(
    "schema",
    ['{"type":"nope"}', '{"$ref":"http://127.0.0.1:9/x"}', '{"pattern":"("}', '{"$ref":"#/$defs/none"}', "[1]"],
)
def test_a_schema_that_is_none_is_refused_before_any_call(schema: str) -> None:
    with pytest.raises(ConfigError, match="schema") as error:
        problem_of(schema)
    assert error.value.param == "response_format"


def test_no_pattern_takes_forever() -> None:
    problem = problem_of(r'{"type":"string","pattern":"^(?=a)(a+)+(?<!x)$"}')
    started = time.process_time()
    problem(f'"{"a" * 5000}!"')
    assert time.process_time() - started < 20  # seconds; without a limit it is not done in years


def test_a_schema_may_hold_itself() -> None:
    tree = '{"type":"object","properties":{"left":{"$ref":"#"},"value":{"type":"integer"}},"required":["value"]}'
    assert problem_of(tree)('{"value": 1, "left": {"value": 2}}') is None
    assert "$.left" in str(problem_of(tree)('{"value": 1, "left": {}}'))


def watched(script: Any, form: Form) -> tuple[list[Delta], Reply]:
    """What is streamed of a mixture's answer, and the answer."""

    async def go() -> tuple[list[Delta], Reply]:
        mixture = Mixture([["fake:a"]], "fake:agg", providers={"fake": Fake({"a": "x", "agg": script})})
        async with mixture.watch("Which city?", form=form) as events:
            said = [event.fact async for event in events if isinstance(event.fact, Delta)]
            return said, await events.reply()

    return asyncio.run(go())


def test_a_watcher_sees_only_the_repaired_answer() -> None:
    said, reply = watched([BAD, GOOD], Form(schema=CITY))
    assert [delta.text for delta in said] == [GOOD] == [reply.text]


def test_a_watcher_sees_tool_calls_under_a_schema_too() -> None:
    call = ToolCall("1", "look", '{"at": 1}')
    said, _ = watched(Script(tool_calls=(call,)), Form(schema=CITY, tools=(Tool("look"),)))
    assert [(delta.what, delta.id, delta.text) for delta in said] == [("tool", "1", '{"at": 1}')]
