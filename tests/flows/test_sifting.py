"""Copies count once, who stands far outside can be left out, and an honest panel loses nobody for nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from moa.core.agents import Agent
from moa.core.flow import play
from moa.core.types import Reply, user
from moa.flows.combine import synthesise
from moa.flows.layered import repeats
from moa.flows.sift import cut_short, distinct, outsider, sifted
from moa.flows.topology import topology
from moa.flows.vote import by_vote

QUESTION = (user("Why is the sky blue?"),)
HONEST = tuple(
    Reply(text, agent=name)
    for name, text in (
        (
            "a",
            "The sky is blue because air scatters blue light more than red light, which is called Rayleigh scattering.",
        ),
        ("b", "Air scatters blue light more than red light: this Rayleigh scattering is why the sky is blue."),
        (
            "c",
            "Because of Rayleigh scattering the sky is blue: blue light is scattered more by the air than red light.",
        ),
        ("d", "The sky is blue since the air scatters blue light far more than red light (Rayleigh scattering)."),
    )
)
LIAR = Reply("Oceans paint heaven with their reflection, as every sailor learns at sea.", agent="liar")
LONG = "This sentence has been written again and again to look like agreement of many. " * 4


def test_a_thousand_copies_are_one_voice() -> None:
    crowd = (*HONEST, *(Reply(f"{LONG}{number}", agent=f"sybil {number}") for number in range(1000)))
    assert [one.agent for one in distinct(crowd)] == ["a", "b", "c", "d", "sybil 0"]


def test_copies_do_not_win_a_vote_and_do_not_fill_the_aggregators_prompt() -> None:
    crowd = (
        Reply("4", agent="a"),
        Reply("4", agent="b"),
        *(Reply(f"{LONG}\nAnswer: 5", agent=f"s{n}") for n in range(9)),
    )
    reply = play(sifted(by_vote())(QUESTION, crowd), []).answer
    assert (reply.text, reply.notes) == ("4", ("sifted: 8 copies count once",))
    asked = play(sifted(synthesise(Agent("x:agg")))(QUESTION, crowd), ["done"]).asked
    assert len(asked[0].calls[0].references) == 3


def test_copies_do_not_make_the_medoid() -> None:
    flow = topology([[Agent(f"x:{name}", name=name) for name in ("s1", "s2", "s3", "a", "b")]], None, "medoid")
    played = play(flow(QUESTION), [*[LONG] * 3, *(one.text for one in HONEST[:2])])
    assert (played.answer.agent in ("a", "b"), played.answer.notes) == (True, ("sifted: 2 copies count once",))


def test_short_answers_may_be_the_same_by_themselves() -> None:
    same = tuple(Reply("4", agent=name) for name in "abc")
    assert distinct(same) == same
    assert play(sifted(by_vote())(QUESTION, same), []).answer.notes == ()


def at_length(one: Reply, more: str = "") -> Reply:
    return replace(one, text=" ".join([one.text] * 3) + more)


PANEL, LONG_LIAR = tuple(map(at_length, HONEST)), at_length(LIAR)


def test_one_that_is_like_none_of_others_that_are_alike_stands_outside() -> None:
    assert outsider((*PANEL, LONG_LIAR)) is LONG_LIAR
    reply = play(sifted(by_vote(), outliers=True)(QUESTION, (*PANEL, LONG_LIAR)), []).answer
    assert reply.notes == ("sifted: liar stands far outside",)
    assert outsider((*PANEL, at_length(LIAR, "\nAnswer: 7"))) is not None  # the others state none


def test_words_that_stand_in_all_texts_do_not_bring_one_in() -> None:
    small = "And it is so that all of us are to be in it, as it was and as it is, for you and me and for all that is. "
    panel = tuple(replace(one, text=small + one.text) for one in PANEL)
    assert outsider((*panel, replace(LONG_LIAR, text=small + LONG_LIAR.text))) is not None


def test_what_is_cut_off_another_is_no_opinion_of_its_own() -> None:
    whole = Reply(WORKING + LONG + "So it is 140 km.", agent="a")
    piece = Reply(WORKING[:220], agent="cutter")
    other = Reply(PANEL[0].text, agent="b")
    assert cut_short((piece, other, whole)) == (piece,)
    assert cut_short((piece, other)) == ()
    assert (
        cut_short((replace(piece, text=WORKING), replace(whole, text=WORKING + "So it is 140 km."))) == ()
    )  # a summary
    assert cut_short((replace(piece, text=WORKING[:220] + "\nAnswer: 7"), whole)) == ()  # which the other does not say
    reply = play(sifted(by_vote(), outliers=True)(QUESTION, (piece, other, whole)), []).answer
    assert "sifted: cutter only says a piece of what another says" in reply.notes


def test_an_honest_panel_loses_nobody() -> None:
    assert outsider(PANEL) is None
    assert outsider((*PANEL[:2], LONG_LIAR)) is None  # too few to tell who is outside
    texts = ("a ship at sea", "one red apple", "seven sleeping dogs", "the price of tin", "blue light")
    assert outsider(tuple(at_length(Reply(text * 6)) for text in texts)) is None


@pytest.mark.parametrize(
    "texts",
    [
        ("Yes", "Yes", "Yes", "No: the potassium is above six, so this is an emergency."),
        ("Yes.", "Yes.", "No.", "Yes, definitely: urgent"),
        ("Paris.", "Paris", "Paris.", "It is the city on the Seine: Paris, capital of France since 987."),
        ("Answer: 4", "Answer: 4", "Answer: 4", "2 + 2 makes four, so it's four"),
        ("B", "B", "B", "B", "C", "D"),
        ("def f(x): return x+1", "def f(x): return x+1", "def f(x): return x+1", "f = lambda n: n + 1"),
        ("It is four, as I have shown.\n" * 9, "It is four, as I have shown.\n" * 8, "It is four.\n" * 20, "4"),
    ],
)
def test_nobody_stands_outside_who_is_short_or_among_short_ones(texts: tuple[str, ...]) -> None:
    assert outsider(tuple(map(Reply, texts))) is None


def test_who_gives_the_same_answer_in_other_words_stays() -> None:
    odd = at_length(LIAR, "\nAnswer: 7")
    assert outsider((*(at_length(one, "\nAnswer: 7") for one in HONEST), odd)) is None
    assert outsider((*PANEL, odd, Reply("7"))) is None


def test_who_states_another_answer_than_the_others_state_stays() -> None:
    assert outsider((*(at_length(one, "\nAnswer: 7") for one in HONEST), at_length(LIAR, "\nAnswer: 8"))) is None


WORKING = "The train travels 60 km in the first hour and 80 km in the second hour. We add the two distances. " * 3


def test_texts_that_state_different_answers_are_no_copies_however_alike_their_working() -> None:
    votes = tuple(
        Reply(f"{WORKING}Answer: {number}", agent=agent) for number, agent in ((41, "a"), (42, "b"), (42, "c"))
    )
    assert [one.agent for one in distinct(votes)] == ["a", "b"]
    assert [one.agent for one in distinct((*votes, Reply(WORKING, agent="d")))] == ["a", "b", "d"]


def test_texts_that_differ_in_their_numbers_are_no_copies_unless_they_are_a_flood() -> None:
    said = tuple(Reply(f"{WORKING}So it is {number} km.", agent=str(number)) for number in range(1000))
    assert distinct(said[:10]) == said[:10]
    assert distinct((*said[:3], said[1])) == said[:3]
    assert distinct(said) == said[:1]
    answers = tuple(Reply(f"{WORKING}Answer: {number}") for number in range(100))
    assert distinct(answers) == answers


def test_a_layer_that_states_another_answer_says_something_new() -> None:
    assert not repeats(Reply(f"{WORKING}Answer: 42"), (Reply(f"{WORKING}Answer: 41"),))
    assert repeats(Reply(f"{WORKING}Answer: 42"), (Reply(f"{WORKING} Answer: 42"),))
