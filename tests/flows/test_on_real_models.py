"""Each method once on the models that ship: real text, real disagreement, through the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moa import Agent, Answer, Mixture
from moa.core.types import Conversation, Reply
from moa.flows.answers import answer_of
from moa.flows.combine import select, synthesise
from moa.flows.layered import layered
from moa.flows.self_moa import self_moa
from moa.flows.vote import vote

pytest.importorskip("xllamacpp", reason="the models that ship need moa[local]")

QUESTION = "What is 347 + 85?"
PROPOSERS = [Agent(f"builtin:p{n}", framing="quoted", temperature=0.0, max_tokens=160) for n in (1, 2, 3, 4)]
AGGREGATOR = Agent("builtin:aggregator", framing="quoted", temperature=0.0, max_tokens=160)


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No configuration but what ships."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return


def asked(flow: object) -> Answer:
    return Mixture.of_flow(flow).ask_sync(QUESTION)  # type: ignore[arg-type]


def answered(flow: object) -> Answer:
    answer = asked(flow)
    assert not answer.degraded
    return answer


def test_layers_read_the_layer_before_and_the_aggregator_the_last() -> None:
    async def flow(conversation: Conversation) -> Reply:
        return await layered(conversation, [PROPOSERS, PROPOSERS], synthesise(AGGREGATOR))

    answer = asked(flow)  # a second layer may ruin it, or never end: these proposers never learnt to read references
    assert [call.role for call in answer.view.calls] == ["proposer"] * 8 + ["aggregator"]
    assert max(call.usage.input for call in answer.view.calls[4:8]) > 2 * answer.view.calls[0].usage.input
    assert answer.text == answer.view.calls[-1].text


def test_a_vote_of_real_models_is_right_on_what_most_of_them_know() -> None:
    async def flow(conversation: Conversation) -> Reply:
        return await vote(conversation, PROPOSERS, "number")

    assert answer_of(answered(flow).text, "number") == "432"


def test_a_judge_leaves_one_proposal_word_for_word() -> None:
    async def flow(conversation: Conversation) -> Reply:
        return await layered(conversation, [PROPOSERS], select(AGGREGATOR))

    answer = Mixture.of_flow(flow).ask_sync(QUESTION)
    assert answer.text in {proposal.text for proposal in answer.proposals}


def test_self_moa_takes_seeded_samples_of_one_model() -> None:
    sampled = Agent("builtin:p1", framing="quoted", temperature=1.0, seed=5, max_tokens=160)

    async def flow(conversation: Conversation) -> Reply:
        return await self_moa(conversation, sampled, 4, synthesise(AGGREGATOR))

    first, second = answered(flow), answered(flow)
    assert len(first.proposals) == 4
    assert [proposal.text for proposal in first.proposals] == [proposal.text for proposal in second.proposals]
