"""The exact cache."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from clock import run
from moa.core.errors import Overloaded
from moa.core.events import CacheHit, Delta
from moa.core.ports import Scope
from moa.core.types import Call, Reply, Request, ToolCall, Usage, user
from moa.providers.fake import Fake, Script
from moa.wrap.cache import Cache, Kept


def asked(text="hi", **call) -> Request:
    made = Call("fake:a", (user(text),), **call)
    return Request(made, made.conversation)


def sent(cache, *requests, **scope) -> tuple[list[Reply], list]:
    facts = []

    async def main():
        return [await cache.send(request, Scope(facts.append, **scope)) for request in requests]

    return run(main()), facts


def test_the_same_call_is_answered_without_sending_and_costs_nothing():
    fake = Fake({"a": Script("Paris", cost=0.5, usage=Usage(3, 1))})
    (first, second), facts = sent(Cache(fake), asked(), asked())
    assert len(fake.asked) == 1
    assert facts == [CacheHit(asked().call.key)]
    assert second == replace(first, cost=0.0)


def test_a_hit_is_one_delta_where_deltas_are_wanted():
    cache = Cache(Fake({"a": Script("Paris is it", tool_calls=(ToolCall("1", "f", "{}"),))}))
    sent(cache, asked())
    _, facts = sent(cache, asked(), want_deltas=True, final=True)
    assert facts[1:] == [Delta("Paris is it", final=True), Delta("{}", "tool", final=True, id="1", name="f")]


@pytest.mark.parametrize("other", [asked("ho"), asked(sample=1), asked(task="judge")], ids=["text", "sample", "task"])
def test_another_call_is_not_the_same(other):
    fake = Fake()
    sent(Cache(fake), asked(), other)
    assert len(fake.asked) == 2


def test_a_name_is_no_content():
    fake = Fake()
    sent(Cache(fake), asked(), asked(agent="x", role="aggregator"))
    assert len(fake.asked) == 1


def test_tenants_share_nothing():
    fake = Fake()
    cache = Cache(fake)
    for tenant in ("a", "b", "a"):
        sent(cache, asked(), tenant=tenant)
    assert len(fake.asked) == 2


@pytest.mark.parametrize(
    "script",
    [
        Script(""),
        Script(" ", reasoning="hm"),
        Script("half", finish="length"),
        Script("x", finish="content_filter"),
        Script("x", finish="error"),
    ],
)
def test_what_is_no_whole_answer_is_not_kept(script):
    fake = Fake({"a": script})
    sent(Cache(fake), asked(), asked())
    assert len(fake.asked) == 2


def test_errors_are_not_kept():
    cache = Cache(Fake({"a": [Overloaded("busy"), "Paris"]}))
    with pytest.raises(Overloaded):
        sent(cache, asked())
    assert sent(cache, asked())[0][0].text == "Paris"


def test_the_longest_unused_goes_first():
    fake = Fake()
    cache = Cache(fake, Kept(most=2))
    sent(cache, asked("1"), asked("2"), asked("1"), asked("3"), asked("1"))
    assert len(fake.asked) == 3
    sent(cache, asked("2"))
    assert len(fake.asked) == 4


def test_equal_calls_at_once_all_go_through():
    async def main():
        fake = Fake({"a": Script("x", delay=1.0)})
        cache = Cache(fake)
        await asyncio.gather(*(cache.send(asked(), Scope()) for _ in range(3)))
        return len(fake.asked)

    assert run(main()) == 3
