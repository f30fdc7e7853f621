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


def test_the_same_limit_serves_one_event_loop_after_the_other():
    limit = Limit(Counting(), Places(1))

    async def main():
        await asyncio.gather(*(limit.send(REQUEST, Scope()) for _ in range(3)))

    for _ in range(3):
        run(main())
