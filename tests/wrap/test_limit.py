"""At most so many at once, on a virtual clock."""

from __future__ import annotations

import asyncio

import pytest

from clock import run
from moa.core.errors import Overloaded, TimedOut
from moa.core.ports import Scope
from moa.core.types import Call, Request, user
from moa.providers.fake import Fake, Script
from moa.wrap.limit import Limit, Places

CALL = Call("fake:a", (user("hi"),))
REQUEST = Request(CALL, CALL.conversation)


class Counting:
    """A provider that takes ten seconds and counts how many are under way."""

    def __init__(self):
        self.now = self.most = 0

    async def send(self, request, scope):
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await Fake({"a": Script("ok", delay=10.0)}).send(request, scope)
        finally:
            self.now -= 1


def test_no_more_than_so_many_go_out_at_once_over_all_limits_of_an_endpoint():
    counting, places = Counting(), Places(3)

    async def main():
        limits = [Limit(counting, places), Limit(counting, places)]
        await asyncio.gather(*(limits[n % 2].send(REQUEST, Scope()) for n in range(10)))
        return asyncio.get_running_loop().time()

    assert run(main()) == pytest.approx(40.0)
    assert counting.most == 3


def test_one_that_finds_no_place_before_its_deadline_is_timed_out_unsent():
    async def main():
        counting = Counting()
        limit = Limit(counting, Places(1))
        first = asyncio.create_task(limit.send(REQUEST, Scope()))
        await asyncio.sleep(0)
        with pytest.raises(TimedOut, match="fake:a: all 1 places were taken until the deadline; nothing was sent"):
            await limit.send(REQUEST, Scope(deadline=4.0))
        assert asyncio.get_running_loop().time() == pytest.approx(4.0)
        assert counting.most == 1
        await first
        return (await limit.send(REQUEST, Scope())).text

    assert run(main()) == "ok"


@pytest.mark.parametrize("script", [Overloaded("down"), Script(hang=True)], ids=["failing", "cancelled"])
def test_a_place_is_given_back_whatever_happens(script):
    async def main():
        limit = Limit(Fake({"a": [script, "ok"]}), Places(1))
        task = asyncio.create_task(limit.send(REQUEST, Scope()))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return (await limit.send(REQUEST, Scope(deadline=asyncio.get_running_loop().time() + 1))).text

    assert run(main()) == "ok"


def test_one_cancelled_while_it_waits_takes_no_place():
    async def main():
        limit = Limit(Counting(), Places(1))
        first = asyncio.create_task(limit.send(REQUEST, Scope()))
        waiting = asyncio.create_task(limit.send(REQUEST, Scope()))
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.gather(first, waiting, return_exceptions=True)
        await limit.send(REQUEST, Scope())
        return asyncio.get_running_loop().time()

    assert run(main()) == pytest.approx(20.0)


@pytest.mark.parametrize("gives_up", ["cancelled", "at its deadline"])
def test_a_place_given_to_one_that_gives_up_at_that_very_moment_is_not_lost(gives_up):
    async def main():
        here, loop = Places(1).here(), asyncio.get_running_loop()
        here.free = 0
        waiting = asyncio.create_task(here.wait(5.0 if gives_up == "at its deadline" else None))
        if gives_up == "cancelled":
            await asyncio.sleep(1.0)
            here.give_back()
            waiting.cancel()
        else:
            loop.call_at(5.0 - 1e-10, here.give_back)
        (outcome,) = await asyncio.gather(waiting, return_exceptions=True)
        return here.free, outcome is None

    free, got_it = run(main())
    assert free == (0 if got_it else 1)


def test_places_are_given_in_the_order_of_asking_and_those_who_gave_up_are_passed_over():
    async def main():
        here, got = Places(1).here(), []
        here.free = 0

        async def one(number: int) -> None:
            await here.wait(3.0 if number == 1 else None)
            got.append(number)

        tasks = [asyncio.create_task(one(number)) for number in range(5)]
        await asyncio.sleep(1.0)
        tasks[3].cancel()
        await asyncio.sleep(4.0)
        assert len(here._waiting) == 3  # who gave up waits no longer
        tasks[0].cancel()
        here.give_back()  # while the first is being stopped
        await asyncio.sleep(0)
        here.give_back()
        await asyncio.gather(*tasks, return_exceptions=True)
        return got, here.free

    assert run(main()) == ([2, 4], 0)


def test_the_same_limit_serves_one_event_loop_after_the_other():
    limit = Limit(Counting(), Places(1))

    async def main():
        await asyncio.gather(*(limit.send(REQUEST, Scope()) for _ in range(3)))

    for _ in range(3):
        run(main())
