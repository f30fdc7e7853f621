"""A vote closes as soon as it is decided, by number or by weight, with and without a sieve: with the answer that all would give."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moa.core.agents import Agent
from moa.core.flow import play
from moa.core.types import Reply, user
from moa.flows.answers import answer_of
from moa.flows.members import Member
from moa.flows.sift import sifted
from moa.flows.topology import Judging, Layout, combiner, topology
from moa.flows.weigh import Weights

QUESTION = (user("What is 2 + 2?"),)
NAMES = "abcdefg"
PANEL: list[Member] = [Agent(f"x:{name}", name=name) for name in NAMES]
LONG = "I have counted it on my fingers, once and then once more, and I am sure of it now. " * 3


def heard(
    texts: list[str], *, judging: Judging | None = None, layers: int = 1, **more: object
) -> tuple[str, list[int]]:
    """The answer, and how many of each layer were heard."""
    made = topology([PANEL[: len(texts)]] * layers, None, "vote", judging=judging, **more)  # type: ignore[arg-type]
    spoke: list[int] = []

    def said(call: object) -> str:
        spoke.append(len(spoke))
        return texts[(len(spoke) - 1) % len(texts)]

    return play(made(QUESTION), said).answer.text, spoke


def test_a_weighted_vote_closes_when_what_is_out_weighs_less_than_the_lead() -> None:
    trust = Judging(trust=Weights({"a": 5.0, "b": 1.0, "c": 1.0, "d": 1.0}))
    assert heard(["4", "5", "5", "5"], judging=trust) == ("4", [0])
    even = Judging(trust=Weights({"a": 0.3, "b": 0.1, "c": 0.2}))
    assert len(heard(["4", "5", "5"], judging=even)[1]) == 3, "0.1 + 0.2 is no lead over 0.3, nor the other way round"
    nothing = Judging(trust=Weights({"a": 0.0}))
    assert heard(["5", "4", "4"], judging=nothing) == ("4", [0, 1, 2])


def test_the_last_of_several_layers_closes_when_it_is_decided() -> None:
    assert len(heard(["4", "4", "4", "5", "5"], layers=2)[1]) == 5 + 3
    weighed = Judging(trust=Weights({"a": 9.0}))
    assert len(heard(["4", "4", "4", "5", "5"], layers=2, judging=weighed)[1]) == 5 + 1


def test_as_many_are_heard_as_are_wanted_at_least() -> None:
    assert len(heard(["4", "4", "4", "5", "5"], least=4)[1]) == 4


def test_with_need_as_many_are_heard_whatever_is_decided() -> None:
    for layers in ([PANEL[:4]], [PANEL[:4]] * 2):  # and those late in an earlier layer have a vote, too
        made = topology(layers, None, "vote", need=4)
        assert play(made(QUESTION), lambda call: "4").asked[-1].until is None


def test_a_sifted_vote_closes_on_short_answers_and_waits_for_what_may_be_a_copy() -> None:
    sift = Judging(sift=True)
    assert len(heard(["4", "4", "4", "5", "5"], judging=sift)[1]) == 3
    copies = [f"{LONG}Answer: 4"] * 3
    assert heard([*copies, "5", "5"], judging=sift) == ("5", [0, 1, 2, 3, 4])


def test_where_all_are_held_against_something_else_no_vote_closes_early() -> None:
    judging = Judging((Agent("x:j"),), anchor=True, verifier=lambda text: 1.0)
    for more in (dict[str, object](judging=judging), dict[str, object](layout=Layout(residual=True), layers=2)):
        assert len(heard(["4", "4", "4"], **more)[1]) in (3, 6)  # type: ignore[arg-type]


texts = st.sampled_from(["4", "5", "6", f"{LONG}Answer: 4", f"{LONG}Answer: 5", f"{LONG}!Answer: 5", "Who knows?"])


@given(
    st.lists(st.tuples(texts, st.sampled_from([0.0, 0.1, 0.2, 0.3, 1.0, 2.5])), min_size=1, max_size=7),
    st.booleans(),
    st.booleans(),
)
def test_it_is_the_answer_that_all_would_give(said: list[tuple[str, float]], sift: bool, weighed: bool) -> None:
    weights = Weights({name: weight for name, (_, weight) in zip(NAMES, said, strict=False)}) if weighed else None
    judging = Judging(sift=sift, trust=weights)
    combine = combiner("vote", None, "number", judging=judging)
    everybody = tuple(Reply(text, agent=name) for name, (text, _) in zip(NAMES, said, strict=False))
    whole = play((sifted(combine, outliers=True) if sift else combine)(QUESTION, everybody), []).answer
    made = topology([PANEL[: len(said)]], None, "vote", "number", judging=judging)
    early = play(made(QUESTION), [text for text, _ in said]).answer
    assert answer_of(early.text, "number") == answer_of(whole.text, "number")
