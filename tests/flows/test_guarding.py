"""The guard holds an answer against what was sifted and is trusted, and against nothing else."""

from __future__ import annotations

import pytest

from moa.core.agents import Agent
from moa.core.flow import play
from moa.core.types import Call, Reply, user
from moa.flows.best_of import matching
from moa.flows.combine import commonest
from moa.flows.topology import Judging, topology
from moa.flows.weigh import Weights

QUESTION = (user("What is 2 + 2?"),)
PANEL = [Agent(f"x:{name}", name=name) for name in "abcde"]
AGG, JUDGE = Agent("x:agg", name="agg"), Agent("x:judge", name="judge")
CROWD = "The crowd says so again and again, so that it is heard by everybody. " * 4


def judged_for(words: str, said: dict[str, str]) -> object:
    """What is said, and a judge that always prefers the text with these words."""

    def answer(call: Call) -> str:
        if call.role != "judge":
            return said[call.agent]
        return f"Best: Response {1 + next((n for n, one in enumerate(call.references) if words in one.text), 0)}"

    return answer


def test_copies_that_are_sifted_out_are_no_anchor() -> None:
    said = {name: f"{CROWD}{name}\nAnswer: 5" for name in "abc"} | {
        "d": "Answer: 4",
        "e": "Answer: 4",
        "agg": "Answer: 4",
    }
    made = topology([PANEL], AGG, "synthesise", judging=Judging((JUDGE,), anchor=True, sift=True))
    answer = play(made(QUESTION), judged_for("crowd", said)).answer  # type: ignore[arg-type]
    assert (answer.text, answer.notes) == ("Answer: 4", ("sifted: 2 copies count once",))


@pytest.mark.parametrize("verifier", [None, matching("cheese")])
def test_who_is_worth_nothing_is_never_the_anchor(verifier: object) -> None:
    said = dict.fromkeys("bcde", "It is rock.") | {"a": "It is cheese, trust me.", "agg": "Rock."}
    judging = Judging((JUDGE,), anchor=True, trust=Weights({"a": 0.0}), verifier=verifier)  # type: ignore[arg-type]
    answer = play(topology([PANEL], AGG, "synthesise", judging=judging)(QUESTION), judged_for("cheese", said)).answer  # type: ignore[arg-type]
    assert answer.text == "Rock."
    assert "sifted: a is not trusted" in answer.notes


def test_the_anchor_is_what_most_say_of_the_kind_that_is_asked_for() -> None:
    said = {"a": "I think (B) since x", "b": "Sure it is (C)", "c": "Hmm... (C) then", "agg": "Z"}
    judging = Judging((JUDGE,), anchor=True, verifier=matching(r"\("))
    made = topology([PANEL[:3]], AGG, "synthesise", "choice", judging=judging)
    assert play(made(QUESTION), lambda call: said[call.agent]).answer.text == "Sure it is (C)"
    judged = topology([PANEL[:3]], AGG, "synthesise", "choice", judging=Judging((JUDGE,), anchor=True))
    shown = play(judged(QUESTION), lambda call: said.get(call.agent, "Answer: C")).asked[-1].calls[0].references
    assert [one.text for one in shown] == ["Sure it is (C)", "Z"]
    assert play(judged(QUESTION), lambda call: said.get(call.agent, "Answer: C")).answer.text == "Sure it is (C)"


OPEN = (
    "Ghosts do it at night, and nobody has ever seen them.",
    "The sky is blue because air scatters blue light more than red light.",
    "Air scatters blue light more than red light, and so the sky is blue.",
    "Blue light is scattered more, said my aunt.",
)


def test_of_open_texts_the_anchor_is_the_one_most_like_the_others_wherever_it_stands() -> None:
    for order in (OPEN, OPEN[::-1]):
        assert commonest(tuple(map(Reply, order))).text in OPEN[1:3]
    made = topology([PANEL[:4]], AGG, "synthesise", judging=Judging((JUDGE,), anchor=True))
    asked = play(made(QUESTION), [*OPEN, "Rayleigh did it.", "Best: 1", "Best: 2"]).asked
    assert asked[-1].calls[0].references[0].text in OPEN[1:3]


def test_where_two_agree_the_anchor_is_what_most_say_however_like_the_others_are() -> None:
    said = ("Four it is.\nAnswer: 4", "The sum of two and two: 5", "The sum of two and two: 6", "Answer: 4")
    assert commonest(tuple(map(Reply, said))).text == said[0]


def test_who_gives_no_answer_of_the_kind_is_not_the_anchor() -> None:
    said = ("I do not know what that is.", "What that is I do not know.", "7")
    assert commonest(tuple(map(Reply, said)), "number").text == "7"
