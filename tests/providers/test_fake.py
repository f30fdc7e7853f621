"""The scripted provider, on a virtual clock."""

from __future__ import annotations

import asyncio

import pytest

from clock import run
from moa.core.errors import Cut, Overloaded
from moa.core.events import Delta
from moa.core.ports import Scope
from moa.core.types import Call, Request, ToolCall, Usage, user
from moa.providers.fake import Fake, Script


def asked(model: str, text: str = "What is the capital?") -> Request:
    call = Call(model, (user(text),))
    return Request(call, call.conversation)


def test_scripts_are_found_with_and_without_their_prefix():
    fake = Fake({"a": "Paris", "fake:b": "Rome"})
    for model, text in (("fake:a", "Paris"), ("a", "Paris"), ("fake:b", "Rome"), ("b", "Rome")):
        assert run(fake.send(asked(model), Scope())).text == text
    assert len(fake.asked) == 4


def test_what_has_no_script_echoes_the_last_user_turn():
    assert run(Fake().send(asked("x", "hello there"), Scope())).text == "hello there"


def test_delays_pass_on_the_loops_clock():
    async def main():
        clock = asyncio.get_running_loop().time
        await Fake({"a": Script("one two three", delay=60.0, interval=5.0)}).send(asked("a"), Scope())
        return clock()

    assert run(main()) == pytest.approx(70.0)


def test_a_failure_is_raised_fresh_each_time_and_names_its_provider():
    script = Overloaded("down")
    fake = Fake({"c": script})
    caught = []
    for _ in range(2):
        with pytest.raises(Overloaded, match="fake:c: down") as error:
            run(fake.send(asked("fake:c"), Scope()))
        caught.append(error.value)
    assert caught[0] is not caught[1]
    assert script.provider == ""


def test_words_are_streamed_where_deltas_are_wanted():
    facts = []
    reply = run(
        Fake({"a": Script("Paris  is it. ", reasoning="hm")}).send(
            asked("a"), Scope(facts.append, want_deltas=True, final=True)
        )
    )
    assert facts[0] == Delta("hm", "reasoning", final=True)
    assert [fact.text for fact in facts[1:]] == ["Paris", "  is", " it. "]
    assert reply.text == "Paris  is it. "
    assert reply.usage == Usage(input=4, output=3)


@pytest.mark.parametrize("want_deltas", [True, False])
def test_a_cut_comes_after_so_many_chunks(want_deltas):
    facts = []
    with pytest.raises(Cut) as error:
        run(Fake({"a": Script("one two three", cut=2)}).send(asked("a"), Scope(facts.append, want_deltas=want_deltas)))
    assert error.value.partial == "one two"
    assert len(facts) == (2 if want_deltas else 0)


def test_one_that_hangs_never_answers_but_can_be_stopped():
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await Fake({"a": Script(hang=True)}).send(asked("a"), Scope())

    run(main())


def test_a_list_is_played_one_entry_a_call_and_its_last_again():
    fake = Fake({"a": [Overloaded("busy"), "Paris"]})
    with pytest.raises(Overloaded):
        run(fake.send(asked("a"), Scope()))
    assert [run(fake.send(asked("a"), Scope())).text for _ in range(2)] == ["Paris", "Paris"]


def test_tool_calls_are_played():
    facts = []
    reply = run(
        Fake({"a": Script(tool_calls=(ToolCall("1", "f", "{}"),))}).send(
            asked("a"), Scope(facts.append, want_deltas=True)
        )
    )
    assert reply.finish == "tool_calls"
    assert facts == [Delta("{}", "tool", id="1", name="f")]
