"""Reputation comes from verified agreement alone: one deceiver of six loses its say, and an honest one keeps it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from random import Random
from statistics import fmean

import pytest

from moa import Agent, ConfigError, Mixture, user
from moa.core.events import CallStarted
from moa.core.flow import play
from moa.core.types import Reply
from moa.evals.records import Record
from moa.evals.reputation import FEWEST, Listening, Standing, by_others, by_verified, learn, read, written
from moa.flows.best_of import within
from moa.flows.vote import plurality
from moa.flows.weigh import Weights, heaviest, weighted
from moa.providers.fake import Fake

AGENTS = ("a", "b", "c", "d", "e", "f")


def test_an_agent_s_own_word_does_not_count_for_it() -> None:
    assert by_others({"a": "4", "b": "4", "c": "5"}) == {"c": False}  # a's others are one against one
    assert by_others({"a": "4", "b": "4", "c": "4", "d": "5"}) == {"a": True, "b": True, "c": True, "d": False}
    assert by_others({"a": "4", "b": "5"}) == {}
    assert by_others({"a": "4"}) == {}


def test_who_gives_no_answer_is_not_counted() -> None:
    assert by_others({"a": "4", "b": "4", "c": "4", "d": None}) == {"a": True, "b": True, "c": True}
    assert by_verified({"a": "4", "b": None, "c": "5"}, "4") == {"a": True, "c": False}
    assert by_verified({"a": "4"}, None) == {}


def test_what_an_agent_says_of_itself_changes_nothing() -> None:
    boast = "All agents agree with me, and my reputation is 100 %.\nAnswer: 5"
    listening = heard({"a": "Answer: 4", "b": "Answer: 4", "c": "Answer: 4", "d": boast})
    assert listening.standing.agreed == {"a": 1.0, "b": 1.0, "c": 1.0, "d": 0.0}


def test_old_counts_fade_and_a_new_agent_counts_for_a_half() -> None:
    standing = Standing()
    for _ in range(300):
        standing = standing.after({"a": False})
    low = standing.share("a")
    for _ in range(300):
        standing = standing.after({"a": True})
    assert low < 0.05
    assert standing.share("a") > 0.7
    assert standing.asked["a"] < 200
    assert standing.share("new") == 0.5
    assert standing.weights().weight("new") == 0.5


def test_nobody_is_left_out_before_enough_is_known() -> None:
    standing = Standing()
    for number in range(FEWEST + 5):
        assert (standing.weights().of.get("liar", 1.0) > 0) == (standing.asked.get("liar", 0.0) < FEWEST)
        standing = standing.after(dict.fromkeys("abc", True) | {"liar": number < 0})
    assert standing.weights().of["liar"] == 0.0
    assert standing.weights(floor=0.0).of["liar"] > 0


def simulated(count: int, seed: int, liar: str | None) -> list[tuple[str, dict[str, str]]]:
    """Questions with the right answer, and what six agents that are right four times in five say; the liar says the likeliest wrong
    one."""
    rng, found = Random(seed), []
    for _ in range(count):
        right, wrong = "4", "5"
        said = {agent: right if rng.random() < 0.8 else rng.choice((wrong, wrong, "6", "7")) for agent in AGENTS}
        found.append((right, said | ({liar: wrong} if liar else {})))
    return found


def shares(asked: list[tuple[str, dict[str, str]]]) -> tuple[float, float]:
    """Right by plurality, and by reputation from what was asked before, without looking at what is right."""
    standing, plain, weighed = Standing(), [], []
    for right, said in asked:
        replies = tuple(Reply(f"Answer: {answer}", agent=agent) for agent, answer in said.items())
        plain.append(plurality(replies).text.endswith(right))
        weighed.append(heaviest(replies, standing.weights()).text.endswith(right))
        standing = standing.after(by_others(said))
    return fmean(plain), fmean(weighed)


def test_g8_with_reputation_a_deceiver_of_six_costs_three_points_at_most() -> None:
    honest = shares(simulated(2_000, 1, None))
    deceived = [shares(simulated(2_000, 1, liar)) for liar in AGENTS]
    lost, kept = (100 * (honest[0] - fmean(one[way] for one in deceived)) for way in (0, 1))
    assert kept <= 3.0
    assert kept < lost
    assert abs(honest[0] - honest[1]) <= 0.01  # G9: without a deceiver it costs a point at most


def heard(said: dict[str, str], listening: Listening | None = None, aggregator: str = "") -> Listening:
    """What a listener makes of one run in which the agents say so."""
    listening = listening or Listening()
    fake = Fake({**said, "agg": aggregator})
    layer = [Agent(f"fake:{name}", name=name) for name in said]
    way = {"combine": "vote", "need": len(layer)} if not aggregator else {"aggregator": Agent("fake:agg", name="agg")}
    asyncio.run(Mixture([layer], providers={"fake": fake}, sinks=[listening], **way).ask("2 + 2?"))  # type: ignore[arg-type]
    return listening


def test_a_running_mixture_teaches_a_listener_and_leaves_nothing_behind() -> None:
    listening = Listening()
    for _ in range(FEWEST + 2):
        heard({"a": "Answer: 4", "b": "Answer: 4", "c": "Answer: 4", "liar": "Answer: 5"}, listening)
    assert listening.standing.weights().of["liar"] == 0.0
    assert listening.standing.weights().of["a"] > 0.9
    assert not listening._asked
    assert not listening._said


def test_with_a_verifier_only_what_passes_teaches() -> None:
    said = {"a": "Answer: 4", "b": "Answer: 5", "c": "Answer: 5", "d": "Answer: 5"}
    passed = heard(said, Listening(verifier=within(4, 4)), aggregator="Answer: 4").standing
    assert passed.agreed == {"a": 1.0, "b": 0.0, "c": 0.0, "d": 0.0}
    assert heard(said, Listening(verifier=within(4, 4)), aggregator="Answer: 9").standing == Standing()


def test_agents_that_saw_something_else_are_not_held_against_each_other() -> None:
    listening, events = Listening(), []
    fake = Fake({"a": "Answer: 4", "b": "Answer: 4", "c": "Answer: 4", "other": "Answer: 5"})
    layer = [Agent(f"fake:{name}", name=name) for name in ("a", "b", "c", "other")]
    mixture = Mixture([layer], combine="vote", need=4, providers={"fake": fake}, sinks=[events.append])
    asyncio.run(mixture.ask("2 + 2?"))
    for event in events:
        fact = event.fact
        if isinstance(fact, CallStarted) and fact.agent == "other":
            seen = tuple((name, "else" if name == "conversation" else digest) for name, digest in fact.digests)
            object.__setattr__(fact, "digests", seen)
        listening(event)
    assert set(listening.standing.asked) == {"a", "b", "c"}


def test_it_is_learnt_from_records_graded_or_not() -> None:
    graded = [Record("q", {"a": "4", "b": "5"}, {"a": 1.0, "b": 0.0})] * 20
    assert learn(graded).weights().of["b"] == 0.0
    plain = [Record("q", {"a": "4", "b": "4", "c": "4", "d": "5"}, {})] * 20
    assert learn(plain).weights().of["d"] == 0.0
    assert learn(plain, learn(plain)).asked["a"] > 20


def test_it_is_kept_as_plain_json_and_weighs_a_vote(tmp_path: Path) -> None:
    standing = Standing().after({"a": True, "b": False})
    file = tmp_path / "standing.json"
    file.write_text(written(standing))
    assert read(file) == standing
    assert read(tmp_path / "none.json") == Standing()
    assert json.loads(file.read_text())["asked"] == {"a": 1, "b": 1}
    weights = Weights({"a": 2.0, "b": 0.5, "c": 0.5})
    replies = (Reply("5", agent="b"), Reply("5", agent="c"), Reply("4", agent="a"))
    assert play(weighted(weights)((user("2 + 2?"),), replies), []).answer.text == "4"


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"agreed": {"a": Infinity}, "asked": {"a": Infinity}}',
        '{"agreed": {"a": NaN}, "asked": {"a": NaN}}',
        '{"agreed": {"a": 1}, "asked": {"a": 1' + "0" * 400 + "}}",
        "[]",
        '{"agreed": {"a": 2}, "asked": {"a": 1}}',
        '{"agreed": {"a": "x"}, "asked": {}}',
        "{",
    ],
)
def test_a_file_that_is_no_standing_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "standing.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"standing\.json: .*learn it anew"):
        read(file)
