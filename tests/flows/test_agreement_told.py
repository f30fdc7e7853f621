"""How far a run's panel agreed is told of all who answered the question, however they were asked."""

from __future__ import annotations

from typing import Any

import pytest

from moa import Mixture
from moa.config.build import Rig
from moa.config.find import load_here
from moa.config.flows import flow_of
from moa.core.plain import from_plain, to_plain
from moa.core.view import folded
from moa.flows.agreement import Agreement, agreement_of
from moa.providers.fake import Fake

FOUR = ["fake:a", "fake:b", "fake:c", "fake:d"]
SAID = {
    "a": "Answer: 4",
    "b": "Answer: 4",
    "c": "Answer: 5",
    "d": "Answer: 6",
    "p": "Answer: 4",
    "q": "Answer: 7",
    "z": "Answer: 4",
}
INNER: dict[str, Any] = {"proposers": ["fake:p", "fake:q"], "aggregator": "fake:z"}


def told(made: dict[str, Any], said: dict[str, str]) -> Agreement | None:
    loaded = load_here(flags={"mixtures": {"inner": INNER, "m": made}, "store": {"keep": False}})
    mixture = Mixture.of_flow(flow_of(loaded, "m"), name="m").on(Rig(loaded, own={"fake": Fake(said)}))
    return agreement_of(mixture.ask_sync("2 + 2?").view)


@pytest.mark.parametrize(
    ("made", "share"),
    [
        ({"proposers": FOUR, "aggregator": "fake:z"}, 2 / 4),
        ({"proposers": FOUR, "aggregator": "fake:z", "topology": "tree", "group": 2}, 2 / 4),
        ({"proposers": FOUR, "aggregator": "fake:z", "rounds": 2}, 2 / 4),
        ({"proposers": FOUR, "combine": "vote", "batch": 2, "sure": 1}, 2 / 4),
        ({"proposers": ["fake:a", "inner", "fake:c"], "aggregator": "fake:z"}, 2 / 4),
        ({"layers": [["fake:a", "fake:c"], ["inner"]], "aggregator": "inner"}, 1 / 2),
        ({"first": ["fake:c", "fake:d"], "proposers": ["fake:a", "fake:b"], "aggregator": "fake:z"}, 2 / 2),
        ({"first": ["fake:a", "fake:b"], "proposers": ["fake:c", "fake:d"], "aggregator": "fake:z"}, 2 / 2),
    ],
)
def test_agreement_is_told_of_the_whole_panel_that_answered_the_question(made: dict[str, Any], share: float) -> None:
    assert told(made, SAID) == Agreement(share, None)


def test_fields_agree_in_a_fence_or_without() -> None:
    said = {"a": '```json\n{"x": 1, "y": 2}\n```', "b": '{"y": 2, "x": 1}'}
    assert told({"proposers": ["fake:a", "fake:b"], "combine": "fields"}, said) == Agreement(1.0, None)


def test_a_stored_run_knows_of_what_kind_its_answers_are_and_one_of_before_is_compared_as_ever() -> None:
    fake, panel = Fake({"a": "Answer: 'x'", "b": "Answer: 'X'"}), [["fake:a", "fake:b"]]
    for kind, share in (("literal", 1 / 2), ("auto", 1.0)):
        mixture = Mixture(panel, combine="vote", answers=kind, need=2, providers={"fake": fake})  # type: ignore[arg-type]
        told = [to_plain(event) for event in mixture.ask_sync("Which?").events]
        assert told[0].get("answers", "auto") == kind
        assert agreement_of(folded(map(from_plain, told))) == Agreement(share, None)
        told[0].pop("answers", None)
        assert agreement_of(folded(map(from_plain, told))) == Agreement(1.0, None)
