"""The guard that keeps one run under its max cost."""

from __future__ import annotations

import asyncio

import pytest

from clock import run
from moa.core.errors import BudgetExceeded, Overloaded
from moa.core.ports import Scope
from moa.core.prices import Price
from moa.core.types import Call, Reply, Request, Sampling, Usage, user
from moa.providers.fake import Fake, Script
from moa.wrap.budget import Budget

CALL = Call("fake:a", (user("hi"),), sampling=Sampling(max_tokens=100))
REQUEST = Request(CALL, CALL.conversation)
PER_TOKEN = Price(input=0.0, output=1e6)
"""One dollar a token written, so that the worst cost of CALL is 100 dollars."""


def budget(limit: float, script: object = "four words are here", attempts: int = 1) -> Budget:
    return Budget(Fake({"a": script}), limit, lambda model: PER_TOKEN if model == "fake:a" else None, attempts)  # type: ignore[dict-item]


async def send(guard: Budget, times: int) -> int:
    """How many of so many calls, one after the other, are let through."""
    for n in range(times):
        try:
            await guard.send(REQUEST, Scope())
        except BudgetExceeded:
            return n
    return times


def test_a_call_that_does_not_fit_is_not_sent() -> None:
    guard = budget(99.0)
    with pytest.raises(BudgetExceeded, match=r"may cost \$100\.0000, but of \$99\.0000"):
        run(guard.send(REQUEST, Scope()))
    assert not guard.inner.asked  # type: ignore[attr-defined]


def test_what_a_call_did_not_use_is_free_again() -> None:
    guard = budget(110.0)
    assert run(send(guard, 20)) == 3
    assert guard.spent == pytest.approx(3 * 4)


def test_the_provider_s_own_figure_wins() -> None:
    guard = budget(200.0, Script("four words are here", cost=50.0))
    assert run(send(guard, 20)) == 3
    assert guard.spent == pytest.approx(150.0)


def test_calls_at_once_never_promise_more_than_there_is() -> None:
    async def many() -> int:
        guard = budget(350.0, Script("x", delay=1.0))
        results = await asyncio.gather(*(guard.send(REQUEST, Scope()) for _ in range(64)), return_exceptions=True)
        return sum(isinstance(result, Reply) for result in results)

    assert run(many()) == 3


def test_each_attempt_a_call_may_take_is_set_aside() -> None:
    assert run(send(budget(199.0, attempts=2), 1)) == 0
    assert run(send(budget(200.0, attempts=2), 1)) == 1


def test_a_call_without_a_reply_counts_as_spent() -> None:
    guard = budget(150.0, Overloaded("down"))
    with pytest.raises(Overloaded):
        run(guard.send(REQUEST, Scope()))
    assert guard.spent == 100.0


def test_without_a_price_nothing_is_sent() -> None:
    other = Request(Call("fake:b", CALL.conversation), CALL.conversation)
    with pytest.raises(BudgetExceeded, match="no price is known for fake:b"):
        run(budget(1e9).send(other, Scope()))


def test_usage_is_what_is_paid() -> None:
    guard = budget(100.0, Script("x", usage=Usage(input=5, output=7)))
    assert run(send(guard, 1)) == 1
    assert guard.spent == pytest.approx(7.0)
