"""A plan: the steps, the calls and the worst cost, without a call."""

from __future__ import annotations

import pytest

from moa.core.agents import Agent
from moa.core.flow import play
from moa.core.plan import ASSUMED_MAX_TOKENS, bounded, plan
from moa.core.prices import FREE, Price, cost, total
from moa.core.types import Conversation, Reply, Usage, user
from moa.flows.combine import synthesise
from moa.flows.layered import layered
from moa.flows.vote import vote

QUESTION = (user("What is 2 + 2?"),)
AGENTS = [Agent(f"x:{name}", max_tokens=100) for name in "abcd"]


async def mixture(conversation: Conversation) -> Reply:
    return await layered(conversation, [AGENTS, AGENTS], synthesise(Agent("x:agg", max_tokens=50)))


def test_a_layered_mixture_is_planned_step_by_step() -> None:
    planned = plan(mixture, QUESTION, lambda model: FREE)
    assert [(step.label, len(step.calls), step.streams) for step in planned.steps] == [
        ("layer 1", 4, False),
        ("layer 2", 4, False),
        ("aggregate", 1, True),
    ]
    assert (planned.least_calls, planned.most_calls, planned.worst_cost) == (9, 9, 0.0)
    assert not planned.assumed


def test_the_worst_cost_counts_references_as_long_as_they_may_become() -> None:
    def price(model: str) -> Price:
        return Price(input=1e6 if model == "x:agg" else 0.0, output=0.0)

    planned = plan(mixture, QUESTION, price)
    assert planned.worst_cost is not None
    assert planned.worst_cost >= 4 * 100


def test_an_unknown_price_gives_no_worst_cost_and_is_named() -> None:
    planned = plan(mixture, QUESTION, lambda model: None if model == "x:b" else FREE)
    assert planned.worst_cost is None
    assert planned.unpriced == ("x:b",)


def test_a_vote_that_is_decided_early_has_fewer_calls() -> None:
    planned = plan(lambda conversation: vote(conversation, AGENTS), QUESTION, lambda model: FREE)
    assert planned.most_calls == 4


def test_calls_without_a_token_limit_are_assumed_one_and_bounded_gives_them_one() -> None:
    async def free(conversation: Conversation) -> Reply:
        return await layered(conversation, [[Agent("x:a"), AGENTS[0]]], synthesise(Agent("x:agg")))

    assert plan(free, QUESTION, lambda model: Price(0, 1e6)).worst_cost == pytest.approx(2 * ASSUMED_MAX_TOKENS + 100)
    asked = play(bounded(free(QUESTION), 1024), ["1", "2", "3"]).asked
    assert [call.sampling.max_tokens for ask in asked for call in ask.calls] == [1024, 100, 1024]


def test_money() -> None:
    assert cost(Usage(1_000_000, 2_000_000, 400_000), Price(1.0, 2.0, 0.5)) == pytest.approx(0.6 + 0.2 + 4.0)
    assert cost(Usage(10, 0, 10), Price(1.0, 2.0)) == pytest.approx(1e-5)
    assert total([0.1, 0.2]) == pytest.approx(0.3)
    assert total([0.1, None]) is None
    assert total([]) == 0
