"""Who is worth nothing is read by nobody, wherever references pass on: between layers, in rounds, by judges, in groups."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from moa.core.agents import Agent
from moa.core.errors import CallError, ConfigError
from moa.core.flow import Played, play
from moa.core.types import Call, Reply, user
from moa.flows.topology import Judging, Layout, topology
from moa.flows.weigh import Weights

QUESTION = (user("What is 2 + 2?"),)
TRUST = Judging(trust=Weights({"liar": 0.0}))
PANEL = [Agent(f"x:{name}", name=name) for name in ("a", "b", "liar", "c")]
AGG = Agent("x:agg", name="agg")
NOTE = "sifted: liar is not trusted"


def differing() -> Callable[[Call], str]:
    """Everybody says something else each time, and a judge keeps the first three of those it is shown."""
    number = iter(range(1000))
    return lambda call: "Keep: 1, 2, 3" if call.role == "judge" else f"{call.agent} {next(number)}"


def played(layout: Layout, how: str, layers: int = 2) -> Played[Reply]:
    made = topology([PANEL] * layers, None if how == "vote" else AGG, how, layout=layout, judging=TRUST)
    return play(made(QUESTION), differing())


@pytest.mark.parametrize(
    ("layout", "how"),
    [
        (Layout(), "synthesise"),
        (Layout(residual=True), "synthesise"),
        (Layout(), "vote"),
        (Layout("sparse", keep=2), "synthesise"),
        (Layout("debate"), "synthesise"),
        (Layout("debate"), "vote"),
        (Layout("consortium"), "synthesise"),
        (Layout("consortium", confidence=1.0), "select"),
    ],
)
def test_nobody_reads_who_is_worth_nothing_and_the_reply_says_so(layout: Layout, how: str) -> None:
    found = played(layout, how)
    read = [one.agent for ask in found.asked for call in ask.calls for one in call.references]
    assert {"a", "b", "c"} <= set(read)
    assert "liar" not in read
    assert found.answer.notes.count(NOTE) == 1


def test_all_are_read_where_nobody_is_worth_anything() -> None:
    nobody = Judging(trust=Weights({}, other=0.0))
    for layout in (Layout(), Layout("debate"), Layout("consortium"), Layout("sparse", keep=4)):
        found = play(topology([PANEL] * 2, AGG, "synthesise", layout=layout, judging=nobody)(QUESTION), differing())
        assert {one.agent for one in found.asked[1].calls[0].references} >= {"liar"}
        assert found.answer.notes[:1] != (NOTE,)


def test_a_debate_does_not_wait_for_who_is_worth_nothing_to_agree() -> None:
    made = topology([PANEL] * 3, None, "vote", layout=Layout("debate"), judging=TRUST)
    assert len(play(made(QUESTION), lambda call: "5" if call.agent == "liar" else "4").asked) == 1


def test_a_consortium_measures_the_agreement_of_those_it_trusts() -> None:
    made = topology([PANEL] * 3, AGG, "synthesise", layout=Layout("consortium", confidence=1.0), judging=TRUST)
    asked = play(made(QUESTION), lambda call: "5" if call.agent == "liar" else "4").asked
    assert [ask.label for ask in asked] == ["round 1", "aggregate"]


def test_a_group_of_a_tree_that_is_worth_nothing_is_not_asked() -> None:
    liars = [Agent(f"x:{name}", name=name) for name in ("liar", "liar")]
    layout = Layout("tree", group=2)
    made = topology([[*PANEL[:2], *liars, PANEL[3]]], AGG, "synthesise", layout=layout, judging=TRUST)
    assert "liar" not in {call.agent for ask in play(made(QUESTION), differing()).asked for call in ask.calls}


def test_who_is_worth_nothing_is_no_peer_of_a_council() -> None:
    asked = play(topology([PANEL], AGG, "council", judging=TRUST)(QUESTION), differing()).asked
    assert [call.agent for call in asked[1].calls] == ["a", "b", "c"]


def test_a_council_is_refused_where_too_few_are_trusted_to_rank() -> None:
    few = [PANEL[0], PANEL[2], PANEL[1]]  # a, liar, b: each of those trusted has one answer of others to rank
    with pytest.raises(
        ConfigError, match=r"^weights: they give 1 of 3 members no weight, and a council of 2 ranks nothing"
    ):
        topology([few], AGG, "council", judging=TRUST)
    outside = Judging(judges=(Agent("x:j", name="j"),), trust=TRUST.trust)
    played = play(topology([few], AGG, "council", judging=outside)(QUESTION), differing())
    assert [[call.agent for call in ask.calls] for ask in played.asked] == [["a", "liar", "b"], ["j"], ["agg"]]
    alone = Judging(judges=outside.judges, trust=Weights({"liar": 0.0, "b": 0.0}))
    with pytest.raises(
        ConfigError, match=r"^weights: they give 2 of 3 members no weight, and a council of 1 ranks nothing"
    ):
        topology([few], AGG, "council", judging=alone)


def test_a_council_in_which_nobody_is_trusted_is_one_of_all() -> None:
    nobody = Judging(trust=Weights({}, other=0.0))
    asked = play(topology([PANEL], AGG, "council", judging=nobody)(QUESTION), differing()).asked
    assert [call.agent for call in asked[1].calls] == ["a", "b", "liar", "c"]


def test_a_member_who_has_no_answer_ranks_those_of_the_two_others() -> None:
    four = [*PANEL[:2], PANEL[3], PANEL[2]]  # a, b, c, liar; b has no answer

    def said(call: Call) -> str | CallError:
        if call.role == "judge":
            return "Ranking: 2 > 1"
        return CallError("busy") if call.agent == "b" else f"{call.agent} says"

    played = play(topology([four], AGG, "council", judging=TRUST)(QUESTION), said)
    assert [(call.agent, len(call.references)) for call in played.asked[1].calls] == [("b", 2)]
    assert played.answer.notes == (NOTE,)


def test_who_is_worth_nothing_is_none_of_those_that_are_needed() -> None:
    """Two quick liars do not close a layer that needs two."""
    liars, honest = [Agent("x:liar", name="liar")] * 2, [Agent(f"x:{name}", name=name) for name in "ab"]
    for how, layers in (("vote", [[*honest, *liars]]), ("synthesise", [[*honest, *liars]] * 2)):
        made = topology(layers, AGG if how != "vote" else None, how, need=2, judging=TRUST)
        found = play(made(QUESTION), lambda call: "5" if call.agent == "liar" else "4")
        assert all(ask.need == 4 for ask in found.asked if ask.label.startswith("layer"))
    made = topology([honest * 2], None, "medoid", need=2, judging=TRUST)
    assert play(made(QUESTION), lambda call: "4").asked[0].need == 2
