"""The faults F01 to F36 that concern a client, each under its number, through the whole onion on a virtual clock.

Those that need a socket, a disk or a wire are beside what they test; `test_every_fault_has_a_test` knows where. (F24 to F28, F31
and F34 concern batches and the server.)
"""

from __future__ import annotations

import asyncio
import random
import re
import sqlite3
import time
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from clock import run
from faults.rigged import Asked, Rigged, ask
from moa import Agent, Answer
from moa.core.errors import (
    AuthFailed,
    BadReply,
    BudgetExceeded,
    ConfigError,
    Cut,
    MoaError,
    OutOfCredit,
    Overloaded,
    RateLimited,
    TimedOut,
    Unreachable,
)
from moa.core.events import CallHedged, CallRetried, Delta, Noted, RunFailed, RunFinished
from moa.core.money import Account
from moa.core.ports import Scope
from moa.core.types import Call, Request, Usage, user
from moa.providers._failure import retry_after
from moa.providers.fake import Fake, Script
from moa.stores.purse import Purses
from moa.wrap.timeout import Timeout

FOUR = ["a", "b", "c", "d"]
FINE = {name: Script(f"answer of {name}", delay=1.0) for name in (*FOUR, "agg")}
HANGS = Script(hang=True)
TESTS = Path(__file__).parent.parent


def test_f01_one_that_never_answers_costs_its_share_and_the_others_are_used() -> None:
    asked, _ = ask(FINE | {"b": HANGS}, [FOUR], deadline=10.0)
    assert asked.answer == "answer of agg"
    assert asked.seconds <= 10.1
    (dead,) = [call for call in asked.view.calls if call.state != "done"]
    assert (dead.agent, dead.state) == ("b", "failed")


@pytest.mark.parametrize("seed", range(100))
def test_f02_with_one_alive_of_many_that_hang_there_is_an_answer_in_time_and_the_dead_are_named(seed: int) -> None:
    rng = random.Random(seed)
    names = [f"m{n}" for n in range(rng.randint(2, 7))]
    alive = rng.choice(names)
    faults = (HANGS, Overloaded("down"), Script("cut off", cut=1), BadReply("rubbish"), Script(""))
    scripts: dict[str, Any] = {name: rng.choice(faults) for name in names}
    scripts |= {alive: Script("alive", delay=rng.random()), "agg": rng.choice((Script("answer", delay=0.5), HANGS))}
    deadline = rng.uniform(5.0, 60.0)
    asked, _ = ask(scripts, [names] * rng.randint(1, 3), deadline=deadline)
    assert asked.answer in ("answer", "alive")
    assert asked.seconds <= deadline + 0.1
    assert asked.view.degraded
    assert {call.agent for call in asked.view.calls if call.state == "failed"} >= set(names) - {alive}


def test_f03_with_all_hanging_it_fails_in_time_and_nothing_stays_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Purses, "forget", lambda self, accounts: None)
    names = dict.fromkeys([*FOUR, "agg"], HANGS)
    price = {f"h:{name}": {"input": 1.0, "output": 1.0} for name in names}
    asked, rigged = ask(names, [FOUR], deadline=10.0, max_cost=5.0, prices=price)
    assert asked.error is not None
    assert asked.seconds <= 10.1
    assert len([event for event in asked.events if isinstance(event.fact, RunFailed)]) == 1
    (purse,) = rigged.rig.ledger.purses._of.values()
    assert purse.left == pytest.approx(5.0 - purse.spent)


def test_f04_a_provider_that_always_fails_is_sent_little_more_than_it_is_asked() -> None:
    """At most two attempts of a call, and over a window one retry in ten calls."""
    rigged = Rigged({"a": Overloaded("down"), "b": "fine"}, limits={"failures": 10_000})
    mixture = rigged.mixture([["a", "b"]], None)

    async def main() -> list[int]:
        sent = []
        for _ in range(1000):
            before = rigged.asked.count("a")
            assert (await rigged.ask(mixture)).answer == "fine"
            sent.append(rigged.asked.count("a") - before)
        return sent

    sent = run(main())
    assert max(sent) <= 2
    assert len(rigged.asked) - 2000 <= 0.1 * 2000 + 10  # of all calls to this host


def test_f04_no_backoff_goes_beyond_the_deadline() -> None:
    asked, _ = ask(FINE | dict.fromkeys("bcd", RateLimited("slow down", retry_after=30.0)), [FOUR], deadline=10.0)
    assert asked.answer == "answer of agg"
    assert asked.seconds < 5.0


def test_f05_a_provider_that_asks_to_wait_is_left_alone_while_another_answers() -> None:
    scripts = {"a": lambda now: RateLimited("slow down", retry_after=2.0) if now < 2.0 else "a again", "b": "b"}
    rigged = Rigged(scripts)
    mixture = rigged.mixture([[Agent("h:a", name="a", fallback=["h:b"])]], None)

    async def main() -> list[tuple[float, str]]:
        answers = []
        for _ in range(30):
            asked = await rigged.ask(mixture)
            answers.append((asyncio.get_running_loop().time(), asked.answer))
            await asyncio.sleep(0.1)
        return answers

    answers = run(main())
    assert {answer for when, answer in answers if when < 1.99} == {"b"}
    assert {answer for when, answer in answers if when > 2.01} == {"a again"}
    assert [when for when, model in rigged.times if model == "a" and 0 < when < 2.0] == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Sat, 28 Nov 2026 10:00:07 GMT", "date": "Sat, 28 Nov 2026 10:00:00 GMT"}, 7.0),
        ({"retry-after": "Sat, 28 Nov 2026 09:00:00 GMT", "date": "Sat, 28 Nov 2026 10:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "1e400"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_f06_every_spelling_of_retry_after_is_read_or_ignored(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_f06_a_date_without_a_date_to_measure_it_by_is_read_against_our_own_clock() -> None:
    assert retry_after({"retry-after": formatdate(time.time() + 3600, usegmt=True)}) == pytest.approx(3600, abs=60)
    assert retry_after({"retry-after": "Sat, 28 Nov 2015 10:00:07 GMT"}) == 0.0


def test_f06_a_wait_longer_than_the_time_left_is_not_waited() -> None:
    asked, rigged = ask(FINE | {"b": RateLimited("slow down", retry_after=60.0)}, [FOUR], deadline=10.0)
    assert asked.answer == "answer of agg"
    assert rigged.asked.count("b") == 1


@pytest.mark.parametrize(
    "error", [OutOfCredit("insufficient_quota"), OutOfCredit("enforced_spend_limit_reached"), AuthFailed("401")]
)
def test_f07_without_credit_nothing_is_tried_again_nor_asked_again(error: MoaError) -> None:
    rigged = Rigged(FINE | {"b": error})
    mixture = rigged.mixture([FOUR], "agg")

    async def main() -> None:
        for _ in range(5):
            assert (await rigged.ask(mixture)).answer == "answer of agg"

    run(main())
    assert rigged.asked.count("b") == 1


def test_f08_a_provider_that_is_down_is_probed_once_an_interval_and_is_back_within_one() -> None:
    scripts = {"a": lambda now: Overloaded("529") if now < 60.0 else "a", "b": "b"}
    rigged = Rigged(scripts, limits={"failures": 3, "rest": 10.0, "retries": 0.0})
    mixture = rigged.mixture([["a", "b"]], None)

    async def main() -> list[float]:
        for _ in range(1000):
            assert (await rigged.ask(mixture)).error is None
            await asyncio.sleep(0.1)
        return [when for when, model in rigged.times if model == "a"]

    times = run(main())
    down = [when for when in times if 1.0 < when < 60.0]
    assert all(later - earlier >= 9.9 for earlier, later in pairwise(down))
    assert min(when for when in times if when >= 60.0) <= 70.1
    assert len([when for when in times if when >= 70.2]) > 250


def test_f09_one_whose_first_piece_does_not_come_is_given_up() -> None:
    asked, _ = ask(FINE | {"b": HANGS}, [FOUR], limits={"first_token": 5.0, "attempts": 1})
    assert asked.answer == "answer of agg"
    assert asked.seconds == pytest.approx(6.0)
    assert "not a piece of an answer within 5 s" in next(call.problem for call in asked.view.calls if call.agent == "b")


def test_f09_a_model_known_to_be_quick_is_given_up_as_soon_and_asked_for_whole_answers() -> None:
    rigged = Rigged(
        lambda request: HANGS if len(rigged.times) > 100 else Script("x", delay=1.0),
        limits={"first_token": 5.0, "attempts": 1},
    )
    mixture = rigged.mixture([["a"]], None)

    async def main() -> float:
        for _ in range(101):
            asked = await rigged.ask(mixture)
        return asked.seconds

    assert run(main()) == pytest.approx(5.0)


def test_f09_hedges_are_few_in_healthy_times_and_none_when_all_are_slow() -> None:
    def extra(slow: Any) -> float:
        rigged = Rigged(lambda request: Script("x", delay=slow(len(rigged.times))), limits={"hedges": 0.05})
        mixture = rigged.mixture([["a"]], None)

        async def main() -> list[Any]:
            return [
                event
                for _ in range(600)
                for event in (await rigged.ask(mixture)).events
                if isinstance(event.fact, CallHedged)
            ]

        return len(run(main())) / 600

    assert 0.01 <= extra(lambda n: 9.0 if n % 30 == 0 else 1.0) <= 0.05
    assert extra(lambda n: 1.0 if n < 40 else 9.0) <= 0.05


def test_f10_an_answer_that_stalls_is_cut_and_kept_as_partial_only() -> None:
    stalls = Script("one two three four", interval=9.0)
    asked, _ = ask(FINE | {"b": stalls}, [FOUR], limits={"first_token": 5.0, "between_tokens": 3.0, "attempts": 1})
    assert asked.answer == "answer of agg"
    assert asked.seconds == pytest.approx(4.0)
    (call,) = [call for call in asked.view.calls if call.agent == "b"]
    assert (call.state, "the answer stopped for 3 s" in call.problem) == ("failed", True)


def test_f10_a_local_server_is_hurried_as_far_as_somebody_says_so() -> None:
    for limits, silences in (
        ({}, (None, None)),
        ({"between_tokens": 3.0}, (None, 3.0)),
        ({"first_token": 5.0}, (5.0, None)),
    ):
        rig = Rigged(FINE, limits=limits).rig
        assert (rig._shared_by("ollama").silences, rig._shared_by("openai").silences) == (
            silences,
            (limits.get("first_token", 60.0), limits.get("between_tokens", 30.0)),
        )
    stalls = Script("one two three four", interval=9.0)
    timeout = Timeout(Fake({"a": stalls}), 120.0, None, 3.0)
    call = Call("fake:a", (user("hi"),))
    with pytest.raises(TimedOut, match="the answer stopped for 3 s"):
        run(timeout.send(Request(call, call.conversation), Scope()))


@pytest.mark.parametrize("streamed", [False, True])
def test_f11_a_cut_answer_is_tried_again_where_nothing_was_passed_on(streamed: bool) -> None:
    """Of a proposer: not where its words are shown as they come, since two texts must never mix."""
    scripts = FINE | {"b": lambda now: Script("answer of b", cut=1) if now == 0 else "answer of b"}
    rigged, seen = Rigged(scripts), Asked()
    mixture = rigged.mixture([FOUR], "agg")

    async def watched() -> str:
        async with mixture.watch("hi", proposers=True) as events:
            async for event in events:
                seen.events.append(event)
            return (await events.reply()).text

    if streamed:
        seen.answer = run(watched())
    else:
        seen = run(rigged.ask(mixture))
    assert seen.answer == "answer of agg"
    again = 0 if streamed else 1
    assert rigged.asked.count("b") == 1 + again
    assert len([event for event in seen.events if isinstance(event.fact, CallRetried)]) == again
    assert seen.view.degraded == streamed
    (one,) = [call for call in seen.view.calls if call.agent == "b"]
    assert (one.state, one.text) == (("failed", "answer") if streamed else ("done", "answer of b"))


def test_f11_an_answer_cut_after_text_was_passed_on_is_continued_by_a_model_that_can() -> None:
    def script(request: Any) -> Any:
        if request.call.model != "h:agg":
            return "a proposal"
        return " of the rest" if request.messages[-1].role == "assistant" else Script("the first part", cut=2)

    rigged = Rigged(script, profiles={"h:agg": {"prefill": True}})
    mixture = rigged.mixture([["a"]], "agg")

    async def main() -> tuple[str, str, list[str]]:
        pieces, notes = [], []
        async with mixture.watch("hi") as events:
            async for event in events:
                if getattr(event.fact, "final", False) and getattr(event.fact, "what", "") == "text":
                    pieces.append(event.fact.text)
                notes.append(getattr(event.fact, "reason", ""))
            return "".join(pieces), (await events.reply()).text, notes

    streamed, answer, notes = run(main())
    assert streamed == answer == "the first of the rest"
    assert "continued" in notes
    assert "replaced" not in notes
    (sent,) = [request for request in rigged.fake.asked if request.messages[-1].role == "assistant"]
    assert sent.messages[-1].text == "the first"


@pytest.mark.parametrize(
    "rubbish",
    [BadReply("HTML"), Script(""), Script("  \n "), Script("", reasoning="hm"), Script("cut", finish="length")],
)
def test_f12_what_is_no_answer_is_counted_and_never_shown_to_the_next_layer(rubbish: Any) -> None:
    asked, rigged = ask(FINE | {"b": rubbish}, [FOUR], deadline=30.0)
    assert asked.answer == "answer of agg"
    (shown,) = [request for request in rigged.fake.asked if request.call.model == "h:agg"]
    assert [reference.agent for reference in shown.call.references] == ["a", "c", "d"]
    assert asked.view.degraded


def test_f12_another_model_answers_where_one_says_rubbish() -> None:
    asked, _ = ask({"a": BadReply("HTML"), "b": "fine"}, [[Agent("h:a", name="a", fallback=["h:b"])]], None)
    assert asked.answer == "fine"
    assert asked.view.degraded
    assert asked.noted("fallback")


def test_f14_an_answer_without_end_is_cut_at_its_time() -> None:
    endless = Script("word " * 100_000, interval=0.5)
    prices = {f"h:{name}": {"input": 1.0, "output": 1.0} for name in FINE}
    rigged = Rigged(FINE | {"b": endless}, limits={"timeout": 60.0, "first_token": 5.0}, prices=prices)
    rigged.rig.ledger.purses.keep = True
    asked = run(rigged.ask(rigged.mixture([FOUR], "agg")))
    assert asked.answer == "answer of agg"
    assert asked.seconds <= 62.0
    (line,) = [entry for entry in rigged.rig.ledger.purses.entries if entry.agent == "b"]
    assert 100 < line.usage.output < 200, "what it had said by then: a word each half second"
    assert (line.estimated, line.ended) == (True, "failed")
    assert line.cost is not None
    assert line.cost > 0


def test_f13_an_answer_that_breaks_off_is_asked_for_once_more_and_then_of_another() -> None:
    broken = Cut("the connection broke before the answer was whole")
    asked, rigged = ask({"a": broken, "b": "fine"}, [[Agent("h:a", name="a", fallback=["h:b"])]], None)
    assert asked.answer == "fine"
    assert rigged.asked == ["a", "a", "b"]


@pytest.mark.parametrize(
    ("usage", "cost", "alarms"),
    [
        (Usage(0, 0), 0.0, 0),
        (Usage(3, 2), 5.0, 0),
        (Usage(-9, 2), 7.0, 1),
        (Usage(3, -2), 4.0, 1),
        (Usage(3, 10**12), 4.0, 1),
    ],
)
def test_f30_an_explicit_nothing_costs_nothing_and_what_cannot_be_is_estimated_and_told(
    usage: Usage, cost: float, alarms: int
) -> None:
    """Of a provider in code; the counts of the wires are looked at where they are read."""
    prices = {"h:a": {"input": 1e6, "output": 1e6}}
    asked, _ = ask({"a": Script("fine", usage=usage)}, [["a"]], None, prices=prices)
    assert asked.view.cost == cost
    assert [event.fact.reason for event in asked.events if isinstance(event.fact, Noted)] == ["usage"] * alarms


@pytest.mark.parametrize(
    "broken", [Overloaded("down"), Unreachable("gone"), BadReply("rubbish"), Script(""), HANGS, Cut("cut")]
)
def test_f32_where_the_aggregator_fails_a_second_one_then_the_proposals_stand_in_and_it_is_said(broken: Any) -> None:
    agreed = {name: Script("Answer: 4", delay=1.0) for name in "abc"} | {"d": "Answer: 5", "agg": broken}
    asked, _ = ask(agreed, [FOUR], deadline=20.0)
    assert (asked.answer, asked.view.degraded) == ("Answer: 4", True)
    assert asked.noted("fallback")
    second = Agent("h:agg", name="agg", fallback=["h:two"])
    asked, _ = ask(agreed | {"two": "Answer: six"}, [FOUR], second, deadline=20.0)
    assert (asked.answer, asked.view.degraded) == ("Answer: six", True)


@pytest.mark.parametrize(
    ("rubbish", "times"),
    [(Script("", reasoning="Hm."), 1), (Script("six", reasoning="Hm.", cut=0), 2), (Script(" \n"), 1)],
)
def test_f32_a_streamed_aggregator_that_has_not_begun_to_answer_has_a_second_one(rubbish: Script, times: int) -> None:
    """Thoughts and blank text are no answer, whoever has seen them."""
    rigged = Rigged({"a": "Answer: 4", "agg": rubbish, "two": "Answer: six"})
    mixture = rigged.mixture([["a"]], Agent("h:agg", name="agg", fallback=["h:two"]))
    seen = Asked()

    async def main() -> None:
        async with mixture.watch("hi") as events:
            async for event in events:
                seen.events.append(event)

    run(main())
    assert (seen.view.answer, seen.view.degraded) == ("Answer: six", True)
    assert rigged.asked == ["a", *["agg"] * times, "two"]
    assert seen.noted("fallback")
    assert not seen.noted("replaced")
    said = [event.fact for event in seen.events if isinstance(event.fact, Delta) and event.fact.what == "text"]
    assert "".join(delta.text for delta in said) == "Answer: six"


def test_f35_one_slow_provider_does_not_hold_up_the_others() -> None:
    rigged = Rigged(FINE, limits={"at_once": 4})
    slow = Rigged({"s": Script("slow", delay=50.0)})
    rigged.rig.wires._made["slow"] = slow.fake
    healthy = rigged.mixture([["a"]], None)
    held_up = rigged.mixture([[Agent("slow:s", name="s")]], None)
    slow.fake.scripts = {"slow:s": Script("slow", delay=50.0)}

    async def main() -> list[float]:
        crowd = [asyncio.create_task(rigged.ask(held_up)) for _ in range(20)]
        await asyncio.sleep(1.0)
        times = [(await rigged.ask(healthy)).seconds for _ in range(20)]
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
        return times

    assert max(run(main())) == pytest.approx(1.0)


def test_f36_a_sink_that_raises_changes_no_answer() -> None:
    rigged = Rigged(FINE)
    mixture = rigged.mixture([FOUR], "agg")

    def broken(event: Any) -> None:
        raise RuntimeError("exporter down")

    async def main() -> tuple[str, list[Any]]:
        events: list[Any] = []
        return (await mixture.ask("hi", sinks=(broken, events.append))).text, events

    answer, events = run(main())
    assert answer == "answer of agg"
    assert any(isinstance(event.fact, RunFinished) for event in events)
    assert [event.fact.reason for event in events if getattr(event.fact, "reason", "") == "sink dropped"] == [
        "sink dropped"
    ]


def test_a_daily_budget_ends_a_run_before_the_call_that_would_pass_it(tmp_path: Path) -> None:
    prices = {f"h:{name}": {"input": 0.0, "output": 1e6} for name in ("a", "agg")}
    spoken = {name: Script("two words", usage=Usage(1, 2)) for name in ("a", "agg")}
    store = {"keep": False, "path": str(tmp_path / "runs.db")}
    rigged = Rigged(spoken, prices=prices, store=store, budget={"day": 30.0})
    mixture = rigged.mixture([[Agent("h:a", name="a", max_tokens=10)]], Agent("h:agg", name="agg", max_tokens=10))

    async def main() -> list[str]:
        outcomes = []
        for _ in range(8):
            asked = await rigged.ask(mixture)
            outcomes.append(type(asked.error).__name__ if asked.error else asked.answer)
        return outcomes

    outcomes = asyncio.run(main())  # a real loop: leases are taken in a thread
    assert outcomes == ["two words"] * 5 + ["BudgetExceeded"] * 3  # four dollars a run; each call may cost ten
    assert rigged.rig.ledger.spent("[budget] day") <= 30.0
    assert rigged.asked.count("agg") == 5
    assert issubclass(BudgetExceeded, MoaError)
    rigged.rig.ledger.close()


def test_a_payer_spends_no_more_than_its_day_allows_and_others_go_on(tmp_path: Path) -> None:
    prices = {f"h:{name}": {"input": 0.0, "output": 1e6} for name in ("a", "agg")}
    spoken = {name: Script("two words", usage=Usage(1, 2)) for name in ("a", "agg")}
    rigged = Rigged(spoken, prices=prices, store={"path": str(tmp_path / "runs.db")})
    mixture = rigged.mixture([[Agent("h:a", name="a", max_tokens=10)]], Agent("h:agg", name="agg", max_tokens=10))

    async def main() -> list[str]:
        outcomes = []
        for name in ("team a", "team a", "team b", "team a"):
            asked = await rigged.ask(mixture, payer=Account(name, 18.0))
            outcomes.append(type(asked.error).__name__ if asked.error else asked.answer)
        return outcomes

    assert asyncio.run(main()) == ["two words", "two words", "two words", "BudgetExceeded"]
    ledger = rigged.rig.ledger
    assert [(one.what, one.cost) for one in ledger.sums("tenant", 1)] == [("team a", 10.0), ("team b", 4.0)]
    ledger.close()


def test_where_nothing_is_kept_only_days_with_a_limit_are_written_down(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    prices = {"h:a": {"input": 1.0, "output": 1.0}}
    rigged = Rigged({"a": "fine"}, prices=prices, store={"keep": False, "path": str(path)})
    mixture = rigged.mixture([["a"]], None)
    assert asyncio.run(rigged.ask(mixture, max_cost=1.0)).answer == "fine"
    assert list(tmp_path.iterdir()) == []
    assert asyncio.run(rigged.ask(mixture, payer=Account("team a", 5.0))).answer == "fine"
    assert path.with_suffix(".ledger.db").exists()
    rigged.rig.ledger.close()


@pytest.mark.parametrize("first", [Script(""), Script("", reasoning="hm"), Script("cut", finish="length")])
def test_what_a_run_cost_is_what_its_lines_say_and_what_its_roles_sum_to(first: Script) -> None:
    """Also where an answer that was paid for is none, and where another model answers in its place."""
    prices = {f"h:{name}": {"input": 10.0, "output": 10.0} for name in ("a", "b", "agg")}
    scripts = {"a": first, "b": "fine", "agg": "done"}
    rigged = Rigged(scripts, prices=prices)
    rigged.rig.ledger.purses.keep = True
    members = [Agent("h:a", name="a"), Agent("h:a", name="two", fallback=["h:b"])]
    asked = run(rigged.ask(rigged.mixture([members], "agg")))
    assert asked.answer == "done"
    lines = sum(entry.cost or 0.0 for entry in rigged.rig.ledger.purses.entries)
    answer = Answer(asked.answer, tuple(asked.events))
    assert answer.cost == pytest.approx(lines)
    assert sum(cost or 0.0 for cost in answer.costs.values()) == pytest.approx(lines)
    assert answer.usage.input == sum(entry.usage.input for entry in rigged.rig.ledger.purses.entries)


def test_a_second_aggregator_answers_where_the_first_breaks_with_an_error_of_its_own() -> None:
    class Breaks:
        async def send(self, request: Any, scope: Any) -> Any:
            raise RuntimeError("a bug of the provider's")

    rigged = Rigged({"a": "a proposal", "two": "the answer"})
    rigged.rig.wires._made["bad"] = Breaks()
    second = Agent("bad:agg", name="agg", fallback=["h:two"])
    asked = run(rigged.ask(rigged.mixture([["a"]], second)))
    assert (asked.answer, asked.view.degraded) == ("the answer", True)
    assert "the provider broke: RuntimeError" in asked.noted("fallback")[0]


def test_a_payer_without_a_day_is_bound_for_as_long_as_the_mixture_lives() -> None:
    prices = {"h:a": {"input": 0.0, "output": 1e6}}
    rigged = Rigged({"a": Script("two words", usage=Usage(1, 2))}, prices=prices)
    mixture, job = rigged.mixture([[Agent("h:a", name="a", max_tokens=2)]], None), Account("job", 5.0, daily=False)
    outcomes = [run(rigged.ask(mixture, payer=job, max_cost=100.0)) for _ in range(3)]
    assert [type(one.error).__name__ if one.error else one.answer for one in outcomes] == ["two words"] * 2 + [
        "BudgetExceeded"
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        "team a",
        5.0,
        ("", 5.0),
        ("a\ud800", 5.0),
        ("a\n", 5.0),
        ("a", "5"),
        ("a", float("nan")),
        ("a", -1.0),
        ("a", True),
    ],
)
def test_what_is_no_payer_is_refused_before_anything_is_sent(wrong: Any) -> None:
    rigged = Rigged({"a": "fine"})
    with pytest.raises(ConfigError):
        run(rigged.mixture([["a"]], None).ask("hi", payer=Account(*wrong) if isinstance(wrong, tuple) else wrong))
    assert not rigged.asked


@pytest.mark.parametrize("hedged", [False, True])
def test_whoever_asks_after_a_cancellation_it_caught_is_answered_like_any_other(hedged: bool) -> None:
    """The aggregator is carried in the task of who asks, which then still counts as being cancelled."""
    slow = [Script(hang=True)] + (["answer of agg"] if hedged else [])
    rigged = Rigged(lambda request: (slow.pop(0) if slow else HANGS) if request.call.model == "h:agg" else "a proposal")
    if hedged:
        rigged.rig._shared_by("h").hedges.saved = 5.0  # type: ignore[union-attr]
        for _ in range(30):
            rigged.rig.paces["h:agg"].add(1.0)
    mixture = rigged.mixture([["a"]], "agg")

    async def caught() -> Asked:
        try:
            await asyncio.sleep(100.0)
        except asyncio.CancelledError:
            return await rigged.ask(mixture, deadline=10.0)
        raise AssertionError("it was cancelled")

    async def main() -> Asked:
        task = asyncio.create_task(caught())
        await asyncio.sleep(0)
        task.cancel()
        return await task

    asked = run(main())
    assert asked.answer == ("answer of agg" if hedged else "a proposal")
    assert asked.seconds <= 10.1


def test_a_ledger_that_another_process_locks_holds_up_no_question(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    for locked in (False, True):
        rigged = Rigged({"a": "fine"}, store={"path": str(path)})
        locker = sqlite3.connect(path.with_suffix(".ledger.db"), isolation_level=None) if locked else None
        if locker is not None:
            locker.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        asked = asyncio.run(rigged.ask(rigged.mixture([["a"]], None), deadline=2.0))
        assert asked.answer == "fine"
        assert time.monotonic() - began < 3.0
        if locker is not None:
            locker.execute("ROLLBACK")
            locker.close()
        rigged.rig.ledger.flush()
        assert [one.attempts for one in rigged.rig.ledger.sums("model", 1)] == [1 + locked]
        rigged.rig.ledger.close()


ELSEWHERE = {"F15", "F16", "F17", "F18", "F19", "F20", "F21", "F22", "F23", "F29", "F33"}
"""Faults whose tests stand beside what they test, with the number in their docstring."""


def test_every_fault_has_a_test() -> None:
    here = {match.upper() for match in re.findall(r"def test_(f\d\d)_", Path(__file__).read_text())}
    said = {
        number
        for path in TESTS.rglob("test_*.py")
        if path != Path(__file__)
        for number in re.findall(r'"""[^"]*?\b(F\d\d)\b', path.read_text())
    }
    client = {f"F{n:02}" for n in range(1, 37)} - {"F24", "F25", "F26", "F27", "F28", "F31", "F34"}
    assert here | (said & ELSEWHERE) == client
    assert isinstance(TimedOut(""), MoaError)


def test_f12_a_fallback_that_cannot_be_called_is_an_error_before_anything_is_sent() -> None:
    agent = Agent("h:a", name="a", fallback=["groq:x"])
    asked, rigged = ask({"a": Overloaded("down")}, [[agent]], None)
    assert isinstance(asked.error, ConfigError)
    assert "GROQ_API_KEY" in str(asked.error)
    assert not rigged.asked


def test_g4_what_a_run_says_it_cost_is_what_the_ledger_has() -> None:
    """Also what was cut, retried, hedged, stopped, or answered by another model at another price."""
    scripts = {
        "a": [Script("one two three four", interval=0.1, failure=Cut("cut", partial="one two")), "fine again"],
        "b": Script("slow", delay=60.0),
        "c": Overloaded("down"),
        "d": "the fallback of c",
        "agg": "answer",
    }
    played: dict[str, int] = {}

    def line(request: Any) -> Any:
        name = request.call.model.removeprefix("h:")
        script = scripts[name]
        if isinstance(script, list):
            played[name] = played.get(name, -1) + 1
            return script[min(played[name], len(script) - 1)]
        return script

    prices = {f"h:{name}": {"input": 1.0, "output": 10.0 * (place + 1)} for place, name in enumerate(scripts)}
    rigged = Rigged(line, prices=prices)
    rigged.rig.ledger.purses.keep = True
    agents = ["a", "b", Agent("h:c", name="c", fallback=["h:d"])]
    asked = run(rigged.ask(rigged.mixture([agents], "agg", need=2), max_cost=1.0))
    assert asked.answer == "answer"
    entries = rigged.rig.ledger.purses.entries
    assert {entry.ended for entry in entries} == {"done", "failed", "cancelled"}
    billed = sum(entry.cost for entry in entries)
    assert asked.view.cost == pytest.approx(billed)
    assert sum(call.cost or 0.0 for call in asked.view.calls) + sum(
        call.wasted or 0.0 for call in asked.view.calls
    ) == pytest.approx(billed)


def test_f11_an_answer_that_goes_on_is_sent_once_more_and_no_oftener() -> None:
    """Whatever was tried before it: neither tried again nor hedged, and numbered after all of them."""
    lines = [Overloaded("down"), Script("one two three", cut=1), Overloaded("down"), "never"]

    def script(request: Any) -> Any:
        return lines[rigged.asked.count("agg") - 1] if request.call.model == "h:agg" else "a proposal"

    rigged = Rigged(script, profiles={"h:agg": {"prefill": True}})
    mixture = rigged.mixture([["a"]], "agg")

    async def main() -> None:
        async with mixture.watch("hi") as events:
            assert (await events.reply()).text == "a proposal"

    rigged.rig.ledger.purses.keep = True
    run(main())
    assert rigged.asked.count("agg") == 3
    entries = rigged.rig.ledger.purses.entries
    assert [entry.attempt for entry in entries if entry.agent == "agg"] == [1, 2, 3]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("when", [0.0, 0.5, 1.5, 2.5])
def test_f21_whenever_a_client_leaves_every_call_ends_and_has_its_line(when: float, streamed: bool) -> None:
    """Before anything is sent, while some wait for a place, in the layer, and while the aggregator works."""
    rigged = Rigged(FINE, limits={"at_once": 2}, prices={f"h:{name}": {"input": 1.0, "output": 1.0} for name in FINE})
    mixture = rigged.mixture([FOUR], "agg")
    rigged.rig.ledger.purses.keep = True
    ended: list[Any] = []

    async def watched() -> None:
        async with mixture.watch("hi", proposers=True) as events:
            async for event in events:
                ended.append(event.fact)

    async def main() -> float:
        loop = asyncio.get_running_loop()
        client = asyncio.create_task(
            watched() if streamed else mixture.ask("hi", sinks=(lambda event: ended.append(event.fact),))
        )
        await asyncio.sleep(when)
        left = loop.time()
        client.cancel()
        await asyncio.gather(client, return_exceptions=True)
        return loop.time() - left

    assert run(main()) < 0.1  # and no task is left, which `run` looks at
    entries = rigged.rig.ledger.purses.entries
    assert len(entries) >= len(rigged.asked)
    assert {entry.model.removeprefix("h:") for entry in entries if entry.ended != "cancelled"} <= set(rigged.asked)
    assert [entry for entry in entries if entry.ended == "cancelled"] or when == 0.0
    if ended:
        assert sum(isinstance(fact, RunFailed) for fact in ended) <= 1


def test_a_run_that_has_ended_leaves_no_account_behind() -> None:
    price = {f"h:{name}": {"input": 1.0, "output": 1.0} for name in (*FOUR, "agg")}
    asked, rigged = ask(FINE, [FOUR], max_cost=5.0, prices=price)
    assert asked.answer
    assert not rigged.rig.ledger.purses._of
