"""A second attempt beside a slow first one, on a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from clock import run
from moa.core.errors import BudgetExceeded, Cut, Overloaded, ProviderError
from moa.core.events import CallHedged, CallRetried, Delta, Wasted
from moa.core.ports import Scope
from moa.core.types import Call, Reply, Request, user
from moa.providers.fake import Fake, Script
from moa.wrap.attempts import Attempts
from moa.wrap.limit import Limit, Places
from moa.wrap.pace import LEAST, Allowance, Pace, Paces

CALL = Call("fake:a", (user("hi"),))
REQUEST = Request(CALL, CALL.conversation)


def known(seconds: float = 1.0, calls: int = 100) -> Paces:
    """Paces of a model whose calls all took so long."""
    paces = Paces()
    for _ in range(calls):
        paces["fake:a"].add(seconds)
    return paces


def hedged(
    *lines: Any,
    paces: Paces | None = None,
    saved: float = 1.0,
    most: int = 2,
    at_once: int = 64,
    cancel_after: float | None = None,
    want_deltas: bool = False,
) -> tuple[Any, list[Any], Fake, float]:
    """What came of a call, what was emitted, what was sent, and when it ended."""
    facts: list[Any] = []
    fake = Fake({"a": list(lines)})

    async def main() -> tuple[Any, float]:
        provider = Attempts(
            Limit(fake, Places(at_once)),
            most,
            chance=lambda: 0.0,
            paces=paces or known(),
            hedges=Allowance(0.0, saved=saved),
        )
        task = asyncio.create_task(provider.send(REQUEST, Scope(facts.append, want_deltas=want_deltas)))
        if cancel_after is not None:
            asyncio.get_running_loop().call_later(cancel_after, task.cancel, "stop")
        try:
            outcome: Any = await task
        except (ProviderError, asyncio.CancelledError) as error:
            outcome = error
        return outcome, asyncio.get_running_loop().time()

    outcome, when = run(main())
    return outcome, facts, fake, when


def test_a_slow_call_is_sent_again_and_the_first_reply_wins() -> None:
    reply, facts, fake, when = hedged(Script("slow", delay=10.0), Script("quick", delay=0.5))
    assert (reply.text, len(fake.asked), facts) == ("quick", 2, [CallHedged(2)])
    assert when == pytest.approx(1.5)


def test_the_first_may_still_win() -> None:
    reply, _, fake, when = hedged(Script("first", delay=1.2), Script("second", delay=5.0))
    assert (reply.text, len(fake.asked)) == ("first", 2)
    assert when == pytest.approx(1.2)


def test_a_quick_call_is_not_sent_again() -> None:
    reply, facts, fake, _ = hedged(Script("quick", delay=0.9))
    assert (reply.text, len(fake.asked), facts) == ("quick", 1, [])


@pytest.mark.parametrize("how", [{"paces": known(1.0, LEAST - 1)}, {"saved": 0.5}, {"most": 1}])
def test_nothing_is_hedged_without_knowledge_or_allowance_or_attempts(how: dict[str, Any]) -> None:
    reply, _, fake, _ = hedged(Script("slow", delay=10.0), "quick", **how)
    assert (reply.text, len(fake.asked)) == ("slow", 1)


def test_where_both_fail_the_first_failure_is_told_and_nothing_is_tried_a_third_time() -> None:
    failing = Script(failure=Overloaded("first"), delay=2.0)
    error, facts, fake, _ = hedged(failing, Script(failure=Cut("second"), delay=3.0))
    assert (error.args[0], len(fake.asked)) == ("first", 2)
    assert not [fact for fact in facts if isinstance(fact, CallRetried)]


def test_a_first_that_fails_beside_its_hedge_leaves_it_to_the_hedge() -> None:
    reply, _, fake, when = hedged(Script(failure=Overloaded("first"), delay=2.0), Script("second", delay=3.0))
    assert (reply.text, len(fake.asked)) == ("second", 2)
    assert when == pytest.approx(4.0)


def test_a_hedge_that_fails_leaves_it_to_the_first() -> None:
    reply, _, _, when = hedged(Script("first", delay=6.0), Script(failure=Overloaded("second"), delay=1.0))
    assert (reply.text, when) == ("first", pytest.approx(6.0))


def test_the_first_piece_of_text_elects_its_attempt_and_the_other_is_not_heard() -> None:
    slow = Script("one two three", delay=1.5, interval=1.0)
    reply, facts, _, _ = hedged(slow, Script("four five", delay=0.2, interval=1.0), want_deltas=True)
    said = [(fact.attempt, fact.text) for fact in facts if isinstance(fact, Delta)]
    assert (reply.text, said) == ("four five", [(2, "four"), (2, " five")])
    reply, facts, _, _ = hedged(slow, Script("four five", delay=2.0), want_deltas=True)
    said = [(fact.attempt, fact.text) for fact in facts if isinstance(fact, Delta)]
    assert (reply.text, said) == ("one two three", [(1, "one"), (1, " two"), (1, " three")])


def test_an_elected_attempt_that_is_cut_is_not_tried_again() -> None:
    error, facts, fake, _ = hedged(
        Script("slow", delay=9.0), Script("four five", delay=0.2, cut=1), "third", want_deltas=True
    )
    assert isinstance(error, Cut)
    assert len(fake.asked) == 2
    assert [fact.text for fact in facts if isinstance(fact, Delta)] == ["four"]


@pytest.mark.parametrize("when", [0.5, 1.5, 3.0])
def test_a_cancelled_call_cancels_both_attempts(when: float) -> None:
    """`run` fails the test where a task is left."""
    outcome, _, fake, ended = hedged(Script("slow", delay=9.0), Script("slow too", delay=9.0), cancel_after=when)
    assert isinstance(outcome, asyncio.CancelledError)
    assert ended == pytest.approx(when)
    assert len(fake.asked) == 1 + (when > 1.0)


def test_who_waits_for_a_place_is_not_yet_slow() -> None:
    fake = Fake({"a": Script("x", delay=0.9)})

    async def main() -> list[Reply]:
        provider = Attempts(Limit(fake, Places(1)), paces=known(), hedges=Allowance(0.0, saved=9.0))
        return list(await asyncio.gather(*(provider.send(REQUEST, Scope()) for _ in range(5))))

    assert len(run(main())) == len(fake.asked) == 5


def test_in_healthy_times_at_most_one_call_in_twenty_is_sent_twice_and_none_when_all_are_slow() -> None:
    async def extra(delay: Callable[[int], float]) -> float:
        count = iter(range(10_000))
        fake = Fake(lambda request: Script("x", delay=delay(next(count))))
        provider = Attempts(Limit(fake, Places(64)), paces=known(), hedges=Allowance(0.05, saved=0.0))
        for _ in range(1000):
            await provider.send(REQUEST, Scope())
        return (len(fake.asked) - 1000) / 1000

    assert 0.01 <= run(extra(lambda n: 5.0 if n % 25 == 0 else 0.5)) <= 0.05
    assert run(extra(lambda n: 50.0)) <= 0.05


def test_a_pace_knows_its_percentiles_over_its_last_calls() -> None:
    pace = Pace(most=100)
    for second in range(1, 101):
        pace.add(float(second))
    assert (pace.percentile(0.5), pace.percentile(0.95), pace.percentile(1.0)) == (51.0, 96.0, 100.0)
    for _ in range(100):
        pace.add(7.0)
    assert pace.percentile(1.0) == 7.0


def test_a_first_attempt_that_speaks_and_is_cut_beside_a_second_is_cut() -> None:
    """The second was stopped when the first spoke: its end says nothing about the call."""
    outcome, facts, fake, _ = hedged(
        Script("one two three", delay=2.0, interval=1.0, cut=2), Script("other", delay=9.0), want_deltas=True
    )
    assert isinstance(outcome, Cut)
    assert [fact.text.strip() for fact in facts if isinstance(fact, Delta)] == ["one", "two"]
    assert len(fake.asked) == 2


def test_blank_text_of_the_attempt_that_is_not_elected_is_never_passed_on() -> None:
    class Speaks:
        async def send(self, request: Request, scope: Scope) -> Reply:
            scope.sent()
            scope.emit(Delta("\n" if scope.attempt == 1 else "\t", attempt=scope.attempt))
            await asyncio.sleep(9.0 if scope.attempt == 1 else 1.0)
            scope.emit(Delta("Paris", attempt=scope.attempt))
            return Reply("\nParis" if scope.attempt == 1 else "\tParis")

    facts: list[Any] = []
    attempts = Attempts(Speaks(), paces=known(), hedges=Allowance(0.0, saved=1.0))
    reply = run(attempts.send(REQUEST, Scope(facts.append, want_deltas=True)))
    assert "".join(fact.text for fact in facts if isinstance(fact, Delta)) == reply.text == "\tParis"


class Poor:
    """Lets the first attempt through, and has no money for another."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def send(self, request: Request, scope: Scope) -> Reply:
        if scope.attempt > 1:
            raise BudgetExceeded("no money")
        scope.sent()
        reply: Reply = await self.inner.send(request, scope)
        return reply


@pytest.mark.parametrize("delay", [0.0, 2.0])
def test_no_money_for_a_second_attempt_fails_the_call_and_not_the_run(delay: float) -> None:
    """Whether it is one more or one beside it."""
    fake = Fake({"a": Script(delay=delay, failure=Overloaded("down"))})
    attempts = Attempts(Poor(fake), paces=known(), hedges=Allowance(0.0, saved=1.0), chance=lambda: 0.0)
    with pytest.raises(Overloaded):
        run(attempts.send(REQUEST, Scope()))
    assert len(fake.asked) == 1


def test_a_second_attempt_that_ends_a_moment_before_the_first_is_told_to_be_wasted() -> None:
    """The first was ready too, and is taken; what the other cost is billed all the same."""
    second = Script("second", delay=1.0 - 1e-10, cost=0.2)  # within one turn of the event loop
    reply, facts, fake, _ = hedged(Script("first", delay=2.0, cost=0.1), second)
    assert len(fake.asked) == 2
    assert reply.cost == 0.1
    assert [fact.cost for fact in facts if isinstance(fact, Wasted)] == [0.2]
