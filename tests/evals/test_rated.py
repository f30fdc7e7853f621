"""Records of rated runs: what each proposer's answer is taken for, what is left out, and how many are needed."""

from __future__ import annotations

import pytest

from moa import Agent, Mixture
from moa.core.errors import ConfigError, Overloaded
from moa.core.events import CallCancelled, CallFinished, Event
from moa.evals.rated import FEWEST, rated, record_of
from moa.providers.fake import Fake, Line, Script
from moa.stores.rating import Rating

SAID: dict[str, Line] = {"a": Script("Answer: 4", cost=0.5), "b": "The answer is 5", "judge": "Answer: 4"}
RIGHT, WRONG = Rating(right=True), Rating(right=False)


def run(question: str = "2 + 2?", **said: Line) -> list[Event]:
    """The events of a run of proposers "a" and "b" under a judge."""
    panel = [Agent(f"fake:{name}", name=name) for name in ("a", "b")]
    mixture = Mixture([panel], Agent("fake:judge", name="judge"), providers={"fake": Fake({**SAID, **said})})
    return list(mixture.ask_sync(question).events)


@pytest.mark.parametrize(
    ("rating", "right"),
    [
        (Rating(answer="4.0"), {"a": 1.0, "b": 0.0}),
        (Rating(answer="Answer: 5"), {"a": 0.0, "b": 1.0}),
        (Rating(answer="6"), {"a": 0.0, "b": 0.0}),
        (RIGHT, {"a": 1.0, "b": 0.0}),
        (WRONG, {"a": 0.0}),
    ],
    ids=str,
)
def test_a_rating_says_who_was_right_and_of_others_than_a_wrong_answer_nothing(
    rating: Rating, right: dict[str, float]
) -> None:
    record = record_of(run(), rating)
    assert record is not None
    assert record.right == right
    assert record.answers == {"a": "4", "b": "5"}
    assert record.question == "2 + 2?"
    assert record.cost["a"] == 0.5
    assert record.seconds.keys() == {"a", "b"}


def test_the_kind_says_how_answers_are_read() -> None:
    events = run(b="2 and 2 make 4, surely.")
    plain, number = record_of(events, Rating(answer="4")), record_of(events, Rating(answer="4"), "number")
    assert plain is not None
    assert number is not None
    assert (plain.right["b"], number.right["b"]) == (0.0, 1.0)


def test_a_right_answer_that_no_proposer_worded_so_says_nothing() -> None:
    assert record_of(run(judge="It comes to four."), RIGHT) is None
    assert record_of(run(judge="It comes to four."), Rating(answer="4")) is not None


def test_who_failed_was_not_right_and_of_who_was_stopped_nothing_is_known() -> None:
    failed = record_of(run(b=Overloaded("down")), WRONG)
    assert failed is not None
    assert failed.right == {"a": 0.0, "b": 0.0}
    events = run()
    span = next(event.span for event in events if isinstance(event.fact, CallFinished) and "5" in event.fact.reply.text)
    stopped = [
        Event(CallCancelled("step closed", 0.1), event.run, event.seq, event.time, event.span, event.parent)
        if isinstance(event.fact, CallFinished) and event.span == span
        else event
        for event in events
    ]
    record = record_of(stopped, RIGHT)
    assert record is not None
    assert record.right == {"a": 1.0}


def test_only_answers_given_without_seeing_others_count() -> None:
    layers = [[Agent("fake:a", name="a")], [Agent("fake:b", name="b")]]
    mixture = Mixture(layers, Agent("fake:judge", name="judge"), providers={"fake": Fake(SAID)})
    record = record_of(mixture.ask_sync("2 + 2?").events, RIGHT)
    assert record is not None
    assert record.right == {"a": 1.0}


def test_a_run_that_lacks_an_agent_is_left_out_and_never_taken_for_wrong() -> None:
    events = run()
    runs = [(events, RIGHT)] * FEWEST + [(events, WRONG)] * 3
    records, agents = rated(runs)
    assert (len(records), agents) == (FEWEST, ("a", "b"))
    assert {record.right["b"] for record in records} == {0.0}
    assert len(rated(runs, ["a"])[0]) == FEWEST + 3


@pytest.mark.parametrize("agents", [(), ("a", "z")])
def test_too_few_rated_runs_say_how_to_rate(agents: tuple[str, ...]) -> None:
    runs = [(run(), RIGHT)] * (FEWEST - 1 if not agents else FEWEST)
    with pytest.raises(ConfigError, match=r"tell of a, [bz], 10 at least are needed; `moa runs rate ID --answer"):
        rated(runs, agents)
