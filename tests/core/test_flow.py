"""The sans-IO heart: Ask, Fork, play, quiet."""

from __future__ import annotations

import asyncio

import pytest

from moa.core.agents import Agent
from moa.core.errors import CallError, ConfigError, NotEnoughReplies
from moa.core.flow import Ask, Flow, Fork, Outcomes, play, quiet
from moa.core.types import Call, Conversation, Late, Reply, user

QUESTION = (user("What is 2 + 2?"),)
A, B, C = (Agent(f"x:{name}") for name in "abc")


async def ask_all(conversation: Conversation, **rules: object) -> Outcomes:
    return await Ask(tuple(agent.call(conversation) for agent in (A, B, C)), **rules)  # type: ignore[arg-type]


def test_play_returns_the_answer_and_what_was_asked() -> None:
    played = play(ask_all(QUESTION, label="layer 1"), ["4", "5", "4"])
    assert [reply.text for reply in played.answer.replies] == ["4", "5", "4"]
    assert [call.model for call in played.asked[0].calls] == ["x:a", "x:b", "x:c"]
    assert played.asked[0].label == "layer 1"


def test_a_dead_call_is_an_outcome_and_order_is_kept() -> None:
    dead = CallError("dead")
    outcomes = play(ask_all(QUESTION), ["4", dead, "5"]).answer
    assert outcomes[1] is dead
    assert [reply.agent for reply in outcomes.replies] == ["x:a", "x:c"]
    assert outcomes.errors == (dead,)


def test_too_few_replies_are_thrown_into_the_flow() -> None:
    async def flow() -> str:
        try:
            await ask_all(QUESTION, least=2)
        except NotEnoughReplies as error:
            return f"{error.got} of {error.need}"
        return "enough"

    assert play(flow(), ["4", CallError("x"), CallError("y")]).answer == "1 of 2"
    assert play(flow(), ["4", CallError("x"), "5"]).answer == "enough"


def test_need_closes_a_step_early_and_the_rest_are_late() -> None:
    outcomes = play(ask_all(QUESTION, need=1), ["4", "5", "6"]).answer
    assert [type(outcome) for outcome in outcomes] == [Reply, Late, Late]
    assert len(play(ask_all(QUESTION, need=1, grace=1.0), ["4", "5", "6"]).answer.replies) == 3


def test_until_closes_a_step_as_soon_as_it_holds() -> None:
    outcomes = play(ask_all(QUESTION, until=lambda outcomes: len(outcomes.replies) == 2), ["4", "5", "6"]).answer
    assert len(outcomes.replies) == 2


def test_a_fork_gives_back_each_flow_s_result_in_order() -> None:
    async def one(agent: Agent) -> str:
        return (await Ask((agent.call(QUESTION),))).replies[0].text

    async def both() -> tuple[object, ...]:
        return await Fork((one(A), one(B)))

    played = play(both(), lambda call: CallError("dead") if call.model == "x:a" else call.model)
    assert isinstance(played.answer[0], NotEnoughReplies)
    assert played.answer[1] == "x:b"


def test_a_flow_that_awaits_something_else_is_told_what_a_flow_is() -> None:
    async def impure() -> None:
        await asyncio.sleep(0)

    with pytest.raises(ConfigError, match="may await only Ask, Fork"):
        play(impure(), [])


def test_quiet_takes_final_off_every_ask_also_inside_forks() -> None:
    async def final(agent: Agent) -> Reply:
        return (await Ask((agent.call(QUESTION),), final=True)).replies[0]

    async def both() -> Reply:
        await Fork((final(A),))
        return await final(B)

    assert [ask.final for ask in play(both(), ["1", "2"]).asked] == [True, True]
    assert [ask.final for ask in play(quiet(both()), ["1", "2"]).asked] == [False, False]


def test_quiet_passes_errors_on_to_the_flow() -> None:
    async def careful() -> str:
        try:
            await Ask((A.call(QUESTION),))
        except NotEnoughReplies:
            return "noticed"
        return "missed"

    assert play(quiet(careful()), [CallError("dead")]).answer == "noticed"


def test_a_script_that_runs_out_says_so() -> None:
    outcomes = play(ask_all(QUESTION), ["4"]).answer
    assert "no more replies" in str(outcomes.errors[0])


def test_flows_are_deterministic() -> None:
    def asked() -> list[str]:
        return [call.key for ask in play(ask_all(QUESTION), ["a", "b", "c"]).asked for call in ask.calls]

    assert asked() == asked()


def test_play_takes_a_function_of_the_call() -> None:
    def answer(call: Call) -> str:
        return call.model.upper()

    flow: Flow[Outcomes] = ask_all(QUESTION)
    assert [reply.text for reply in play(flow, answer).answer.replies] == ["X:A", "X:B", "X:C"]
