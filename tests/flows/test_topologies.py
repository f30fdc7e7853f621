"""Ways to lay out who reads whom: sparse layers, trees, debate, refinement, consortium; and what they are equal to."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import pytest

from moa.core.agents import Agent
from moa.core.errors import CallError, ConfigError, NotEnoughReplies
from moa.core.flow import Outcome, play
from moa.core.prompts import CRITIQUE, DEBATE, KEEP, REFINE, REVISE, display_order
from moa.core.types import Call, Conversation, Reply, user
from moa.flows.agreement import confidence
from moa.flows.best_of import matching
from moa.flows.combine import synthesise
from moa.flows.consortium import consortium
from moa.flows.debate import debate
from moa.flows.escalate import escalate
from moa.flows.layered import layered
from moa.flows.refine import refine
from moa.flows.sparse import passed_on, sparse
from moa.flows.topology import Judging, Layout, MakeFlow, topology
from moa.flows.tree import tree
from moa.flows.vote import by_vote

QUESTION: Conversation = (user("What is 2 + 2?"),)
A, B, C, D = (Agent(f"x:{name}", name=name) for name in "abcd")
AGG, JUDGE = Agent("x:agg"), Agent("x:judge")
DOWN = CallError("down")


def shown(call: Call) -> list[str]:
    return [call.references[place].text for place in display_order(call)]


def said(call: Call) -> str:
    """Every call answers who it is, and what it was shown."""
    return f"{call.agent}({','.join(shown(call))})"


def test_the_next_layer_reads_only_what_the_judge_keeps() -> None:
    def answer(call: Call) -> str:
        if call.agent == "x:judge":
            return f"Keep: {', '.join(str(place + 1) for place, text in enumerate(shown(call)) if text != 'c()')}"
        return said(call)

    played = play(sparse(QUESTION, [[A, B, C], [D]], synthesise(AGG), JUDGE, keep=2), answer)
    keep, second = played.asked[1], played.asked[2]
    assert keep.calls[0].task == KEEP.format(keep=2)
    assert [reference.text for reference in second.calls[0].references] == ["a()", "b()"]
    assert second.calls[0].task == REFINE


def test_the_judge_may_end_the_rounds() -> None:
    def answer(call: Call) -> str:
        return "Keep: 1, 2\nStop" if call.agent == "x:judge" else said(call)

    played = play(sparse(QUESTION, [[A, B, C], [D], [D]], synthesise(AGG), JUDGE, keep=2), answer)
    assert [ask.label for ask in played.asked] == ["layer 1", "keep", "aggregate"]


@pytest.mark.parametrize("verdict", ["hm", "Keep: 9", DOWN])
def test_a_judge_that_cannot_be_read_passes_all_on_and_it_is_said(verdict: Outcome | str) -> None:
    references = tuple(map(Reply, "123"))
    kept, stop, note = play(passed_on(JUDGE, QUESTION, references, 2), [verdict]).answer  # type: ignore[arg-type]
    assert (kept, stop, note[:19]) == (references, False, "fallback: the judge")
    played = play(sparse(QUESTION, [[A, B, C]], synthesise(AGG), JUDGE, keep=2), ["1", "2", "3", verdict, "done"])
    assert played.answer.notes == (note,)


@pytest.mark.parametrize(
    ("verdict", "kept"),
    [
        ("Keep: 1, 2, 3, 4", "12"), ("Keep: Response 3, Response 1", "13"), ("Keep: 2, 2 and 4.", "24"), ("Keep: 4", "4"),
        ("I keep both.\nKeep: **1** and 3\nStop", "13"), ("Keep: 1 because 2 is wrong", "1"), ("Keep:\n2, 3", "23"),
    ],
)  # fmt: skip
def test_no_more_is_kept_than_may_be(verdict: str, kept: str) -> None:
    def judged(call: Call) -> str:  # it names them as they are shown to it
        return re.sub(r"\d", lambda match: str(shown(call).index(match[0]) + 1), verdict)

    passed, stop, note = play(passed_on(JUDGE, QUESTION, tuple(map(Reply, "1234")), 2), judged).answer
    assert ("".join(reply.text for reply in passed), stop, note) == (kept, "Stop" in verdict, "")


def test_the_judge_is_shown_no_copies() -> None:
    copy = "The crowd speaks with one voice, again and again. " * 5

    def answer(call: Call) -> str:
        return "Keep: 1, 2" if call.agent == "x:judge" else copy if call.agent in ("a", "b") else said(call)

    played = play(sparse(QUESTION, [[A, B, C, D], [A]], synthesise(AGG), JUDGE, keep=2), answer)
    assert sorted(map(len, shown(played.asked[1].calls[0]))) == [3, 3, len(copy)]
    assert played.answer.notes == ("sifted: 1 copies are shown to no other layer",)
    fewer = play(sparse(QUESTION, [[A, B, C], [A]], synthesise(AGG), JUDGE, keep=2), answer)
    assert [ask.label for ask in fewer.asked] == ["layer 1", "layer 2", "aggregate"]


def test_each_group_is_fused_by_itself_and_only_the_last_fusion_is_streamed() -> None:
    played = play(tree(QUESTION, [[A, B], [C, D]], synthesise(AGG)), said)
    assert [[call.agent for call in ask.calls] for ask in played.asked] == [
        ["a", "b"],
        ["x:agg"],
        ["c", "d"],
        ["x:agg"],
        ["x:agg"],
    ]
    assert [ask.final for ask in played.asked] == [False] * 4 + [True]
    assert sorted(text[:6] for text in shown(played.asked[-1].calls[0])) == ["x:agg("] * 2


def test_a_group_that_fails_is_left_out_and_none_at_all_is_an_error() -> None:
    dead = play(tree(QUESTION, [[A, B], [C, D]], by_vote()), [DOWN, DOWN, "4", "4"])
    assert dead.answer.text == "4"
    with pytest.raises(CallError):
        play(tree(QUESTION, [[A], [B]], by_vote()), [DOWN] * 5)


def test_what_becomes_of_a_group_is_noted() -> None:
    played = play(tree(QUESTION, [[A], [B], [C]], synthesise(AGG)), ["4", DOWN, DOWN, DOWN, "5", "five", "nine"])
    assert (played.answer.text, [note.partition(" (")[0] for note in played.answer.notes]) == (
        "nine",
        ["group 1: fallback: the aggregator failed, this is a proposal", "group 2: it is left out"],
    )


def test_in_a_debate_each_reads_the_others_and_keeps_its_own_as_its_own() -> None:
    played = play(debate(QUESTION, [A, B, C], by_vote(), rounds=2), ["4", "5", "6", "4", "4", "6"])
    second = played.asked[1]
    assert played.answer.text == "4"
    for call, own in zip(second.calls, "456", strict=True):
        assert [turn.role for turn in call.conversation] == ["user", "assistant", "user"]
        assert (call.conversation[1].text, call.conversation[2].text) == (own, DEBATE)
        assert sorted(shown(call)) == sorted(set("456") - {own})


def test_a_debate_ends_when_all_agree() -> None:
    assert len(play(debate(QUESTION, [A, B], by_vote(), rounds=5), ["4", "Answer: 4"]).asked) == 1


def test_who_fails_in_a_debate_keeps_its_last_word() -> None:
    played = play(debate(QUESTION, [A, B, C], by_vote(), rounds=2), ["4", "5", "4", DOWN, "5", DOWN])
    assert played.answer.text == "4"
    with pytest.raises(NotEnoughReplies):
        play(debate(QUESTION, [A, B], by_vote()), [DOWN] * 4)


def test_an_answer_is_criticised_and_revised_until_no_fault_is_found() -> None:
    played = play(refine(QUESTION, A, B, C, rounds=3), ["5", "It is 4.", "4", "No faults."])
    first, critique, revise, again = played.asked
    assert played.answer.text == "4"
    assert critique.calls[0].task == CRITIQUE
    assert (revise.calls[0].task, shown(revise.calls[0])) == (REVISE, ["5", "It is 4."])
    assert shown(again.calls[0]) == ["4"]
    assert not first.final


@pytest.mark.parametrize("script", [["5", DOWN], ["5", "It is 4.", DOWN]])
def test_without_critic_or_reviser_the_answer_stands_and_it_is_said(script: list[Outcome | str]) -> None:
    answer = play(refine(QUESTION, A, B, C), script).answer
    assert (answer.text, answer.notes[0][:9]) == ("5", "fallback:")


def test_a_consortium_asks_again_until_enough_agree() -> None:
    played = play(
        consortium(QUESTION, [A, B, C], synthesise(AGG), confidence=0.9), ["4", "5", "4", "4", "4", "4", "four"]
    )
    assert [ask.label for ask in played.asked] == ["round 1", "round 2", "aggregate"]
    assert [reference.text for reference in played.asked[1].calls[0].references] == ["4", "5", "4"]
    assert played.answer.notes == ()


def test_copies_do_not_make_a_consortium_agree() -> None:
    copy = "The crowd speaks with one voice, again and again. " * 5 + "Answer: 5"
    played = play(
        consortium(QUESTION, [A, B, C, D], synthesise(AGG), confidence=0.7, rounds=2),
        [copy, copy, copy, "4", "4", "4", "4", copy, "four"],
    )
    assert [len(ask.calls) for ask in played.asked] == [4, 4, 1]
    assert sorted(map(len, shown(played.asked[1].calls[0]))) == [1, len(copy)]


def test_a_consortium_that_never_agrees_says_how_far_it_came() -> None:
    played = play(consortium(QUESTION, [A, B], by_vote(), confidence=1.0, rounds=2), ["4", "5", "4", "5"])
    assert played.answer.notes == ("agreement: 50% after 2 rounds, 100% wanted",)
    with pytest.raises(NotEnoughReplies):
        play(consortium(QUESTION, [A, B], by_vote()), [DOWN] * 6)


def test_agreement_is_measured_and_who_says_nothing_agrees_with_nobody() -> None:
    assert confidence(tuple(map(Reply, ("Answer: 4", "4", "5", ""))), "number") == 0.5
    assert confidence(()) == 0


def test_residual_layers_read_what_older_ones_said_and_the_newer_do_not_repeat() -> None:
    script = ["one two three", "four five six", "one two three", "seven eight nine", "done"]
    played = play(layered(QUESTION, [[A, B], [C, D]], synthesise(AGG), residual=True), script)
    read = [reference.text for reference in played.asked[-1].calls[0].references]
    assert read == ["one two three", "seven eight nine", "four five six"]


def test_a_residual_layer_that_says_nothing_new_is_the_last() -> None:
    script = ["one two three", "four five six", "four five six", "one two three", "done"]
    played = play(layered(QUESTION, [[A, B], [A, B], [A, B]], synthesise(AGG), residual=True), script)
    assert [ask.label for ask in played.asked] == ["layer 1", "layer 2", "aggregate"]


def cascade(first: list[Agent], **more: object) -> MakeFlow:
    return partial(escalate, first=first, full=partial(layered, layers=[[C, D]], combine=synthesise(AGG)), **more)  # type: ignore[arg-type]


def test_a_panel_that_agrees_answers_by_itself() -> None:
    played = play(cascade([A, B])(QUESTION), ["4", "Answer: 4"])
    assert (played.answer.text, [ask.label for ask in played.asked]) == ("4", ["first"])


@pytest.mark.parametrize("drafts", [["4", "5"], ["4", DOWN], [DOWN, DOWN]])
def test_where_it_does_not_the_mixture_answers_and_does_not_see_the_drafts(drafts: list[Outcome | str]) -> None:
    played = play(cascade([A, B])(QUESTION), [*drafts, "6", "6", "six"])
    assert (played.answer.text, [ask.label for ask in played.asked]) == ("six", ["first", "layer 1", "aggregate"])
    assert all(call.references == () for call in played.asked[1].calls)


def test_a_share_of_the_panel_may_suffice() -> None:
    assert len(play(cascade([A, B, C], agree=0.6)(QUESTION), ["4", "4", "5"]).asked) == 1


def test_one_model_by_itself_needs_a_check_and_an_agreed_answer_must_pass_it_too() -> None:
    assert len(play(cascade([A])(QUESTION), ["4", "6", "6", "six"]).asked) == 3
    passes = matching("^4$")
    assert len(play(cascade([A], verifier=passes)(QUESTION), ["4"]).asked) == 1
    assert len(play(cascade([A, B], verifier=passes)(QUESTION), ["5", "5", "6", "6", "six"]).asked) == 3


def critic_and(judge: str) -> Callable[[Call], str]:
    """A first answer, revisions, a critic that finds faults, and a judge that prefers one text."""

    def answer(call: Call) -> str:
        if call.role != "judge":
            return "good" if call.role == "proposer" else "spoilt"
        return f"Best: {1 + shown(call).index(judge)}" if len(call.references) > 1 else "It is too short."

    return answer


def refined(rounds: int, verifier: object = None) -> MakeFlow:
    judging = Judging((JUDGE,), anchor=True, verifier=verifier)  # type: ignore[arg-type]
    return topology([[A]] * rounds, AGG, "synthesise", layout=Layout("refine"), judging=judging)


def test_a_guarded_revision_to_which_the_judge_prefers_the_answer_before_is_the_last() -> None:
    played = play(refined(3)(QUESTION), critic_and("good"))
    assert played.answer.text == "good"
    assert played.answer.notes == ("guard: the judge prefers the answer before to the revision, in both orders",)
    assert [ask.label for ask in played.asked] == ["a", "critique 1", "revise 1", "guard"]
    assert not any(ask.final for ask in played.asked)


def test_a_guarded_revision_that_is_no_worse_stands_and_is_revised_again() -> None:
    script = ["1", "short", "2", "Best: 2", "Best: 1", "short", "3", "Best: 2", "Best: 1"]
    played = play(refined(2)(QUESTION), script)
    assert (played.answer.text, played.answer.notes) == ("3", ())
    assert [ask.steps for ask in played.asked[1:]] == [6, 5, 4, 3, 2, 1]


def test_a_revision_that_fails_the_verifier_gives_way_to_an_answer_that_passes() -> None:
    answer = play(refined(1, matching("good"))(QUESTION), critic_and("spoilt")).answer
    assert answer.text == "good"
    assert answer.notes == ("guard: the answer before passes the verifier, the revision does not",)


@pytest.mark.parametrize(
    ("members", "rules"), [(4, {"least": 3}), (4, {"need": 3}), (5, {"least": 2}), (5, {"need": 2})]
)
def test_a_tree_whose_groups_could_never_have_so_many_replies_is_refused(members: int, rules: dict[str, int]) -> None:
    panel = [Agent(f"x:{n}", name=f"{n}") for n in range(members)]
    with pytest.raises(ConfigError, match="replies cannot come from a group of"):
        topology([panel], Agent("x:agg", name="agg"), "synthesise", layout=Layout("tree", group=2), **rules)  # type: ignore[arg-type]
    topology([panel], Agent("x:agg", name="agg"), "synthesise", layout=Layout("tree", group=members), **rules)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["vote", "medoid", "pool"])
def test_a_guard_with_a_verifier_needs_no_judge(how: str) -> None:
    panel = [Agent(f"x:{name}", name=name) for name in "abc"]
    made = topology([panel], None, how, judging=Judging(anchor=True, verifier=lambda text: float("0.5" in text)))
    said = {"a": "Answer: 0.2", "b": "Answer: 0.2", "c": "Answer: 0.5"}
    assert "0.5" in play(made((user("Q?"),)), lambda call: said[call.agent]).answer.text
    with pytest.raises(ConfigError, match="guard needs an agent that judges"):
        topology([panel], None, how, judging=Judging(anchor=True))


def test_copies_among_the_first_agree_with_nobody() -> None:
    first = [Agent(f"x:{name}", name=name) for name in "abcde"]
    copy = "This is a text that has been written to look like the agreement of many. " * 5 + "\nAnswer: 9"
    said = {"a": copy, "b": copy, "c": copy, "d": "4", "e": "4"}

    async def full(conversation: Conversation) -> Reply:
        return Reply("full")

    def answer(agree: float) -> str:
        return play(escalate((user("Q?"),), first, full, agree), lambda call: said[call.agent]).answer.text

    assert answer(0.6) == "full"
    assert answer(0.4) == "4"
