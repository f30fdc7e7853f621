"""The other methods on the models that ship: each runs through the real engine, step by step as it is drawn."""

from __future__ import annotations

from functools import partial

import pytest

from flows.test_on_real_models import AGGREGATOR, PROPOSERS, answered, asked, at_home
from moa import Agent
from moa.core.flow import Combine
from moa.core.types import Conversation, Replies, Reply
from moa.flows.adaptive import adaptive
from moa.flows.alone import alone
from moa.flows.answers import answer_of
from moa.flows.best_of import best_of, within
from moa.flows.classify import Classifier, classified
from moa.flows.combine import synthesise
from moa.flows.consortium import consortium
from moa.flows.council import council
from moa.flows.debate import debate
from moa.flows.escalate import escalate
from moa.flows.fusion import fusion
from moa.flows.guard import anchored
from moa.flows.layered import layered
from moa.flows.medoid import medoid
from moa.flows.rank import rank
from moa.flows.refine import refine
from moa.flows.sparse import sparse
from moa.flows.topology import MakeFlow
from moa.flows.tree import tree
from moa.flows.vote import by_vote, vote

__all__ = ["at_home"]
COMBINE = synthesise(AGGREGATOR)

PICKING: dict[str, Combine] = {
    "rank": rank([AGGREGATOR]),
    "listwise": rank([AGGREGATOR], "listwise"),
    "medoid": medoid(),
    "best of": best_of(within(0, 1000), "number"),
}


@pytest.mark.parametrize("way", PICKING)
def test_whatever_picks_gives_back_one_proposal_word_for_word(way: str) -> None:
    answer = asked(lambda conversation: layered(conversation, [PROPOSERS], PICKING[way]))
    assert answer.text in [call.text for call in answer.view.calls if call.role == "proposer"]
    assert len(answer.view.calls) == {"rank": 16, "listwise": 5, "medoid": 4, "best of": 4}[way]


def test_best_of_real_models_passes_what_is_right() -> None:
    right = best_of(lambda text: float(answer_of(text, "number") == "432"))
    assert answer_of(answered(lambda conversation: layered(conversation, [PROPOSERS], right)).text, "number") == "432"


def test_a_guard_over_real_models_keeps_the_anchor_that_passes() -> None:
    def right(text: str) -> float:
        return float(answer_of(text, "number") == "432")

    async def wrong(conversation: Conversation, references: Replies) -> Reply:
        return Reply("Answer: 1")

    answer = asked(lambda conversation: layered(conversation, [PROPOSERS], anchored(wrong, verifier=right)))
    assert answer_of(answer.text, "number") == "432"
    assert answer.degraded


SAMPLED = Agent("builtin:p1", framing="quoted", temperature=0.7, max_tokens=160, seed=1)
CATEGORIES = ("sums", "letters")
SORTING = Classifier(AGGREGATOR, CATEGORIES)


def test_samples_of_a_real_model_are_added_only_until_they_agree() -> None:
    answer = answered(partial(adaptive, agents=[SAMPLED] * 12, batch=4, kind="number"))
    assert answer_of(answer.text, "number") == "432"
    assert 4 <= len(answer.view.calls) < 12


SHAPES: dict[str, tuple[MakeFlow, list[str]]] = {
    "council": (
        partial(layered, layers=[PROPOSERS], combine=council(PROPOSERS, AGGREGATOR)),
        ["layer 1", "peer review", "aggregate"],
    ),
    "fusion": (partial(layered, layers=[PROPOSERS], combine=fusion(AGGREGATOR)), ["layer 1", "analyse", "aggregate"]),
    "sparse": (
        partial(sparse, layers=[PROPOSERS, PROPOSERS[:2]], combine=COMBINE, judge=AGGREGATOR),
        ["layer 1", "keep", "layer 2", "aggregate"],
    ),
    "residual": (
        partial(layered, layers=[PROPOSERS, PROPOSERS[:1]], combine=COMBINE, residual=True),
        ["layer 1", "layer 2", "aggregate"],
    ),
    "tree": (partial(tree, groups=[PROPOSERS[:2], PROPOSERS[2:]], combine=COMBINE), ["groups", "aggregate"]),
    "consortium": (partial(consortium, members=PROPOSERS, combine=COMBINE, confidence=0.5), ["round 1", "aggregate"]),
    "refine": (
        partial(refine, author=PROPOSERS[0], reviser=AGGREGATOR, critic=PROPOSERS[1]),
        ["builtin:p1", "critique 1", "revise 1"],
    ),
    "classify": (
        partial(
            classified,
            classifier=SORTING,
            flows={name: partial(alone, member=PROPOSERS[0]) for name in ("", *CATEGORIES)},
        ),
        ["classify", "aggregate"],
    ),
    "escalate": (partial(escalate, first=PROPOSERS[:2], full=partial(vote, agents=PROPOSERS)), ["first"]),
    "debate": (partial(debate, agents=PROPOSERS, combine=by_vote("number"), kind="number"), ["round 1"]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_topology_runs_on_real_models_as_it_is_drawn(shape: str) -> None:
    flow, labels = SHAPES[shape]
    answer = asked(flow)
    steps = [step.label for step in answer.view.steps if step.label in labels]
    assert list(dict.fromkeys(steps))[: len(labels)] == labels
    assert answer.text
