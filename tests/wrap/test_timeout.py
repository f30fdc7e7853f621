"""Timeouts, on a virtual clock."""

from __future__ import annotations

import asyncio

import pytest

from clock import run
from moa.core.errors import Overloaded, TimedOut
from moa.core.ports import Scope
from moa.core.types import Call, Request, user
from moa.providers.fake import Fake, Script
from moa.wrap.timeout import Timeout

CALL = Call("fake:a", (user("hi"),))
REQUEST = Request(CALL, CALL.conversation)


def ended(script, seconds, **scope):
    """What came of a call, and when."""

    async def main():
        try:
            outcome = await Timeout(Fake({"a": script}), seconds).send(REQUEST, Scope(**scope))
        except TimedOut as error:
            outcome = error
        return outcome, asyncio.get_running_loop().time()

    return run(main())


def test_an_answer_in_time_passes():
    reply, when = ended(Script("Paris", delay=9.0), 10.0)
    assert (reply.text, when) == ("Paris", pytest.approx(9.0))


def test_one_that_hangs_is_ended_after_its_seconds():
    error, when = ended(Script(hang=True), 10.0)
    assert isinstance(error, TimedOut)
    assert str(error) == "fake:a: no whole answer within 10 s"
    assert when == pytest.approx(10.0)


def test_it_never_reaches_beyond_the_deadline():
    error, when = ended(Script(hang=True), 10.0, deadline=4.0)
    assert str(error) == "fake:a: no whole answer before the deadline"
    assert when == pytest.approx(4.0)


def test_what_lies_below_is_told_the_nearer_end():
    seen = []

    class Below:
        async def send(self, request, scope):
            seen.append(scope.deadline)

    async def main():
        await Timeout(Below(), 10.0).send(REQUEST, Scope(deadline=4.0))
        await Timeout(Below(), 3.0).send(REQUEST, Scope(deadline=4.0))
        await Timeout(Below(), 3.0).send(REQUEST, Scope())

    run(main())
    assert seen == [4.0, 3.0, 3.0]


def test_what_had_been_streamed_is_kept_as_partial():
    facts = []
    error, _ = ended(Script("one two three", interval=4.0), 6.0, emit=facts.append, want_deltas=True)
    assert error.partial == "one two"
    assert len(facts) == 2


def test_other_errors_pass_as_they_are():
    with pytest.raises(Overloaded):
        ended(Overloaded("down"), 10.0)


def test_a_cancelled_call_is_cancelled_not_timed_out():
    async def main():
        task = asyncio.create_task(Timeout(Fake({"a": Script(hang=True)}), 10.0).send(REQUEST, Scope()))
        await asyncio.sleep(1)
        task.cancel("its step closed")
        with pytest.raises(asyncio.CancelledError, match="its step closed"):
            await task

    run(main())
