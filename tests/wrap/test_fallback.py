"""Who answers where the model asked has no answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from clock import run
from moa.core.errors import AuthFailed, Cut, Overloaded, ProviderError, TimedOut
from moa.core.events import Delta, Noted
from moa.core.ports import Scope
from moa.core.types import Call, Request, user
from moa.providers.fake import Fake, Script
from moa.wrap.fallback import Fallback
from moa.wrap.timeout import Timeout


def sent(scripts: dict[str, Any], *fallbacks: str, **scope: Any) -> tuple[Any, list[Any], list[str]]:
    """What came of a call of fake:a, what was emitted, and which models were asked."""
    facts: list[Any] = []
    fake = Fake(scripts)
    call = Call("fake:a", (user("hi"),), fallbacks=fallbacks)

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
    error, _, asked = sent({"a": AuthFailed("no key"), "b": Overloaded("down")}, "fake:b")
    assert (error.kind, asked) == ("AuthFailed", ["fake:a", "fake:b"])


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
