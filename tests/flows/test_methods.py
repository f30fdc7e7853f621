"""The methods, played with a list; each with a mutation that its test notices (a step dropped)."""

from __future__ import annotations

import pytest

from moa.core.agents import Agent
from moa.core.errors import CallError, NotEnoughReplies
from moa.core.flow import Combine, Outcomes, play
from moa.core.prompts import REFINE, SELECT, SYNTHESISE, display_order
from moa.core.types import Call, Conversation, Late, Reply, user
from moa.flows.combine import place_picked, select, synthesise
from moa.flows.fusion import fusion
from moa.flows.layered import layered
from moa.flows.rank import rank
from moa.flows.self_moa import self_moa
from moa.flows.vote import by_vote, decided, plurality, still_out, vote

QUESTION = (user("What is 2 + 2?"),)
A, B, C, D = (Agent(f"x:{name}") for name in "abcd")
DEAD = CallError("dead")


def replies(*texts: str) -> tuple[Reply, ...]:
    return tuple(Reply(text) for text in texts)


def test_layered_gives_each_layer_the_replies_of_the_one_before() -> None:
    played = play(layered(QUESTION, [[A, B], [C, D]], synthesise(Agent("x:agg"))), ["1", "2", "3", "4", "5"])
    first, second, last = played.asked
    assert played.answer.text == "5"
    assert [call.references for call in first.calls] == [(), ()]
    assert [[reference.text for reference in call.references] for call in second.calls] == [["1", "2"], ["1", "2"]]
    assert [reference.text for reference in last.calls[0].references] == ["3", "4"]
    assert [ask.calls[0].task for ask in played.asked] == ["", REFINE, SYNTHESISE]
    assert [ask.final for ask in played.asked] == [False, False, True]
    assert [ask.steps for ask in played.asked] == [3, 2, 1]


def test_one_dead_proposer_does_not_end_a_layered_run() -> None:
    played = play(layered(QUESTION, [[A, B, C]], synthesise(D)), [DEAD, "2", DEAD, "4"])
    assert played.answer.text == "4"
    assert [reference.text for reference in played.asked[1].calls[0].references] == ["2"]


def test_a_layer_that_fails_leaves_the_references_of_the_layer_before() -> None:
    played = play(layered(QUESTION, [[A, B], [C, D]], synthesise(Agent("x:agg"))), ["1", "2", DEAD, DEAD, "5"])
    assert [reference.text for reference in played.asked[2].calls[0].references] == ["1", "2"]


def test_without_any_proposal_the_aggregator_answers_alone_and_it_is_noted() -> None:
    played = play(layered(QUESTION, [[A, B]], synthesise(C)), [DEAD, DEAD, "4"])
    assert played.answer.text == "4"
    assert played.answer.notes[0].startswith("no proposal: layer 1: 0 of 1")


def test_with_everyone_dead_the_proposers_failure_is_raised() -> None:
    with pytest.raises(NotEnoughReplies, match="layer 1: 0 of 1 replies needed"):
        play(layered(QUESTION, [[A, B]], synthesise(C)), [DEAD, DEAD, DEAD])
    with pytest.raises(NotEnoughReplies):
        play(layered(QUESTION, [[A, B]], by_vote()), [DEAD, DEAD])


def test_a_failed_aggregator_is_stood_in_for_by_what_most_proposers_say() -> None:
    answer = play(
        layered(QUESTION, [[A, B, C]], synthesise(D)), ["Answer: 5", "Answer: 4", "It is 4. Answer: 4", DEAD]
    ).answer
    assert answer.text == "Answer: 4"
    assert answer.notes[0].startswith("fallback: the aggregator failed")


def test_the_same_agent_twice_in_a_layer_gives_two_samples() -> None:
    calls = play(layered(QUESTION, [[A, A, B]], by_vote()), ["1", "1", "1"]).asked[0].calls
    assert [call.sample for call in calls] == [0, 1, 0]
    assert len({call.key for call in calls}) == 3


def test_a_mixture_may_stand_in_a_layer_and_does_not_stream() -> None:
    def inner(conversation: Conversation) -> object:
        return layered(conversation, [[B]], synthesise(C))

    played = play(layered(QUESTION, [[A], [A, inner]], synthesise(D)), lambda call: call.model)  # type: ignore[list-item]
    assert [ask.calls[0].model for ask in played.asked] == ["x:a", "x:a", "x:b", "x:c", "x:d"]
    assert [ask.final for ask in played.asked] == [False, False, False, False, True]
    assert "Response 1:\n> x:a" in played.asked[2].calls[0].conversation[-1].text
    assert [reference.text for reference in played.asked[-1].calls[0].references] == ["x:a", "x:c"]


def test_a_mixture_may_aggregate_and_then_it_streams() -> None:
    def inner(conversation: Conversation) -> object:
        return layered(conversation, [[B]], synthesise(C))

    played = play(layered(QUESTION, [[A]], synthesise(inner)), lambda call: call.model)  # type: ignore[arg-type]
    assert played.answer.text == "x:c"
    assert played.asked[-1].final


def test_self_moa_takes_samples_of_one_agent() -> None:
    played = play(self_moa(QUESTION, A, 3, synthesise(A)), ["1", "2", "3", "4"])
    assert [call.sample for call in played.asked[0].calls] == [0, 1, 2]
    assert len({call.key for call in played.asked[0].calls}) == 3
    assert [reference.text for reference in played.asked[1].calls[0].references] == ["1", "2", "3"]


def test_vote_returns_what_most_agents_say_and_stops_when_it_is_decided() -> None:
    played = play(vote(QUESTION, [A, B, C, D]), ["Answer: 5", "Answer: 4", "Answer: 4.0", "Answer: 4"])
    assert played.answer.text == "Answer: 4"
    early = play(vote(QUESTION, [A, B, C]), ["Answer: 4", "so it is 4\nAnswer: 4"])
    assert early.answer.text == "Answer: 4"


def test_a_vote_between_equals_goes_to_the_answer_given_first() -> None:
    assert plurality(replies("Answer: 2", "Answer: 1", "Answer: 1", "Answer: 2")).text == "Answer: 2"


def test_a_reply_without_an_answer_of_the_kind_has_no_vote() -> None:
    assert plurality(replies("I do not know", "I do not know", "It is 4"), "number").text == "It is 4"
    assert plurality(replies("none", "here"), "number").text == "none"


def standing(outcomes: Outcomes) -> bool:
    return decided(outcomes.replies, still_out(outcomes))


def test_a_vote_is_decided_only_when_no_call_still_out_can_change_it() -> None:
    late = Late(A.call(QUESTION))
    assert not standing(Outcomes((Reply("4"), late)))
    assert not standing(Outcomes((Reply("4"), Reply("4"), Reply("5"), late)))
    assert standing(Outcomes((Reply("4"), Reply("4"), late)))
    assert not standing(Outcomes((Reply("4"), Reply("5"), late, late)))
    assert standing(Outcomes((Reply("4"), DEAD)))


def test_select_returns_the_picked_reference_word_for_word() -> None:
    def answer(call: Call) -> str:
        if call.role != "judge":
            return {"x:a": "It is 5", "x:b": "It is 4"}[call.model]
        assert call.task == SELECT
        shown = [call.references[index].text for index in display_order(call)]
        return f"Reasons …\nBest: Response {shown.index('It is 4') + 1}"

    played = play(layered(QUESTION, [[A, B]], select(C)), answer)
    assert (played.answer.text, played.answer.agent) == ("It is 4", "x:b")
    assert not played.asked[-1].final


PLACES = replies("It is Oslo, on the fjord", "Paris, I think, on the Seine", "It is Paris, on the river Seine", "Rome")
OTHERWISE = "select: the judge picks another one in the other order; this is the one more like the rest"


def test_a_judge_who_selects_sees_all_in_both_orders() -> None:
    calls = play(select(D)(QUESTION, PLACES), ["Best: Response 1", "Best: Response 4"]).asked[0].calls
    first, second = ([call.references[place] for place in display_order(call)] for call in calls)
    assert first == second[::-1]
    assert sorted(map(id, first)) == sorted(map(id, PLACES))


def test_a_judge_who_selects_by_the_place_is_told_of_and_takes_what_most_say() -> None:
    """Whatever stands first, and whatever stands last: of the two the one stands that is more like the others."""
    for wanted in ("Best: Response 1", "Best: Response 4"):
        played = play(select(D)(QUESTION, PLACES), [wanted, wanted])
        first, *_, last = (played.asked[0].calls[0].references[at] for at in display_order(played.asked[0].calls[0]))
        assert played.answer.text == max(
            first.text, last.text, key=["Rome", *(PLACES[at].text for at in (1, 0, 2))].index
        )
        assert played.answer.notes == (OTHERWISE,)
    votes = replies("Answer: 5", "Answer: 4", "So: Answer: 4")
    one, two = play(select(D, "number")(QUESTION, votes), ["Answer: 5", "Answer: 4"]).answer, votes[1]
    assert (one.text.removeprefix("So: "), one.notes) == (two.text, (OTHERWISE,))


def test_a_judge_who_selects_the_same_answer_in_both_orders_is_no_doubt() -> None:
    votes = replies("Answer: 5", "Answer: 4", "So: Answer: 4")
    assert play(select(D, "number")(QUESTION, votes), ["Answer: 5", "Answer: 5"]).answer == votes[0]
    shown = play(select(D)(QUESTION, votes), ["Answer: 4", "I take Answer: 4"]).answer
    assert (shown.text[-1], shown.notes) == ("4", ())


@pytest.mark.parametrize("other", [DEAD, "I cannot say."])
def test_a_judge_who_selects_in_one_order_only_is_told_of(other: object) -> None:
    played = play(select(D)(QUESTION, PLACES), [other, "Answer: Rome"])
    assert (played.answer.text, played.answer.notes) == ("Rome", ("select: the judge could be read in one order only",))


CHOICES = replies("I think (B) since x", "Sure it is (C)", "Hmm... (C) then")


@pytest.mark.parametrize(
    "combine", [synthesise(D, None, "choice"), select(D, "choice"), fusion(D, D, "choice"), rank([D], kind="choice")]
)
def test_who_stands_in_gives_the_answer_that_most_give_of_that_kind(combine: Combine) -> None:
    assert play(combine(QUESTION, CHOICES), [DEAD, DEAD]).answer.text == "Sure it is (C)"


def test_where_the_judge_picks_none_the_answer_that_most_give_of_that_kind_stands() -> None:
    assert play(select(D, "choice")(QUESTION, CHOICES), ["I cannot say."]).answer.text == "Sure it is (C)"


def test_a_verdict_that_states_an_answer_of_the_kind_picks_who_gives_it() -> None:
    assert place_picked("Mostly sound. Answer: C", CHOICES, "choice") == 1
    assert place_picked("I weighed (B) and (C).", CHOICES, "choice") is None
    numbers = replies("it is 2", "it makes 7")
    assert place_picked("Answer: 7.0", numbers, "number") == 1
    assert place_picked("Answer: I take response 2", numbers, "number") is None
    assert place_picked("Of 7 steps one is wrong", numbers, "number") is None


def test_a_judge_may_repeat_an_answer_instead_of_naming_a_response() -> None:
    shown = replies("so: Answer: 5", "so: Answer: 4")
    assert place_picked("I think\nAnswer: 4", shown) == 1
    assert place_picked("**Best:** response 1", shown) == 0
    assert place_picked("Best: Response 7", shown) is None


def test_a_judge_that_picks_nothing_or_fails_leaves_it_to_the_vote_and_it_is_noted() -> None:
    for verdict in ("neither", DEAD):
        answer = play(
            layered(QUESTION, [[A, B, C]], select(D)), ["Answer: 5", "Answer: 4", "Answer: 4", verdict]
        ).answer
        assert answer.text == "Answer: 4"
        assert answer.notes[0].startswith("fallback")


def test_a_single_reference_needs_no_judge() -> None:
    assert len(play(layered(QUESTION, [[A]], select(B)), ["4"]).asked) == 1


def test_the_same_mixture_twice_in_a_layer_gives_two_samples_with_seeds_of_their_own() -> None:
    seeded = Agent("x:s", seed=7)

    def inner(conversation: Conversation) -> object:
        return layered(conversation, [[seeded]], by_vote())

    asked = play(layered(QUESTION, [[inner, inner, seeded, seeded]], by_vote()), lambda call: "4").asked  # type: ignore[list-item]
    calls = [call for ask in asked for call in ask.calls]
    assert len({call.key for call in calls}) == 4 - 1  # the plain agent's first sample is the mixture's first call
    assert [call.sampling.seed for call in calls] == [7, 1007, 7, 8]


def test_the_same_model_under_two_names_gives_two_samples() -> None:
    twice = [Agent("x:a"), Agent("x:a", name="other")]
    calls = play(layered(QUESTION, [twice], by_vote()), lambda call: "4").asked[0].calls
    assert [call.sample for call in calls] == [0, 1]


def test_late_replies_of_a_kept_step_join_the_next_layer() -> None:
    late = Outcomes((Reply("on time"),))
    late.late = (Reply("late"),)
    flow = layered(QUESTION, [[A]], synthesise(B))
    flow.send(None)
    ask = flow.send(late)
    assert [reference.text for reference in ask.calls[0].references] == ["late", "on time"]
    flow.close()


def test_with_a_window_the_aggregator_reads_so_many_at_a_time_its_own_last_answer_first() -> None:
    """Self-MoA-Seq."""
    combine = synthesise(Agent("x:agg"), window=3)
    played = play(combine(QUESTION, replies(*"abcdef")), ["one", "two", "three"])
    shown = ["".join(reference.text for reference in ask.calls[0].references) for ask in played.asked]
    assert shown == ["abc", "onede", "twof"]
    assert (played.answer.text, [ask.final for ask in played.asked]) == ("three", [False, False, True])


def test_an_aggregator_that_fails_at_its_second_window_leaves_it_to_the_proposals() -> None:
    played = play(synthesise(Agent("x:agg"), window=2)(QUESTION, replies("4", "5", "4")), ["one", DEAD])
    assert played.answer.text == "4"
    assert played.answer.notes[0].startswith("fallback")
