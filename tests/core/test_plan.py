"""A plan: the steps, the calls and the worst cost, without a call."""

from __future__ import annotations

import pytest

from moa.core.agents import Agent
from moa.core.flow import Ask, Fork, play
from moa.core.plan import bounded, held, plan, worst_cost
from moa.core.prices import FREE, Price, cost, total
from moa.core.tokens import ASSUMED_MAX_TOKENS, IMAGE_TOKENS
from moa.core.types import Call, Conversation, Image, Reply, Usage, user
from moa.flows.combine import synthesise
from moa.flows.layered import layered
from moa.flows.sparse import sparse
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


def test_what_proposers_may_write_is_part_of_the_aggregator_s_worst_cost() -> None:
    def price(model: str) -> Price:
        return Price(input=1e6) if model == "x:agg" else FREE

    def worst(tokens: int) -> float:
        agents = [Agent(f"x:{name}", max_tokens=tokens) for name in "ab"]
        cost = plan(
            lambda c: layered(c, [agents], synthesise(Agent("x:agg", max_tokens=1))), QUESTION, price
        ).worst_cost
        assert cost is not None
        return cost

    assert worst(1100) - worst(100) == pytest.approx(2000)


def test_an_image_costs_something() -> None:
    call = AGENTS[0].call((user("what is this?", Image("data:image/png;base64,AAAA")),))
    assert worst_cost(call, Price(1e6)) >= IMAGE_TOKENS


def test_the_dearest_play_counts_not_the_longest() -> None:
    async def cascade(conversation: Conversation) -> Reply:
        outcomes = await Ask(tuple(agent.call(conversation) for agent in AGENTS))
        if len({reply.text for reply in outcomes.replies}) == 1:
            return outcomes.replies[0]
        return (await Ask((Agent("x:dear", max_tokens=100).call(conversation),))).replies[0]

    planned = plan(cascade, QUESTION, lambda model: Price(0, 1e6) if model == "x:dear" else FREE)
    assert planned.worst_cost == pytest.approx(100)
    assert (planned.least_calls, planned.most_calls) == (4, 5)


def test_flows_that_choke_on_placeholders_or_never_end_are_planned_as_far_as_they_go() -> None:
    async def parses(conversation: Conversation) -> Reply:
        outcomes = await Ask((AGENTS[0].call(conversation),))
        return Reply(str(int(outcomes.replies[0].text)))

    async def insists(conversation: Conversation) -> Reply:
        while True:
            outcomes = await Ask((AGENTS[0].call(conversation),))
            if outcomes.replies[0].text == "yes":
                return outcomes.replies[0]

    async def asks_nothing(conversation: Conversation) -> Reply:
        return Reply("hi")

    assert plan(parses, QUESTION, lambda model: FREE).most_calls == 1
    assert plan(insists, QUESTION, lambda model: FREE).most_calls > 100
    assert plan(asks_nothing, QUESTION, lambda model: FREE).steps == ()


def test_a_flow_is_held_to_less_and_less() -> None:
    async def one(conversation: Conversation) -> Reply:
        return (await Ask((Agent("x:a", max_tokens=9000).call(conversation), Agent("x:b").call(conversation)))).replies[
            0
        ]

    limits = [
        [call.sampling.max_tokens for call in play(flow(QUESTION), ["1", "2"]).asked[0].calls] for flow in held(one)
    ]
    assert limits == [[9000, 4096], [4096, 4096], [2048, 2048], [1024, 1024]]


def test_tokens_read_from_and_written_to_a_cache_have_prices_of_their_own() -> None:
    usage = Usage(input=100, output=10, cached=40, written=20)
    assert cost(usage, Price(1e6, 2e6)) == 120.0
    assert cost(usage, Price(1e6, 2e6, cached=1e5)) == 84.0
    assert cost(usage, Price(1e6, 2e6, cached=1e5, written=1.25e6)) == 89.0


def test_the_worst_case_of_a_call_may_write_all_its_input_to_a_cache() -> None:
    call = Call("h:m", (user("x" * 1000),))
    assert worst_cost(call, Price(1.0, 0.0, written=1.25)) == pytest.approx(1.25 * worst_cost(call, Price(1.0, 0.0)))


def test_a_judge_that_may_end_the_rounds_makes_the_fewest_calls_fewer() -> None:
    async def thinned(conversation: Conversation) -> Reply:
        return await sparse(conversation, [AGENTS] * 3, synthesise(Agent("x:agg")), Agent("x:judge"))

    planned = plan(thinned, QUESTION, lambda model: FREE)
    assert (planned.least_calls, planned.most_calls) == (6, 16)


def test_what_runs_beside_each_other_has_one_number_also_inside_a_branch() -> None:
    async def once(label: str) -> Reply:
        return (await Ask((AGENTS[0].call(QUESTION),), label=label)).replies[0]

    async def inner() -> Reply:
        await once("first")
        await Fork((once("left"), once("right")))
        return await once("then")

    async def flow(conversation: Conversation) -> Reply:
        await Fork((inner(), once("short")))
        await Fork((once("again"), once("beside")))
        return await once("last")

    drawn = [(f"{step.number}{step.branch}", step.label) for step in plan(flow, QUESTION, lambda model: FREE).steps]
    assert drawn == [
        ("1a", "first"), ("1b", "short"), ("2aa", "left"), ("2ab", "right"), ("3a", "then"), ("4a", "again"), ("4b", "beside"),
        ("5", "last"),
    ]  # fmt: skip
