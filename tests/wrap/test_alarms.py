"""Alarms ring in their order and at their time, on a virtual clock."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from clock import run
from moa.wrap.alarms import _OF, DEAD, Alarms, alarms_of


def test_they_ring_in_order_at_their_time_unless_taken_back() -> None:
    async def main() -> tuple[list[float], list[float]]:
        loop, rng, rung, due = asyncio.get_running_loop(), random.Random(3), [], []
        alarms = alarms_of(loop)

        def rings(when: float) -> Any:
            return lambda now: rung.append((when, now))

        for _ in range(500):
            when = rng.uniform(0.0, 100.0)
            alarm = alarms.at(when, rings(when))
            if rng.random() < 0.5:
                alarms.cancel(alarm)
                alarms.cancel(alarm)
            else:
                due.append(when)
        await asyncio.sleep(101.0)
        assert [when for when, _ in rung] == sorted(due)
        return [when for when, _ in rung], [at for _, at in rung]

    due, rung = run(main())
    assert rung == pytest.approx(due)


def test_one_may_set_others_and_one_in_the_past_rings_at_once() -> None:
    async def main() -> list[float]:
        loop, rung = asyncio.get_running_loop(), []
        alarms = alarms_of(loop)

        def again(now: float) -> None:
            rung.append(now)
            if len(rung) < 4:
                alarms.at(now + 2.0, again)

        await asyncio.sleep(5.0)
        alarms.at(1.0, again)
        await asyncio.sleep(20.0)
        return rung

    assert run(main()) == pytest.approx([5.0, 7.0, 9.0, 11.0])


def test_none_rings_before_its_time_where_the_loop_s_timer_does() -> None:
    """Within its clock's resolution a loop is early; what then set itself again for the same moment would do so for ever."""

    async def main() -> list[float]:
        loop, told = asyncio.get_running_loop(), []
        alarms = alarms_of(loop)

        def again(now: float) -> None:
            told.append(now)
            if now < 1.0 and len(told) < 100:
                alarms.at(1.0, again)

        loop.call_at(1.0 - 5e-10, lambda: None)  # with it the loop calls what is due within its resolution, 1e-9
        alarms.at(1.0, again)
        await asyncio.sleep(2.0)
        return told

    assert run(main()) == [1.0]


def test_they_ring_as_early_as_the_loop_s_own_timers() -> None:
    """So that an attempt whose time ends with its step's ends before the step does, and says why."""

    async def main() -> list[str]:
        loop, seen = asyncio.get_running_loop(), []
        loop.call_at(1.0 - 5e-10, lambda: loop.call_soon(seen.append, "later"))
        alarms_of(loop).at(1.0, lambda now: seen.append("alarm"))
        await asyncio.sleep(2.0)
        return seen

    assert run(main()) == ["alarm", "later"]


def test_one_that_breaks_keeps_no_other_from_ringing() -> None:
    async def main() -> list[str]:
        loop, rung = asyncio.get_running_loop(), []
        loop.set_exception_handler(lambda loop, context: rung.append(repr(context["exception"])))
        alarms_of(loop).at(1.0, lambda now: now / 0)
        alarms_of(loop).at(2.0, lambda now: rung.append("second"))
        await asyncio.sleep(3.0)
        return rung

    assert run(main()) == ["ZeroDivisionError('float division by zero')", "second"]


def test_those_taken_back_do_not_pile_up_and_the_loop_has_one_timer() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        alarms = Alarms(loop)
        for _ in range(10_000):
            alarms.cancel(alarms.at(loop.time() + 30.0, lambda now: None))
        assert len(alarms._heap) <= DEAD + 2
        assert len([timer for timer in loop._scheduled if not timer.cancelled()]) == 1  # type: ignore[attr-defined]

    run(main())


def test_each_event_loop_has_its_own_and_those_of_ended_ones_are_forgotten() -> None:
    async def mine() -> Alarms:
        return alarms_of(asyncio.get_running_loop())

    first, second = asyncio.run(mine()), asyncio.run(mine())
    assert first is not second
    assert first._loop.is_closed()
    assert len([known for known in _OF if known.is_closed()]) <= 1
