"""What may be spent, before an attempt goes out, and what was spent, when it has ended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from clock import run
from moa.core.errors import BudgetExceeded, Cut, Overloaded
from moa.core.money import Account, Entry
from moa.core.ports import Scope
from moa.core.prices import Price
from moa.core.types import Call, Reply, Request, Sampling, Usage, user
from moa.providers.fake import Fake, Script
from moa.stores.purse import Purses
from moa.wrap.attempts import Attempts
from moa.wrap.budget import Budget

CALL = Call("fake:a", (user("hi"),), sampling=Sampling(max_tokens=100))
REQUEST = Request(CALL, CALL.conversation)
PER_TOKEN = Price(input=0.0, output=1e6)
"""One dollar a token written, so that the worst cost of CALL is 100 dollars."""


class Paying:
    """A budget of so many dollars before a scripted provider."""

    def __init__(self, limit: float, script: Any = "four words are here", priced: bool = True) -> None:
        self.fake, self.purses = Fake({"a": script}), Purses(keep=True)
        self.account = Account("this run", limit, daily=False)
        self.budget = Budget(self.fake, self.purses, lambda model: PER_TOKEN if priced else None)
        self.scope = Scope(accounts=(self.account,), run="r", role="proposer")

    async def times(self, count: int) -> int:
        """How many of so many calls, one after the other, are let through."""
        for n in range(count):
            try:
                await self.budget.send(REQUEST, self.scope)
            except BudgetExceeded:
                return n
        return count

    @property
    def spent(self) -> float:
        return self.purses.of(self.account).spent

    @property
    def left(self) -> float:
        return self.purses.of(self.account).left


def test_a_call_that_does_not_fit_is_not_sent() -> None:
    paying = Paying(99.0)
    with pytest.raises(BudgetExceeded, match=r"may cost \$100\.0000, but of the \$99\.0000 of this run"):
        run(paying.budget.send(REQUEST, paying.scope))
    assert not paying.fake.asked


def test_what_a_call_did_not_use_is_free_again() -> None:
    paying = Paying(110.0)
    assert run(paying.times(20)) == 3
    assert paying.spent == pytest.approx(3 * 4)


def test_the_provider_s_own_figure_wins() -> None:
    paying = Paying(200.0, Script("four words are here", cost=50.0))
    assert run(paying.times(20)) == 3
    assert paying.spent == pytest.approx(150.0)


def test_calls_at_once_never_promise_more_than_there_is() -> None:
    async def main() -> int:
        results = await asyncio.gather(
            *(paying.budget.send(REQUEST, paying.scope) for _ in range(64)), return_exceptions=True
        )
        return sum(isinstance(result, Reply) for result in results)

    for _ in range(50):
        paying = Paying(350.0, Script("x", delay=1.0))
        assert run(main()) == 3
        assert paying.spent <= 350.0


def test_without_an_account_nothing_is_held_back_and_all_is_written_down() -> None:
    paying = Paying(0.0, priced=False)
    run(paying.budget.send(REQUEST, Scope(run="r", span=3, mixture="m", tenant="t")))
    assert paying.purses.entries == [
        Entry("r", 3, 1, "proposer", "", "fake:a", "m", "t", Usage(1, 4), None, estimated=False, ended="done")
    ]


def test_a_model_without_a_price_is_not_sent_to_on_a_budget() -> None:
    paying = Paying(1e9, priced=False)
    with pytest.raises(BudgetExceeded, match="no price is known for fake:a"):
        run(paying.budget.send(REQUEST, paying.scope))
    assert not paying.fake.asked


def test_an_attempt_that_the_provider_failed_costs_nothing() -> None:
    paying = Paying(150.0, Overloaded("down"))
    with pytest.raises(Overloaded):
        run(Attempts(paying.budget, chance=lambda: 0.0).send(REQUEST, paying.scope))
    assert (len(paying.fake.asked), paying.spent, paying.left) == (2, 0.0, 150.0)
    assert [(entry.attempt, entry.ended, entry.cost) for entry in paying.purses.entries] == [
        (1, "failed", 0.0),
        (2, "failed", 0.0),
    ]


def test_an_answer_that_was_cut_is_paid_for_what_had_come() -> None:
    paying = Paying(150.0, Script("one two three four", cut=2))
    scope = Scope(accounts=(paying.account,), want_deltas=True)
    with pytest.raises(Cut):
        run(paying.budget.send(REQUEST, scope))
    (entry,) = paying.purses.entries
    assert (entry.usage.output, entry.estimated, entry.ended) == (2, True, "failed")
    assert paying.spent == pytest.approx(2.0)


def test_a_call_that_was_cancelled_is_paid_for_what_had_come() -> None:
    paying = Paying(150.0, Script("one two three four", interval=1.0))
    scope = Scope(accounts=(paying.account,), want_deltas=True)

    async def main() -> None:
        task = asyncio.create_task(paying.budget.send(REQUEST, scope))
        await asyncio.sleep(2.5)
        task.cancel()
        await asyncio.wait((task,))

    run(main())
    (entry,) = paying.purses.entries
    assert (entry.usage.output, entry.estimated, entry.ended) == (4, True, "cancelled")
    assert (paying.spent, paying.left) == (pytest.approx(4.0), pytest.approx(146.0))
