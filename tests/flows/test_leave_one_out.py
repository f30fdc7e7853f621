"""On whom an answer hangs is told on demand: by combining again without each proposal, in quiet, and never at the answer's cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from clock import run
from moa import Mixture
from moa.core.agents import Agent
from moa.core.errors import CallError, ConfigError
from moa.core.events import Delta
from moa.core.flow import Fork, Outcome, play
from moa.core.types import Call, Conversation, Reply, user
from moa.flows.combine import select, synthesise
from moa.flows.leave_one_out import leave_one_out, telling
from moa.flows.pool import Pool, pool
from moa.flows.topology import Judging, Layout, topology
from moa.flows.vote import by_vote, plurality
from moa.providers.fake import Fake, Script

QUESTION = (user("What is 2 + 2?"),)
AGG = Agent("x:agg", name="agg")
SPLIT = (Reply("5", agent="a"), Reply("4", agent="b"), Reply("4", agent="c"))


def obeying(call: Call) -> str:
    """An aggregator that says what most of its references say."""
    return f"So it is.\nAnswer: {plurality(call.references).text}"


def test_it_is_found_on_whom_an_answer_hangs() -> None:
    votes = tuple(Reply("4" if agent != "e" else "5", agent=agent) for agent in "abcde")
    assert play(leave_one_out(by_vote(), QUESTION, votes, votes[0]), []).answer == (False,) * 5
    assert play(leave_one_out(by_vote(), QUESTION, SPLIT, SPLIT[1]), []).answer == (False, True, True)


@pytest.mark.parametrize("combine", [synthesise(AGG), select(AGG)])
def test_the_reply_says_so_and_only_the_answer_itself_is_final(combine: object) -> None:
    played = play(telling(combine)(QUESTION, SPLIT), obeying)  # type: ignore[arg-type]
    assert played.answer.notes[-2:] == (
        "leave one out: without b or c the answer is another",
        "leave one out: without a it is the same",
    )
    assert [ask.final for ask in played.asked][1:] == [False] * (len(played.asked) - 1)
    assert [ask.extra for ask in played.asked] == [False, *[True] * (len(played.asked) - 1)]


def test_samples_of_one_agent_are_told_apart() -> None:
    samples = tuple(Reply(text, agent="a") for text in "455")
    notes = play(telling(by_vote())(QUESTION, samples), []).answer.notes
    assert notes[0] == "leave one out: without a (2) or a (3) the answer is another"


def test_what_failed_or_was_stood_in_for_is_not_known() -> None:
    def fails_without_a(call: Call) -> Outcome | str:
        return obeying(call) if call.references[0].agent == "a" else CallError("down")

    notes = play(telling(synthesise(AGG))(QUESTION, SPLIT), fails_without_a).answer.notes
    assert "leave one out: without a it is not known" in notes
    pooled = (Reply("Answer: 0.9", agent="a"), Reply("no idea", agent="b"))
    notes = play(telling(pool(Pool()))(QUESTION, pooled), []).answer.notes
    assert "leave one out: without a it is not known" in notes


def test_answers_are_compared_as_the_mixture_says() -> None:
    said = iter(["It is (B)", "(B), I say", "I say it is (B)!"])
    notes = play(telling(synthesise(AGG), "choice")(QUESTION, SPLIT[:2]), lambda call: next(said)).answer.notes
    assert notes == ("leave one out: without a or b it is the same",)


def test_one_proposal_by_itself_is_not_left_out() -> None:
    assert len(play(telling(synthesise(AGG))(QUESTION, SPLIT[:1]), obeying).asked) == 1


def mixture(fake: Fake, how: str = "synthesise") -> Mixture:
    panel = [Agent(f"fake:{name}", name=name) for name in "abc"]
    aggregator = None if how == "vote" else Agent("fake:agg", name="agg")
    return Mixture.of_flow(
        topology([panel], aggregator, how, judging=Judging(leave_one_out=True)), providers={"fake": fake}
    )


def test_only_the_answer_is_streamed() -> None:
    async def streamed() -> list[str]:
        fake = Fake({"a": "5", "b": "4", "c": "4", "agg": "Answer: 4"})
        async with mixture(fake).watch("2 + 2?") as events:
            return [event.fact.text async for event in events if isinstance(event.fact, Delta) and event.fact.final]

    assert "".join(asyncio.run(streamed())) == "Answer: 4"


@pytest.mark.parametrize("deadline", [3.0, 1.35])
def test_where_the_time_is_out_the_answer_stands_without(deadline: float) -> None:
    fake = Fake({"a": "5", "b": "4", "c": "4", "agg": Script("Answer: 4", delay=1.0)})
    answer = run(mixture(fake).ask("2 + 2?", deadline=deadline))
    assert answer.text == "Answer: 4"
    assert any(("not known" in note) == (deadline < 2) for note in answer.view.notes if note.startswith("leave"))


def test_a_fork_that_is_extra_is_not_begun_where_no_time_is_left() -> None:
    async def aside() -> Reply:
        return Reply("5")

    async def flow(conversation: Conversation) -> Reply:
        return Reply(f"4 {await Fork((aside(),), least=0, extra=True)}")

    made = Mixture.of_flow(flow, providers={"fake": Fake({})})
    assert asyncio.run(made.ask("2 + 2?", deadline=0.0001)).text == "4 (None,)"


def test_a_vote_that_tells_hears_everybody() -> None:
    answer = mixture(Fake(dict.fromkeys("abc", "4")), "vote").ask_sync("2 + 2?")
    assert answer.view.notes == ("leave one out: without a or b or c it is the same",)


@pytest.mark.parametrize("shape", ["tree", "refine"])
def test_where_it_is_combined_more_than_once_it_is_refused(shape: str) -> None:
    make: Callable[..., object] = topology
    with pytest.raises(ConfigError, match=rf'leave_one_out: topology = "{shape}" combines more than once'):
        make([[AGG]], AGG, "synthesise", layout=Layout(shape), judging=Judging(leave_one_out=True))  # type: ignore[arg-type]
