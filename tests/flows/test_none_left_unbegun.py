"""Whoever is given flows to carry out ends them all, those that were never begun, too: Python warns of each that is left."""

from __future__ import annotations

import gc
import random
import warnings
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import pytest
from random_mixtures import QUESTION, mixture, said, settings

from clock import run as on_virtual_clock
from moa.core.agents import Agent
from moa.core.errors import CallError, ConfigError, DeadlinePassed, MoaError
from moa.core.flow import Ask, Flow, Fork, play, quiet
from moa.core.plan import held, plan
from moa.core.ports import Scope
from moa.core.prices import FREE
from moa.core.types import Conversation, Form, Reply, Request
from moa.engine.watch import Order, run
from moa.flows.acting import acting, acts
from moa.flows.topology import MakeFlow

A, B = Agent("fake:a"), Agent("fake:b")
LEAF = {"proposers": ["fake:p", "inner"], "combine": "vote"}


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    """No flow is left that nobody has begun or closed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [str(one.message) for one in caught] == []


async def one(agent: Agent) -> Reply:
    return (await Ask((agent.call(QUESTION),))).replies[0]


async def broken(agent: Agent) -> Reply:
    raise ConfigError(f"{agent.name} sees another part")


def nested(chance: random.Random) -> MakeFlow:
    """The flow of a random mixture, some of whose members are mixtures, with mixtures inside."""
    while True:
        made = settings(chance, "")
        made.pop("weights", None)
        for name in ("proposers", "layers", "first"):
            if name in made and chance.random() < 0.7:
                flat = name != "layers"
                layers = [list(layer) for layer in ([made[name]] if flat else made[name])]
                layers[0][chance.randrange(len(layers[0]))] = chance.choice(("inner", "leaf"))
                made[name] = layers[0] if flat else layers
        if (flow := mixture(made, leaf=LEAF)) is not None:
            return flow


@pytest.mark.parametrize("seed", range(4))
def test_random_mixtures_planned_played_and_run_without_time_leave_none(seed: int) -> None:
    chance = random.Random(seed)

    class Prompt:
        async def send(self, request: Request, scope: Scope) -> Reply:
            outcome = said(request.call, chance, 0.3)
            if isinstance(outcome, CallError):
                raise outcome
            assert isinstance(outcome, Reply)
            return outcome

    for _ in range(12):
        flow = nested(chance)
        plan(flow, QUESTION, lambda model: FREE, routes=True)
        for tighter in (*held(flow)[:1], acting(flow, Form(choices=2))):
            plan(tighter, QUESTION, lambda model: FREE, fewest=False)
        acts(flow, QUESTION, Form(choices=2))
        for failing in (0.0, 0.3, 0.9):
            with suppress(MoaError):
                play(flow(QUESTION), partial(said, chance=chance, failing=failing))
        for deadline in (0.0005, 0.003, None):
            with suppress(MoaError):
                on_virtual_clock(run(Order(flow, QUESTION, Prompt(), deadline=deadline)))


def test_a_flow_around_another_is_closed_with_it() -> None:
    inner = one(A)
    quiet(quiet(inner)).close()
    with pytest.raises(RuntimeError, match="cannot reuse"):
        inner.send(None)


def test_a_branch_that_breaks_leaves_none_of_those_behind_it() -> None:
    async def forked(conversation: Conversation) -> Reply:
        await Fork((broken(A), quiet(one(B)), one(A)))
        return Reply("never")

    with pytest.raises(ConfigError):
        play(forked(QUESTION), ["4"])
    assert plan(forked, QUESTION, lambda model: FREE).most_calls == 0


def test_without_time_for_a_fork_none_of_its_flows_is_left() -> None:
    async def late(conversation: Conversation) -> Reply:
        await Fork((quiet(one(A)), one(B)))
        return Reply("never")

    with pytest.raises(DeadlinePassed):
        on_virtual_clock(run(Order(late, QUESTION, None, deadline=0.0005)))  # type: ignore[arg-type]


def test_what_is_not_asked_under_a_form_is_not_left_behind_a_gate() -> None:
    made = {"proposers": ["fake:a", "inner"], "aggregator": "fake:z", "mode": "auto", "gate": {}}
    flow = mixture(made)
    assert flow is not None
    assert acts(flow, QUESTION, Form(choices=2))


def test_a_flow_may_be_awaited_wherever_another_may() -> None:
    async def outer() -> Reply:
        made: Flow[Reply] = quiet(one(A))
        return await made

    assert play(outer(), ["4"]).answer.text == "4"
