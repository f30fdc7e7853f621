"""Specialists: who is shown what, who abstains, and whose agreement says something."""

from __future__ import annotations

import pytest

from moa import Mixture
from moa.core.agents import Agent
from moa.core.errors import Abstained, ConfigError, NotEnoughReplies
from moa.core.flow import Ask, Outcomes, play
from moa.core.plan import plan
from moa.core.prices import Price
from moa.core.types import Call, Conversation, Image, Reply, user
from moa.core.usable import abstains
from moa.flows.adaptive import adaptive
from moa.flows.agreement import Agreement, agreement, agreement_of, comparable, confidence
from moa.flows.combine import synthesise
from moa.flows.consortium import consortium
from moa.flows.debate import debate
from moa.flows.escalate import escalate
from moa.flows.layered import layered
from moa.flows.pool import Pool, pool
from moa.flows.topology import Layout, topology
from moa.flows.vote import by_vote, vote
from moa.providers.fake import Fake

SCAN = Image("https://x/y.png")
ASKED: Conversation = (user("Is it urgent?", labs="K 6.8", history="Tired.", scan=SCAN),)
LABS, OTHER_LABS = Agent("x:labs", view=["labs"]), Agent("x:labs2", view=["labs"])
SIGHT, ALL, AGG = Agent("x:sight", view=["scan"]), Agent("x:all"), Agent("x:agg")


def echo(call: Call) -> str:
    return f"{call.agent} answers"


def test_every_member_is_shown_its_own_parts_and_the_aggregator_all() -> None:
    played = play(layered(ASKED, [[LABS, SIGHT, ALL]], synthesise(AGG)), echo)
    labs, sight, everything = (call.conversation for call in played.asked[0].calls)
    assert labs == (user("Is it urgent?", labs="K 6.8"),)
    assert sight == (user("Is it urgent?", scan=SCAN),)
    assert everything == ASKED
    (aggregate,) = played.asked[1].calls
    assert aggregate.conversation == ASKED
    assert [one.saw for one in aggregate.references] == [("labs",), ("scan",), ("labs", "history", "scan")]


def test_a_view_holds_in_later_layers_too() -> None:
    played = play(layered(ASKED, [[LABS], [SIGHT]], synthesise(AGG)), echo)
    (later,) = played.asked[1].calls
    assert later.conversation == (user("Is it urgent?", scan=SCAN),)
    assert [one.text for one in later.references] == ["x:labs answers"]


def test_who_looks_at_what_is_not_there_is_not_asked_and_the_others_go_on() -> None:
    asked: list[str] = []

    def heard(call: Call) -> str:
        asked.append(call.agent)
        return "fine"

    question = (user("Is it urgent?", labs="K 6.8"),)
    played = play(layered(question, [[SIGHT, LABS]], synthesise(AGG)), heard)
    assert asked == ["x:labs", "x:agg"]
    assert [one.agent for one in played.asked[1].calls[0].references] == ["x:labs"]


def test_where_nobody_has_a_part_to_look_at_the_aggregator_answers_alone_and_says_so() -> None:
    played = play(layered((user("Hello?"),), [[SIGHT, LABS]], synthesise(AGG)), echo)
    assert played.answer.text == "x:agg answers"
    assert "no part named scan" in played.answer.notes[0]
    assert "no part named labs" in played.answer.notes[0]


@pytest.mark.parametrize(
    "words",
    [
        "ABSTAIN", " ABSTAIN.\n", "**ABSTAIN**", "null", ' {"abstain": true} ', "Abstain.", "abstain", "Abstains",
        "ABSTAIN: nothing here", "ABSTAIN - no labs are shown to me.", "ABSTAIN. I see no labs.", "**ABSTAIN**: no labs",
        "ABSTAIN\n\nNo labs are shown to me.", "Answer: ABSTAIN", "answer: abstain.", "**Answer:** Abstain",
        "Final answer: ABSTAIN",
        "I see no labs.\n\nAnswer: **ABSTAIN**", "I see no labs.\nABSTAIN\n", "Answer: \\boxed{ABSTAIN}",
        '```json\n{"abstain": true}\n```', '```\n{"abstain": true, "why": "no labs"}\n```', "```\nABSTAIN\n```",
        "```json\nnull\n```",
    ],
)  # fmt: skip
def test_words_that_abstain(words: str) -> None:
    assert abstains(words)


@pytest.mark.parametrize(
    "words",
    [
        "I abstain", "none", '{"abstain": false}', '{"abstain": 1}', "[null]", '{"abstain": tru', "", "```", "``````",
        "Abstain from alcohol.", "ABSTAIN from alcohol.", "Abstain: voting would only help them.", "He may vote or abstain",
        "Nobody may ABSTAIN.", "Some say so.\nOthers abstain", "Answer: abstain from it", "ABSTAIN?\nNo.\nAnswer: 5",
        "Answer: ABSTAIN\nNo, wait.\nAnswer: 5", "I answer: who abstains?", '```json\n{"abstain": false}\n```', "ABSTAINED",
        "There are three ways: yes, no and\nabstain:",
    ],
)  # fmt: skip
def test_words_that_do_not(words: str) -> None:
    assert not abstains(words)


def test_who_abstains_has_no_vote_and_is_no_proposal() -> None:
    said = {"x:labs": "Abstain.", "x:labs2": "Answer: ABSTAIN", "x:all": "Answer: no"}
    panel = [LABS, OTHER_LABS, ALL]
    assert play(vote(ASKED, panel), lambda call: said[call.agent]).answer.text == "Answer: no"
    read = layered(ASKED, [panel], synthesise(AGG))
    assert play(read, lambda call: said.get(call.agent, str(len(call.references)))).answer.text == "1"


def test_abstaining_is_no_neutral_figure_in_a_pool() -> None:
    said = {"x:labs": "0.9", "x:labs2": "ABSTAIN", "x:all": "0.9"}
    played = play(layered(ASKED, [[LABS, OTHER_LABS, ALL]], pool(Pool())), lambda call: said[call.agent])
    assert played.answer.text == "Answer: 0.9"


def test_an_agent_without_view_role_or_schema_means_what_it_says() -> None:
    async def flow(conversation: Conversation) -> Outcomes:
        agents = (ALL, Agent("x:r", role="nurse"), Agent("x:s", schema={"type": ["object", "null"]}))
        return await Ask(tuple(agent.call(conversation) for agent in agents))

    plain, nurse, schema = play(flow(ASKED), lambda call: "null").answer
    assert isinstance(plain, Reply)
    assert isinstance(nurse, Abstained)
    assert isinstance(schema, Abstained)


def test_an_aggregator_has_the_last_word_and_is_not_told_that_it_may_abstain() -> None:
    chief = Agent("x:chief", role="chief", prompt="Be brief.")
    played = play(
        layered(ASKED, [[LABS]], synthesise(chief)), lambda call: "null" if call.agent == "x:chief" else "high"
    )
    assert played.answer.text == "null"
    assert "ABSTAIN" not in played.asked[1].calls[0].manner.instructions
    assert "ABSTAIN" in chief.call(ASKED).manner.instructions


def test_a_specialist_is_told_its_role_its_view_and_its_schema() -> None:
    told = Agent("x:a", role="radiologist", prompt="Be brief.", view=["scan"], schema={"type": "object"}).call(ASKED)
    words = told.manner.instructions
    assert words.startswith("Your part in this task: radiologist.\n\nBe brief.\n\n")
    assert "only a part: scan." in words
    assert '{"type": "object"}' in words
    assert '{"abstain": true}' in words
    assert (told.form.schema, told.form.own) == ('{"type": "object"}', True)
    small = Agent("x:a", role="radiologist", view=["scan"], framing="quoted").call(ASKED)
    assert small.manner.instructions == "Your part in this task: radiologist."
    assert Agent("x:a", prompt="Be brief.").call(ASKED).manner.instructions == "Be brief."


def test_a_mixture_in_a_layer_saw_the_whole_question() -> None:
    inner = topology([[LABS]], None, "vote")
    played = play(layered(ASKED, [[inner, LABS]], synthesise(AGG)), echo)
    assert [one.saw for one in played.asked[-1].calls[0].references] == [("labs", "history", "scan"), ("labs",)]


def test_a_plan_draws_everybody_whatever_parts_its_question_has() -> None:
    drawn = plan(topology([[LABS, SIGHT]], AGG, "synthesise"), (user("Hello?"),), lambda model: None)
    assert [call.agent for step in drawn.steps for call in step.calls] == ["x:labs", "x:sight", "x:agg"]
    assert drawn.steps[0].calls[0].manner.view == ("labs",)
    ranked = plan(topology([[LABS, SIGHT]], AGG, "rank"), (user("Hello?"),), lambda model: None)
    assert [step.label for step in ranked.steps] == ["layer 1", "rank"]


def test_a_plan_counts_the_second_answer_that_a_schema_may_take() -> None:
    drawn = plan(topology([[Agent("x:a", schema="{}")]], AGG, "synthesise"), ASKED, lambda model: None)
    assert (drawn.least_calls, drawn.most_calls) == (2, 3)


def says(text: str, *saw: str) -> Reply:
    return Reply(text, saw=saw)


@pytest.mark.parametrize(
    ("said", "same", "across"),
    [
        ((), None, None),
        ((says("yes", "labs"),), None, None),
        ((says("yes", "labs"), says("yes", "labs")), 1.0, None),
        ((says("yes", "labs"), says("no", "labs")), 0.5, None),
        ((says("yes", "labs"), says("yes", "scan")), None, 1.0),
        ((says("yes", "labs"), says("yes", "labs"), says("no", "scan")), 1.0, 0.5),
        ((says("yes", "labs"), says("no", "labs"), says("no", "scan"), says("no", "scan")), 0.75, 0.5),
        ((says("yes"), says("yes"), says("no")), 2 / 3, None),
    ],
)
def test_agreement_is_told_apart(said: tuple[Reply, ...], same: float | None, across: float | None) -> None:
    assert agreement(said) == Agreement(same, across)


def test_only_those_that_saw_the_same_make_confidence() -> None:
    assert confidence((says("yes", "labs"), says("yes", "scan"))) == 0
    assert confidence((says("yes", "labs"),)) == 0
    assert confidence((says("yes"),)) == 1
    assert confidence((says("yes", "labs"), says("yes", "labs"), says("no", "scan"))) == 1


def test_a_consortium_is_not_content_with_agreement_across_parts() -> None:
    said = {"x:labs": "Answer: yes", "x:labs2": "Answer: no", "x:sight": "Answer: yes"}
    flow = consortium(ASKED, [LABS, OTHER_LABS, SIGHT], synthesise(AGG), confidence=0.6, rounds=2)
    played = play(flow, lambda call: said.get(call.agent, "done"))
    assert [ask.label for ask in played.asked] == ["round 1", "round 2", "aggregate"]
    assert played.answer.notes == (
        "agreement: 50% after 2 rounds, 60% wanted; 100% across those that saw different parts",
    )


@pytest.mark.parametrize(
    ("panel", "rounds"),
    [([LABS, SIGHT], 3), ([LABS, SIGHT, ALL], 3), ([LABS, OTHER_LABS, SIGHT], 1), ([ALL, Agent("x:all2")], 1)],
    ids=["two parts", "three kinds of sight", "two that saw the same", "all saw all"],
)
def test_a_debate_ends_on_agreement_only_where_some_saw_the_same(panel: list[Agent], rounds: int) -> None:
    played = play(debate(ASKED, panel, by_vote(), rounds=3), lambda call: "Answer: yes")
    assert len(played.asked) == rounds


def test_a_debate_goes_on_while_one_who_saw_another_part_disagrees() -> None:
    said = {"x:labs": "Answer: yes", "x:labs2": "Answer: yes", "x:sight": "Answer: no"}
    played = play(debate(ASKED, [LABS, OTHER_LABS, SIGHT], by_vote(), rounds=2), lambda call: said[call.agent])
    assert len(played.asked) == 2


def test_a_vote_is_not_sure_early_by_votes_of_those_who_saw_different_parts() -> None:
    """Four that agree are sure enough where all saw the same; else the vote goes on until no answer could change it."""
    alike, apart = (
        play(adaptive(ASKED, panel, batch=2), lambda call: "Answer: yes").asked
        for panel in ([LABS] * 10, [LABS, SIGHT] * 5)
    )
    assert (len(alike), len(apart)) == (2, 3)


def test_a_panel_that_cannot_be_compared_is_refused_where_agreement_decides() -> None:
    with pytest.raises(ConfigError, match="proposers: its members see different parts"):
        topology([[LABS, SIGHT]], AGG, "synthesise", layout=Layout("consortium"))
    topology([[LABS, OTHER_LABS, SIGHT]], AGG, "synthesise", layout=Layout("consortium"))
    with pytest.raises(ConfigError, match="first: its members see different parts"):
        play(escalate(ASKED, [LABS, LABS, SIGHT], topology([[ALL]], AGG, "synthesise")), echo)
    comparable([LABS], "first", all_of_them=True)
    with pytest.raises(ConfigError, match="proposers: one by itself agrees with itself"):
        comparable([LABS], "proposers")


def test_an_escalation_of_one_view_stops_where_it_agrees() -> None:
    full = topology([[ALL]], AGG, "synthesise")
    played = play(escalate(ASKED, [LABS, OTHER_LABS], full), lambda call: "Answer: yes")
    assert [ask.label for ask in played.asked] == ["first"]


def test_a_lone_agent_that_sees_nothing_says_what_it_looks_at() -> None:
    with pytest.raises(NotEnoughReplies, match="x:labs was not asked: the question has no part named labs"):
        play(vote((user("Hello?"),), [LABS]), echo)


def test_agreement_of_a_run_is_of_its_first_layer_with_or_without_named_parts() -> None:

    fake = Fake({"x:labs": "yes", "x:labs2": "yes", "x:sight": "no", "x:agg": "no"})
    mixture = Mixture([[LABS, OTHER_LABS, SIGHT], [SIGHT]], AGG, providers={"x": fake})
    named = mixture.ask_sync({"question": "Urgent?", "labs": "K", "scan": SCAN})
    assert agreement_of(named.view) == Agreement(1.0, 0.5)
    panel = [Agent(f"x:{name}") for name in ("labs", "labs2", "agg")]
    plain = Mixture([panel, panel[2:]], AGG, providers={"x": fake})
    assert agreement_of(plain.ask_sync("Urgent?").view) == Agreement(2 / 3, None)
    assert agreement_of(Mixture([[ALL]], AGG, providers={"x": fake}).ask_sync("Urgent?").view) is None


def test_a_model_that_abstains_is_counted_as_such_and_what_it_used_is_paid() -> None:
    fake = Fake({"x:labs": "ABSTAIN", "x:all": "Answer: no", "x:agg": "No."})
    answer = Mixture([[LABS, ALL]], AGG, providers={"x": fake}).ask_sync({"question": "Urgent?", "labs": "K"})
    assert [call.state for call in answer.view.calls] == ["abstained", "done", "done"]
    assert answer.view.calls[0].problem == "Abstained: x:labs has nothing to say"
    assert not answer.degraded
    assert [one.text for one in fake.asked[-1].call.references] == ["Answer: no"]
    used = sum(len(message.text.split()) for message in fake.asked[0].messages)
    assert answer.usage.input >= used + sum(call.usage.input for call in answer.proposals)


def test_a_schema_counts_its_second_answer_into_the_worst_cost() -> None:
    def price(model: str) -> Price:
        return Price(1.0, 1.0)

    plain, held = (
        plan(topology([[Agent("x:a", max_tokens=100, schema=schema)]], None, "vote"), ASKED, price).worst_cost
        for schema in ("", "{}")
    )
    assert plain is not None
    assert held is not None
    assert held > 2 * plain
