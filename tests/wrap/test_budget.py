"""What may be spent, before an attempt goes out, and what was spent, when it has ended."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from clock import run
from moa.core.errors import BudgetExceeded, Cut, Overloaded, ProviderError, Refused, TimedOut
from moa.core.events import Delta, Noted, Wasted
from moa.core.money import Account, Entry
from moa.core.ports import Scope
from moa.core.prices import Price
from moa.core.tokens import ASSUMED_MAX_TOKENS, estimated
from moa.core.types import Call, Form, Reply, Request, Sampling, Tool, Usage, user
from moa.providers.fake import Fake, Script
from moa.stores.purse import Purses
from moa.wrap.attempts import Attempts
from moa.wrap.budget import Budget
from moa.wrap.limit import Limit, Places
from moa.wrap.timeout import Timeout

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


def test_it_is_told_where_a_call_costs_more_than_its_price_can_make() -> None:
    facts: list[Any] = []
    paying = Paying(200.0, Script("four words are here", cost=150.0))
    reply = run(paying.budget.send(REQUEST, paying.scope.but(emit=facts.append)))
    assert reply.cost == 150.0
    assert [fact.detail for fact in facts if isinstance(fact, Noted)] == [
        "fake:a cost $150.0000, and at its price $100.0000 at most: a limit may be passed; write its price under [prices]"
    ]


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


def test_tools_are_part_of_what_an_attempt_that_was_cut_has_used_and_take_room_from_its_answer() -> None:
    tools = Form(tools=(Tool("find", "word " * 800),))
    call = Call("fake:a", (user("hi"),), form=tools)
    paying = Paying(1e9, Script("one two", cut=1))
    budget = replace(paying.budget, context=lambda model: 2048)
    with pytest.raises(Cut):
        run(budget.send(Request(call, call.conversation), paying.scope))
    (sent,), (line,) = paying.fake.asked, paying.purses.entries
    assert 256 < sent.call.sampling.max_tokens < 900  # type: ignore[operator]
    assert line.usage.input > 1000


@pytest.mark.parametrize("text", ["word " * 40, "答え" * 60, "один " * 40])
def test_a_cancelled_stream_is_billed_by_what_its_script_takes(text: str) -> None:
    async def main() -> None:
        task = asyncio.create_task(paying.budget.send(REQUEST, Scope(want_deltas=True)))
        await asyncio.sleep(1.0)
        task.cancel()
        await asyncio.wait((task,))

    class Speaks:
        async def send(self, request: Request, scope: Scope) -> Reply:
            for piece in text:
                scope.emit(Delta(piece))
            return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    paying = Paying(1e9)
    paying.budget = replace(paying.budget, inner=Speaks())
    run(main())
    (line,) = paying.purses.entries
    assert line.usage.output == estimated(text)


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


def test_a_call_that_never_went_out_costs_nothing() -> None:
    """Who waits for a place and is stopped has used nothing."""
    fake, purses = Fake({"a": Script("late", hang=True)}), Purses(keep=True)
    budget = Budget(Limit(fake, Places(1)), purses, lambda model: Price(input=1e6))

    async def main() -> None:
        tasks = [asyncio.create_task(budget.send(REQUEST, Scope())) for _ in range(5)]
        await asyncio.sleep(1.0)
        for task in reversed(tasks):
            task.cancel()
        await asyncio.wait(tasks)

    run(main())
    assert sorted(entry.usage.input > 0 for entry in purses.entries) == [False] * 4 + [True]


def test_what_a_call_said_to_its_timeout_alone_is_paid_when_it_is_stopped() -> None:
    """Nobody wants its pieces, but it was streamed so that its silence shows."""
    fake, purses = Fake({"a": Script("one two three four five", interval=1.0)}), Purses(keep=True)
    budget = Budget(Timeout(fake, 60.0, first=5.0), purses, lambda model: PER_TOKEN)
    facts: list[Any] = []

    async def main() -> None:
        task = asyncio.create_task(budget.send(REQUEST, Scope(facts.append)))
        await asyncio.sleep(3.5)
        task.cancel()
        await asyncio.wait((task,))

    run(main())
    (entry,) = purses.entries
    assert entry.usage.output > 0
    assert entry.estimated
    assert facts == [Wasted(entry.usage, entry.cost)]


@pytest.mark.parametrize("fault", [TimedOut("no answer"), Cut("the connection broke")])
def test_an_attempt_that_went_out_and_broke_has_used_its_input(fault: ProviderError) -> None:
    purses = Purses(keep=True)
    budget = Budget(Limit(Fake({"a": fault}), Places(1)), purses, lambda model: Price(input=1e6))
    with pytest.raises(type(fault)):
        run(budget.send(REQUEST, Scope()))
    (entry,) = purses.entries
    assert entry.usage.input > 0
    assert entry.estimated


def test_a_refusal_costs_what_the_provider_says() -> None:
    refusal = Refused("no")
    refusal.usage = Usage(10, 20)
    purses = Purses(keep=True)
    with pytest.raises(Refused):
        run(Budget(Fake({"a": refusal}), purses, lambda model: PER_TOKEN).send(REQUEST, Scope()))
    assert [(entry.usage, entry.cost) for entry in purses.entries] == [(Usage(10, 20), 20.0)]


@pytest.mark.parametrize(("said", "spent"), [(0.5, 0.5), (-1.0, 20.0)])
def test_a_refusal_costs_the_provider_s_own_figure_where_it_can_be(said: float, spent: float) -> None:
    refusal, facts = Refused("no"), []
    refusal.usage, refusal.cost = Usage(10, 20), said
    purses = Purses(keep=True)
    with pytest.raises(Refused):
        run(Budget(Fake({"a": refusal}), purses, lambda model: PER_TOKEN).send(REQUEST, Scope(facts.append)))
    assert [(entry.usage, entry.cost) for entry in purses.entries] == [(Usage(10, 20), spent)]
    assert facts == [Wasted(Usage(10, 20), spent)]


def test_a_call_without_a_limit_of_tokens_is_held_to_what_was_reserved_for_it() -> None:
    paying = Paying(1e4)
    call = replace(CALL, sampling=Sampling())
    run(paying.budget.send(Request(call, call.conversation), paying.scope))
    (asked,) = paying.fake.asked
    assert asked.call.sampling.max_tokens == ASSUMED_MAX_TOKENS
    run(paying.budget.send(Request(call, call.conversation), Scope()))  # nobody pays: nothing is held
    assert paying.fake.asked[-1].call.sampling.max_tokens is None


@pytest.mark.parametrize("said", [float("nan"), float("-inf"), -50.0, 1e9, "much"])
def test_what_a_provider_says_a_call_cost_is_believed_only_where_it_can_be(said: Any) -> None:
    paying = Paying(200.0, Script("four words are here", cost=said))
    assert run(paying.times(1)) == 1
    assert (paying.spent, paying.left) == (4.0, 196.0)  # as its usage costs


@pytest.mark.parametrize(
    "script", [Script("four words are here", cost=-4.0), Script("four words are here", usage=Usage(-9, 2))]
)
def test_figures_of_a_provider_that_make_no_sense_are_told_and_reckoned_anew(script: Script) -> None:
    """F30."""
    facts: list[Any] = []
    budget = Budget(Fake({"a": script}), Purses(), lambda model: PER_TOKEN)
    reply = run(budget.send(REQUEST, Scope(facts.append)))
    assert reply.usage.input > 0
    assert reply.cost == reply.usage.output > 0
    assert [(fact.reason, "fake:a" in fact.detail) for fact in facts if isinstance(fact, Noted)] == [("usage", True)]


@pytest.mark.parametrize(
    ("context", "most"), [(None, ASSUMED_MAX_TOKENS), (100_000, ASSUMED_MAX_TOKENS), (1024, 955), (64, 256)]
)
def test_a_call_that_sets_no_max_tokens_is_held_to_what_its_context_has_room_for(
    context: int | None, most: int
) -> None:
    paying = Paying(1e9)
    call = replace(CALL, sampling=Sampling())
    budget = replace(paying.budget, context=lambda model: context)
    run(budget.send(Request(call, call.conversation), paying.scope))
    assert paying.fake.asked[0].call.sampling.max_tokens == most
