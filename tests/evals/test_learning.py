"""What is learnt from graded records: weights of votes, and whom to ask; and that nothing is learnt where there is nothing."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from moa.core.flow import play
from moa.core.types import Reply, user
from moa.evals import router, weights
from moa.evals.records import Record, accuracy, best_single, folds, rest
from moa.flows.weigh import Weights, heaviest, weighted

pytest.importorskip("numpy", reason="weights are fitted with numpy: mixture-of-agents[eval]")

AGENTS = ("a", "b", "c", "d", "e")


def graded(skill: dict[str, dict[str, float]], count: int = 400, seed: int = 0) -> list[Record]:
    """Questions of some categories, answered by agents that are right so often on each; wrong answers scatter over nine others."""
    rng, found = Random(seed), []
    for number in range(count):
        category = rng.choice(list(skill))
        answers = {
            agent: "right" if rng.random() < chance else f"wrong {rng.randrange(4)}"
            for agent, chance in skill[category].items()
        }
        right = {agent: float(answer == "right") for agent, answer in answers.items()}
        words = f"{category} {category} question {rng.randrange(50)} of many"
        found.append(Record(words, answers, right, category, str(number)))
    return found


def score(records: list[Record], learnt: Weights) -> float:
    return sum(weights.answered(record, learnt, AGENTS) for record in records) / len(records)


def test_among_equals_a_vote_is_learnt() -> None:
    records = graded({"": dict.fromkeys(AGENTS, 0.5)})
    learnt = weights.fit(records, AGENTS)
    assert score(graded({"": dict.fromkeys(AGENTS, 0.5)}, seed=1), learnt) > 0.6
    assert len(set(learnt.of.values())) == 1  # nothing tells them apart, so the simplest is taken


def test_under_a_leader_its_answer_is_learnt() -> None:
    skill = {"": {"a": 0.9, "b": 0.3, "c": 0.3, "d": 0.3, "e": 0.3}}
    learnt = weights.fit(graded(skill), AGENTS)
    fresh = graded(skill, seed=1)
    assert score(fresh, learnt) >= accuracy(fresh, "a") - 0.01
    assert best_single(fresh, AGENTS) == "a"


def test_who_is_good_at_what_is_learnt_by_category() -> None:
    skill = {
        "maths": {"a": 0.9, "b": 0.2, "c": 0.3, "d": 0.3, "e": 0.3},
        "letters": {"a": 0.2, "b": 0.9, "c": 0.3, "d": 0.3, "e": 0.3},
    }
    learnt, fresh = weights.logit(graded(skill, 800), AGENTS), graded(skill, seed=1)
    assert learnt.weight("a", "maths") > learnt.weight("b", "maths")
    assert learnt.weight("b", "letters") > learnt.weight("a", "letters")
    assert score(fresh, learnt) > score(fresh, weights.equal(fresh, AGENTS)) + 0.1
    assert score(fresh, learnt) > score([replace(record, category="") for record in fresh], learnt) + 0.05


def test_of_labels_without_meaning_no_gain_is_learnt() -> None:
    records = graded({"": dict.fromkeys(AGENTS, 0.5)})
    rng = Random(3)
    dealt = [replace(record, right={agent: float(rng.random() < 0.5) for agent in AGENTS}) for record in records]
    assert weights.fit(dealt, AGENTS).of == weights.single(dealt, AGENTS).of


def test_a_router_reads_what_kind_of_question_it_is() -> None:
    skill = {"maths": {"a": 0.9, "b": 0.4}, "letters": {"a": 0.4, "b": 0.9}}
    learnt = router.fit(graded(skill), ("a", "b"))
    assert learnt.choose("a maths question of many") == "a"
    assert learnt.choose("letters, letters") == "b"
    assert learnt.choose("nothing like these") == learnt.best


def test_without_categories_it_leaves_the_best_single_agent_only_where_that_is_significant() -> None:
    skill = {"maths": {"a": 0.9, "b": 0.1}, "letters": {"a": 0.6, "b": 0.6}}
    records = [replace(record, category="") for record in graded(skill)]
    learnt = router.fit(records, ("a", "b"))
    assert learnt.best == "a"
    assert learnt.choose("letters letters question") == "a"
    turned = [replace(one, right={"a": 0.0, "b": 1.0}) if "letters" in one.question else one for one in records]
    assert router.fit(turned, ("a", "b")).choose("letters letters question of many") == "b"


def test_of_shuffled_labels_a_router_learns_to_ask_the_best_single_agent() -> None:
    skill = {"maths": {"a": 0.9, "b": 0.4}, "letters": {"a": 0.4, "b": 0.8}}
    records = graded(skill, 600)
    told = router.fit(records, ("a", "b"))
    assert told.trusted
    assert {told.choose(f"a {kind} question of many") for kind in skill} == {"a", "b"}
    for seed in range(5):
        rng = Random(seed)
        columns = {agent: rng.sample([one.right[agent] for one in records], len(records)) for agent in ("a", "b")}
        dealt = [replace(one, right={agent: columns[agent][n] for agent in columns}) for n, one in enumerate(records)]
        for kinds in (dealt, [replace(one, category="") for one in dealt]):
            learnt = router.fit(kinds, ("a", "b"))
            assert not learnt.trusted
            assert {learnt.choose(record.question) for record in records} == {learnt.best}


def test_what_an_answer_costs_and_how_long_it_takes_counts_as_much_as_one_says() -> None:
    skill = {"maths": {"dear": 0.9, "cheap": 0.5}, "letters": {"dear": 0.8, "cheap": 0.75}}
    paid, waited = {"dear": 0.02, "cheap": 0.0}, {"dear": 1.0, "cheap": 9.0}
    records = [replace(one, cost=paid, seconds=waited) for one in graded(skill, 600)]

    def chosen(way: router.Way) -> list[str]:
        learnt = router.fit(records, ("dear", "cheap"), way)
        return [learnt.choose(f"a {kind} question of many") for kind in skill]

    assert chosen(router.Way()) == ["dear", "dear"]
    assert chosen(router.Way(cost_weight=10)) == ["dear", "cheap"]  # 0.2 less for the dear one
    assert chosen(router.Way(cost_weight=100)) == ["cheap", "cheap"]
    assert chosen(router.Way(cost_weight=10, latency_weight=0.1)) == ["dear", "dear"]  # 0.8 less for the slow one


def test_the_best_by_category_is_taken_only_where_that_is_significant() -> None:
    skill = {"maths": {"a": 0.8, "b": 0.2}, "letters": {"a": 0.1, "b": 0.9}, "few": {"a": 0.5, "b": 0.5}}
    records = [one for number, one in enumerate(graded(skill)) if one.category != "few" or number < 10]
    chosen = router.by_category(records, ("a", "b"))
    assert (chosen["maths"], chosen["letters"], chosen["few"]) == ("a", "b", chosen[""])


def test_folds_are_of_one_size_and_the_same_for_a_seed() -> None:
    records = graded({"": {"a": 0.5}}, 103)
    parts = folds(records, 5, seed=4)
    assert sorted(map(len, parts)) == [20, 20, 21, 21, 21]
    assert parts == folds(records, 5, seed=4) != folds(records, 5, seed=5)
    assert len(rest(parts, 0)) + len(parts[0]) == 103


def test_the_answer_that_weighs_most_wins_by_the_weightiest_of_its_voices() -> None:
    replies = tuple(
        Reply(text, agent=agent) for agent, text in (("a", "4"), ("b", "5"), ("c", "Answer: 5"), ("d", "none at all"))
    )
    learnt = Weights({"a": 2.5, "b": 1.0, "c": 2.0, "d": 9.0}, {"maths": {"a": 1.0}})
    assert heaviest(replies, learnt, "number").agent == "c"
    assert heaviest(replies, learnt, "number", "maths").agent == "a"
    assert heaviest((Reply("no number"),), learnt, "number").text == "no number"


def test_a_weighted_vote_asks_nothing_and_knows_the_category() -> None:
    replies = tuple(Reply(text, agent=agent) for agent, text in (("a", "4"), ("b", "5")))
    learnt = Weights({"a": 1.0, "b": 1.1}, {"maths": {"a": 1.0}})
    combine = weighted(learnt, "number", lambda conversation: "maths" if "sum" in conversation[0].text else "")
    assert play(combine((user("a sum"),), replies), []).answer.text == "4"
    assert play(combine((user("a riddle"),), replies), []).answer.text == "5"


def test_votes_are_not_learnt_without_answers_or_of_a_few_questions() -> None:
    records = graded({"": dict.fromkeys(AGENTS, 0.5)})
    with pytest.raises(ValueError, match="no record has an answer"):
        weights.fit([replace(one, answers=dict.fromkeys(AGENTS)) for one in records], AGENTS)
    with pytest.raises(ValueError, match=r"19 records: .* from 20 or more"):
        weights.fit(records[:19], AGENTS)
    assert weights.fit(records[:20], AGENTS).of


def test_learnt_weights_are_never_less_than_nothing() -> None:
    skill = {kind: dict.fromkeys(AGENTS, 0.5) | {"e": liar} for kind, liar in (("maths", 0.0), ("letters", 0.3))}
    learnt = weights.logit(graded(skill, 2000), AGENTS)
    assert learnt.of["e"] == learnt.weight("e", "maths") == 0
    assert learnt.of["e"] + learnt.more["letters"]["e"] >= 0
