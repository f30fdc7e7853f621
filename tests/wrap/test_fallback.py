"""Who answers where the model asked has no answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from clock import run
from faults.rigged import ask
from moa import Agent
from moa.core.errors import AuthFailed, BudgetExceeded, Cut, Overloaded, ProviderError, TimedOut
from moa.core.events import Delta, Noted
from moa.core.ports import Scope
from moa.core.profile import Profile
from moa.core.prompts import render
from moa.core.tokens import estimated_input
from moa.core.types import PLAIN, Call, Form, Reply, Request, Tool, ToolCall, user
from moa.providers.fake import Fake, Script
from moa.wrap.continued import Continued
from moa.wrap.fallback import Fallback
from moa.wrap.timeout import Timeout


def sent(
    scripts: dict[str, Any], *fallbacks: str, form: Form = PLAIN, **scope: Any
) -> tuple[Any, list[Any], list[str]]:
    """What came of a call of fake:a, what was emitted, and which models were asked."""
    facts: list[Any] = []
    fake = Fake(scripts)
    call = Call("fake:a", (user("hi"),), fallbacks=fallbacks, form=form)

    async def main() -> Any:
        try:
            return await Fallback(Timeout(fake, 120.0)).send(
                Request(call, call.conversation), Scope(facts.append, **scope)
            )
        except ProviderError as error:
            return error

    return run(main()), facts, [request.call.model for request in fake.asked]


def test_the_next_model_answers_and_the_reply_says_so() -> None:
    reply, facts, asked = sent({"a": AuthFailed("no key"), "b": Overloaded("down"), "c": "Paris"}, "fake:b", "fake:c")
    assert (reply.text, asked) == ("Paris", ["fake:a", "fake:b", "fake:c"])
    assert reply.notes == ("fallback: fake:c answered for fake:a (AuthFailed)",)
    assert [fact.reason for fact in facts if isinstance(fact, Noted)] == ["fallback", "fallback"]


def test_nothing_is_said_where_the_model_itself_answers() -> None:
    reply, facts, asked = sent({"a": "Paris", "b": "Rome"}, "fake:b")
    assert (reply.text, reply.notes, facts, asked) == ("Paris", (), [], ["fake:a"])


def test_where_all_fail_the_first_failure_is_told() -> None:
    """And those of the others are noted."""
    for last, said in ((Overloaded("down"), "Overloaded: fake:b: down"), ("", "BadReply: fake:b: an empty answer")):
        error, facts, asked = sent({"a": AuthFailed("no key"), "b": last}, "fake:b")
        assert (error.kind, asked) == ("AuthFailed", ["fake:a", "fake:b"])
        notes = [fact.detail for fact in facts if isinstance(fact, Noted)]
        assert notes[1].startswith(f"fake:b has no answer either ({said}")


def test_each_but_the_last_gets_its_share_of_the_time() -> None:
    reply, _, _ = sent({"a": Script(hang=True), "b": Script("Paris", delay=4.0)}, "fake:b", deadline=10.0)
    assert reply.text == "Paris"
    error, _, _ = sent({"a": Script(hang=True), "b": Script(hang=True)}, "fake:b", deadline=10.0)
    assert isinstance(error, TimedOut)


def test_once_text_was_passed_on_nobody_else_is_asked() -> None:
    error, facts, asked = sent({"a": Script("Par is", cut=1), "b": "Rome"}, "fake:b", want_deltas=True)
    assert isinstance(error, Cut)
    assert asked == ["fake:a"]
    assert [fact.text for fact in facts if isinstance(fact, Delta)] == ["Par"]


@pytest.mark.parametrize("thinks", [Script("", reasoning="Hm."), Script("Par is", reasoning="Hm.", cut=0)])
def test_what_a_model_thinks_is_no_answer_so_the_next_one_is_asked_and_that_is_said(thinks: Script) -> None:
    reply, facts, asked = sent({"a": thinks, "b": "Rome"}, "fake:b", want_deltas=True)
    assert (reply.text, asked) == ("Rome", ["fake:a", "fake:b"])
    assert reply.notes[0].startswith("fallback: fake:b answered for fake:a (")
    assert [(fact.what, fact.text) for fact in facts if isinstance(fact, Delta)] == [
        ("reasoning", "Hm."),
        ("text", "Rome"),
    ]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_call_of_a_tool_that_was_not_offered_is_no_answer(streamed: bool) -> None:
    strange = Script("", tool_calls=(ToolCall("c1", "launch", "{}"),))
    reply, facts, asked = sent({"a": strange, "b": "Rome"}, "fake:b", want_deltas=streamed)
    assert (reply.text, asked) == ("Rome", ["fake:a", "fake:b"])
    assert [fact.text for fact in facts if isinstance(fact, Delta)] == ["Rome"] * streamed
    told = [fact for fact in facts if isinstance(fact, Noted)]
    assert [fact.reason for fact in told] == ["tool", "fallback"]
    assert "an empty answer came back (a tool was called that was not offered" in told[1].detail


def test_a_call_of_a_tool_that_is_cut_off_is_no_answer() -> None:
    form = Form(tools=(Tool("find", "{}"),))
    for arguments, taken in (
        ('{"a": ', False),
        ('{"a": "b', False),
        ("", True),
        ('{"a": 1}', True),
        ("{'a': 1}", True),
    ):
        cut = Script("", tool_calls=(ToolCall("c1", "find", arguments),))
        _, facts, asked = sent({"a": cut, "b": "Rome"}, "fake:b", form=form)
        assert asked == ["fake:a"] if taken else ["fake:a", "fake:b"]
        if not taken:
            assert "the arguments of the call of find are cut off" in next(
                one.detail for one in facts if isinstance(one, Noted)
            )


def test_only_who_has_another_behind_it_may_be_left_early() -> None:
    spares: list[bool] = []

    class Looks:
        async def send(self, request: Request, scope: Scope) -> Any:
            spares.append(scope.spare)
            raise Overloaded("down")

    call = Call("fake:a", (user("hi"),), fallbacks=("fake:b",))
    with pytest.raises(Overloaded):
        asyncio.run(Fallback(Looks()).send(Request(call, call.conversation), Scope()))
    assert spares == [True, False]


def test_no_money_for_the_next_model_fails_the_call_and_not_the_run() -> None:
    class Poor:
        async def send(self, request: Request, scope: Scope) -> Reply:
            raise Overloaded("down") if request.call.model == "fake:a" else BudgetExceeded("no money")

    call = Call("fake:a", (user("hi"),), fallbacks=("fake:b",))
    with pytest.raises(Overloaded):
        run(Fallback(Poor()).send(Request(call, call.conversation), Scope()))
    broke = Call("fake:b", (user("hi"),), fallbacks=("fake:a",))
    with pytest.raises(BudgetExceeded):  # its own model cannot be paid: nothing was sent at all
        run(Fallback(Poor()).send(Request(broke, broke.conversation), Scope()))


def test_no_money_to_go_on_with_a_cut_answer_fails_the_call_and_not_the_run() -> None:
    class Poor:
        async def send(self, request: Request, scope: Scope) -> Reply:
            if scope.attempt > 1:
                raise BudgetExceeded("no money")
            scope.emit(Delta("the first", final=True))
            raise Cut("cut", partial="the first")

    call = Call("fake:a", (user("hi"),))
    going_on = Continued(Poor(), lambda model: Profile(prefill=True))
    with pytest.raises(Cut):
        run(going_on.send(Request(call, call.conversation), Scope(want_deltas=True, final=True)))


def test_a_model_that_has_more_room_is_shown_what_was_cut_for_the_one_before_it() -> None:
    long = {"p": "one " * 2600, "q": "two " * 2600, "agg": Overloaded("down"), "two": "Paris"}
    asked, rigged = ask(long, ["pq"], Agent("h:agg", fallback=["h:two"]), profiles={"h:agg": {"context": 2048}})
    assert asked.answer == "Paris"
    shown = {request.call.model: estimated_input(request.messages) for request in rigged.fake.asked}
    assert shown["h:agg"] < 2048 < 5000 < shown["h:two"]


def test_a_model_whose_context_is_too_small_even_for_that_is_not_asked_but_the_next_one_is() -> None:
    scripts = {name: f"{name} " * 900 for name in "pqrs"} | {"agg": "never", "two": "Paris"}
    asked, rigged = ask(scripts, ["pqrs"], Agent("h:agg", fallback=["h:two"]), profiles={"h:agg": {"context": 256}})
    assert (asked.answer, rigged.asked) == ("Paris", [*"pqrs", "two"])
    assert "TooLong: h:agg: not sent" in asked.noted("fallback")[0]


def test_references_are_cut_to_what_the_next_model_takes_and_that_is_told() -> None:
    references = tuple(Reply("word " * 2000) for _ in range(3))
    call = Call("fake:a", (user("hi"),), references=references, fallbacks=("fake:b", "fake:c"))
    fake = Fake({"a": Overloaded("down"), "b": Overloaded("down"), "c": "Paris"})
    facts: list[Any] = []
    request = Request(call, render(call, "n0"), "n0")
    run(Fallback(fake, {"fake:b": 2048}.get).send(request, Scope(facts.append)))
    own, small, large = fake.asked
    assert own is request
    assert estimated_input(small.messages) < 2048 < estimated_input(own.messages)
    assert large.messages == own.messages
    assert [fact.detail for fact in facts if isinstance(fact, Noted) and fact.reason == "fitted"] == [
        "3 of 3 references are cut to about 403 tokens each: the context of fake:b is 2048"
    ]
