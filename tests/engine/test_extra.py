"""A step that is extra fails where money or time is out, and the run goes on; any other ends it."""

from __future__ import annotations

import pytest

from clock import run as on_virtual_clock
from moa.core.agents import Agent
from moa.core.errors import BudgetExceeded, CallError, DeadlinePassed, MoaError
from moa.core.flow import Ask, Flow
from moa.core.ports import Scope
from moa.core.types import Conversation, Late, Reply, Request, user
from moa.engine.watch import Order, run
from moa.providers.fake import Fake, Script

A, B = Agent("fake:a"), Agent("fake:b")


class Broke:
    """Whose budget is used up."""

    async def send(self, request: Request, scope: Scope) -> Reply:
        raise BudgetExceeded("the day is spent")


def came_of(extra: bool, calls: int, provider: Broke | Fake, steps: int, deadline: float | None = None) -> object:
    last: list[object] = []

    async def flow(conversation: Conversation) -> Reply:
        for _ in range(steps):
            asked = tuple(agent.call(conversation) for agent in (A, B)[:calls])
            last[:] = await Ask(asked, least=0, extra=extra, steps=1)
        return Reply("what is there")

    made: Flow[Reply] = run(Order(flow, (user("hi"),), provider, deadline=deadline))
    try:
        assert on_virtual_clock(made).text == "what is there"
    except MoaError as error:
        return error
    return last[0]


@pytest.mark.parametrize("calls", [1, 2])
def test_a_step_that_is_extra_goes_on_without_money(calls: int) -> None:
    outcome = came_of(True, calls, Broke(), 1)
    assert isinstance(outcome, CallError)
    assert "no money is left for it: the day is spent" in str(outcome)
    assert isinstance(came_of(False, calls, Broke(), 1), BudgetExceeded)


@pytest.mark.parametrize("calls", [1, 2])
def test_a_step_that_is_extra_goes_on_without_time(calls: int) -> None:
    slow = Fake(lambda request: Script("4", delay=60.0))
    assert isinstance(came_of(True, calls, slow, 6, deadline=1.0), Late)
    assert isinstance(came_of(False, calls, slow, 6, deadline=1.0), DeadlinePassed)
