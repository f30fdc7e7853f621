"""A vote that asks a few at a time: until it is settled, all have been asked, or money or time is out."""

from __future__ import annotations

from functools import partial

import pytest

from clock import run
from faults.rigged import Rigged
from moa import Mixture
from moa.core.agents import Agent
from moa.core.errors import BudgetExceeded, CallError, NotEnoughReplies
from moa.core.flow import play
from moa.core.plan import plan
from moa.core.prices import FREE
from moa.core.types import Reply, user
from moa.flows.adaptive import adaptive, chance, settled
from moa.flows.vote import plurality
from moa.providers.fake import Script

QUESTION = (user("What is 2 + 2?"),)
SAMPLES = [Agent("h:a", temperature=0.7, max_tokens=10)] * 12


def asked(texts: list[str | CallError], batch: int = 3, sure: float = 0.95) -> tuple[str, list[int]]:
    played = play(adaptive(QUESTION, SAMPLES, batch, sure=sure), texts)
    return played.answer.text, [len(ask.calls) for ask in played.asked]


@pytest.mark.parametrize(
    ("first", "second", "likely"), [(0, 0, 0.5), (3, 0, 0.9375), (4, 0, 0.96875), (4, 1, 0.890625), (2, 2, 0.5)]
)
def test_how_likely_the_leader_is_to_stay_ahead_is_that_of_an_even_prior(
    first: int, second: int, likely: float
) -> None:
    assert chance(first, second) == likely


def test_samples_are_added_only_until_the_vote_is_settled() -> None:
    assert asked(["4"] * 12) == ("4", [3, 3])
    assert asked(["4"] * 12, sure=0.9) == ("4", [3])
    assert asked(["4", "4", "5", *["4"] * 9]) == ("4", [3, 3, 3])
    assert asked(["4", "5", "4", "5", "4", "5", *["4"] * 6]) == ("4", [3, 3, 3, 3])


def test_with_sure_1_it_stops_only_where_no_answer_still_to_come_can_change_it() -> None:
    assert asked(["4"] * 12, batch=1, sure=1.0) == ("4", [1] * 7)
    assert not settled((Reply("4"),) * 6, 6, sure=1.0)
    assert settled((Reply("4"),) * 7, 5, sure=1.0)
    assert not settled((Reply("no number here"),) * 9, 3, "number")


@pytest.mark.parametrize("seed", range(40))
def test_it_gives_the_answer_of_the_whole_vote_where_it_must_be_certain(seed: int) -> None:
    texts = [str(seed * (n + 3) * 7919 % 3) for n in range(12)]
    whole = plurality(tuple(map(Reply, texts))).text
    ties = sorted(map(texts.count, set(texts)))[-2:]
    if len(ties) < 2 or ties[0] != ties[1]:
        assert asked(list(texts), 2, 1.0)[0] == whole


def test_each_sample_of_one_agent_is_a_call_of_its_own() -> None:
    played = play(adaptive(QUESTION, SAMPLES, 4), ["4", "5"] * 6)
    assert [call.sample for ask in played.asked for call in ask.calls] == list(range(12))
    assert [ask.extra for ask in played.asked] == [False, True, True]


def test_a_batch_that_fails_leaves_the_answer_to_those_before_and_the_first_is_asked_for_again() -> None:
    down = CallError("down")
    later = play(adaptive(QUESTION, SAMPLES, 2), ["4", "5", down, down]).answer
    assert (later.text, len(later.notes)) == ("4", 1)
    assert later.notes[0].startswith("fewer: 2 of 12 were heard")
    assert asked([down, down, "4", "4", "4", "4"], batch=2)[0] == "4"
    with pytest.raises(NotEnoughReplies):
        asked([down] * 12)


def test_it_is_drawn_with_its_least_and_most_calls() -> None:
    planned = plan(lambda conversation: adaptive(conversation, SAMPLES, 4), QUESTION, lambda model: FREE)
    assert (planned.least_calls, planned.most_calls) == (4, 12)


MONEY = {"prices": {"h:a": {"input": 0, "output": 1_000_000}}}
"""A dollar for each token of an answer."""


def answered(rigged: Rigged, **limits: float) -> Reply | Exception:
    mixture = Mixture.of_flow(partial(adaptive, agents=SAMPLES, batch=2, sure=1.0)).on(rigged.rig)

    async def ask() -> Reply | Exception:
        try:
            answer = await mixture.ask("What is 2 + 2?", **limits)  # type: ignore[arg-type]
        except (BudgetExceeded, CallError) as error:
            return error
        return Reply(answer.text, notes=answer.notes)

    return run(ask())


def test_where_the_money_ends_the_answer_is_of_what_is_there() -> None:
    rigged = Rigged({"a": Script("4", cost=10.0)}, **MONEY, limits={"attempts": 1})  # as much as each sets aside
    answer = answered(rigged, max_cost=45.0)
    assert isinstance(answer, Reply)
    assert (answer.text, len(rigged.times)) == ("4", 4)
    assert any("fewer: 4 of 12" in note and "no money is left" in note for note in answer.notes)


def test_what_cannot_pay_even_the_first_batch_is_refused() -> None:
    assert isinstance(answered(Rigged({"a": "4"}, **MONEY, limits={"attempts": 1}), max_cost=15.0), BudgetExceeded)


def test_where_the_time_ends_the_answer_is_of_what_is_there() -> None:
    rigged = Rigged({"a": lambda now: Script("4", delay=0.5 if now < 1 else 60.0)})
    answer = answered(rigged, deadline=10.0)
    assert isinstance(answer, Reply)
    assert answer.text == "4"
    assert any("fewer: 4 of 12" in note for note in answer.notes)
