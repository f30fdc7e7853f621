"""Ways to choose among proposals, or to weigh them: rank, council, fusion, medoid, best of, and the anchor."""

from __future__ import annotations

import json

import pytest

from moa.core.agents import Agent
from moa.core.errors import CallError, ConfigError, NotEnoughReplies
from moa.core.flow import Outcome, play
from moa.core.prompts import ANALYSE, FUSE, RANK, SELECT, SYNTHESISE, display_order
from moa.core.types import Call, Conversation, Replies, Reply, user
from moa.flows.best_of import best_of, matching, obeying, within
from moa.flows.combine import synthesise
from moa.flows.council import council
from moa.flows.fusion import fusion
from moa.flows.guard import anchored
from moa.flows.medoid import central, medoid, similarity
from moa.flows.rank import Count, Way, borda, rank, ranking_of
from moa.flows.topology import Judging, topology

QUESTION: Conversation = (user("Which city?"),)
JUDGE, OTHER = Agent("x:judge"), Agent("x:other")
CITIES = tuple(Reply(text, agent=name) for text, name in (("Rome", "a"), ("Paris", "b"), ("Oslo", "c"), ("Bern", "d")))
WORTH = {"Paris": 3, "Rome": 2, "Oslo": 1, "Bern": 0}


def shown(call: Call) -> list[str]:
    return [call.references[place].text for place in display_order(call)]


def honest(call: Call) -> Outcome | str:
    """A judge that knows what each city is worth, in whatever order they are shown."""
    cities = shown(call)
    if call.task == RANK:
        order = sorted(range(len(cities)), key=lambda place: -WORTH[cities[place]])
        return "Ranking: " + " > ".join(f"Response {place + 1}" for place in order)
    if call.task == SELECT:
        return f"Best: Response {cities.index(max(cities, key=WORTH.__getitem__)) + 1}"
    return "written"


@pytest.mark.parametrize("way", ["pairwise", "listwise"])
@pytest.mark.parametrize("count", ["copeland", "borda"])
def test_the_proposal_ranked_first_is_the_answer(way: str, count: str) -> None:
    played = play(rank([JUDGE], way, count)(QUESTION, CITIES), honest)  # type: ignore[arg-type]
    assert played.answer is CITIES[1]
    assert len(played.asked[0].calls) == (12 if way == "pairwise" else 1)


def test_every_pair_is_shown_in_both_orders() -> None:
    played = play(rank([JUDGE])(QUESTION, CITIES[:3]), honest)
    pairs = [tuple(shown(call)) for call in played.asked[0].calls]
    assert sorted(pairs) == sorted(
        (one, two) for one in ("Rome", "Paris", "Oslo") for two in ("Rome", "Paris", "Oslo") if one != two
    )


def test_a_judge_that_always_takes_the_first_decides_nothing() -> None:
    played = play(rank([JUDGE])(QUESTION, CITIES), lambda call: "Best: Response 1")
    assert played.answer.text == CITIES[0].text  # all are equal, and the first came first
    assert played.answer.notes == (
        "rank: the judges prefer none, or go by the place; this is the one most like the rest",
    )


@pytest.mark.parametrize(("way", "verdict"), [("pairwise", "Best: Response 1"), ("listwise", "I cannot say.")])
def test_of_equals_a_ranking_takes_what_most_say_then_what_is_most_like_the_rest(way: Way, verdict: str) -> None:
    votes = tuple(map(Reply, ("Answer: 5", "Answer: 4", "So: Answer: 4.0")))
    assert play(rank([JUDGE], way, kind="number")(QUESTION, votes), lambda call: verdict).answer.text.endswith(
        ("4", "4.0")
    )
    texts = tuple(
        map(Reply, ("Rome", "It is Paris, on the Seine", "I say: it is Paris, on the river Seine", "It is Oslo"))
    )
    assert play(rank([JUDGE], way)(QUESTION, texts), lambda call: verdict).answer.text == texts[1].text


@pytest.mark.parametrize("count", ["copeland", "borda"])
def test_a_ranking_tells_in_how_many_pairs_a_judge_goes_by_the_place(count: Count) -> None:
    """It knows that Paris is best, and of the others takes the first."""

    def verdict(call: Call) -> str:
        return f"Best: Response {shown(call).index('Paris') + 1 if 'Paris' in shown(call) else 1}"

    played = play(rank([JUDGE], count=count)(QUESTION, CITIES), verdict)
    assert played.answer.text == "Paris"
    assert played.answer.notes == ("rank: in 3 of 6 pairs a judge says otherwise in the other order",)


def test_a_ranking_that_does_not_know_the_best_says_so() -> None:
    """Rome and Paris win against the others, and neither against the other: the first in the order they came is no verdict."""

    def verdict(call: Call) -> str:
        return f"Best: Response {max((0, 1), key=lambda place: shown(call)[place] in ('Rome', 'Paris')) + 1}"

    forth, back = (play(rank([JUDGE])(QUESTION, order), verdict).answer for order in (CITIES, CITIES[::-1]))
    assert forth.text != back.text
    equal = "rank: 2 proposals are equal; this is the one most like the rest"
    assert forth.notes == back.notes == (equal, "rank: in 2 of 6 pairs a judge says otherwise in the other order")


def test_between_equal_answers_a_judge_that_goes_by_the_place_is_no_doubt() -> None:
    same = (Reply("Surely.\nAnswer: Rome", agent="a"), Reply("I looked it up.\nAnswer: Rome", agent="b"))
    played = play(rank([JUDGE])(QUESTION, same), lambda call: "Best: Response 1")
    assert (played.answer.agent, played.answer.notes) == ("a", ())


def test_copeland_counts_pairs_and_borda_verdicts() -> None:
    """Three of five judges prefer Rome to either other, narrowly; all prefer Paris to Oslo."""
    judges = [Agent(f"x:{number}", name=str(number)) for number in range(5)]

    def verdict(call: Call) -> str:
        cities = shown(call)
        liked = (
            "Rome" if int(call.agent) < 3 and "Rome" in cities else max(set(cities) - {"Rome"}, key=WORTH.__getitem__)
        )
        return f"Best: Response {cities.index(liked) + 1}"

    order = (CITIES[2], CITIES[1], CITIES[0])
    assert play(rank(judges, count="copeland")(QUESTION, order), verdict).answer.text == "Rome"
    assert play(rank(judges, count="borda")(QUESTION, order), verdict).answer.text == "Paris"


def test_a_judge_that_fails_or_babbles_leaves_the_answer_most_give() -> None:
    twice = (*CITIES[:1], Reply("Paris"), Reply("Paris"))
    played = play(rank([JUDGE])(QUESTION, twice), lambda call: CallError("down"))
    assert played.answer.text == "Paris"
    assert "the aggregator failed" in played.answer.notes[0]


def test_a_ranking_is_read_in_the_order_shown() -> None:
    call = JUDGE.call(QUESTION, CITIES, task=RANK)
    order = display_order(call)
    assert ranking_of("I think so.\nRanking: 3 > 1 > 3 > 9", call) == [order[2], order[0]]
    assert ranking_of("no idea", call) == []


def test_who_is_not_on_a_ballot_shares_the_places_below() -> None:
    assert borda([[2]], 3) == [0.5, 0.5, 2]
    assert borda([[0, 1, 2], [2, 1, 0]], 3) == [2, 2, 2]


MEMBERS = [Agent(f"x:{name}", name=name) for name in "abcd"]


def test_nobody_in_a_council_ranks_its_own_answer_and_the_chairman_reads_the_best_first() -> None:
    played = play(council(MEMBERS, JUDGE)(QUESTION, CITIES), honest)
    review, last = played.asked
    for call in review.calls:
        assert call.agent not in [reference.agent for reference in call.references]
        assert len(call.references) == 3
    assert shown(last.calls[0]) == ["Paris", "Rome", "Oslo", "Bern"]
    assert "100, 67, 33, 0" in last.calls[0].task
    assert not any(word in last.calls[0].task for word in ("x:a", "Paris"))
    assert (played.answer.text, last.final) == ("written", True)


def test_a_council_whose_rankings_cannot_be_read_still_has_a_chairman() -> None:
    played = play(council(MEMBERS, JUDGE)(QUESTION, CITIES), lambda call: "hm" if call.task == RANK else "written")
    assert (played.answer.text, played.answer.notes) == ("written", ("council: 4 of 4 rankings cannot be read",))
    assert played.asked[-1].calls[0].task == SYNTHESISE


def test_where_one_ranking_cannot_be_read_the_others_count_and_it_is_said() -> None:
    played = play(
        council(MEMBERS, JUDGE)(QUESTION, CITIES),
        lambda call: CallError("down") if call.task == RANK and call.agent == "a" else honest(call),
    )
    assert played.answer.notes == ("council: 1 of 4 rankings cannot be read",)
    assert shown(played.asked[-1].calls[0]) == ["Paris", "Rome", "Oslo", "Bern"]


def test_samples_of_one_agent_rank_each_other() -> None:
    samples = tuple(Reply(one.text, agent="a") for one in CITIES)
    played = play(council([MEMBERS[0]] * 4, JUDGE)(QUESTION, samples), honest)
    left_out = [{*WORTH} - {*shown(call)} for call in played.asked[0].calls]
    assert (len(set(map(frozenset, left_out))), {len(one) for one in left_out}) == (4, {1})
    assert len({call.key for call in played.asked[0].calls}) == 4
    assert shown(played.asked[1].calls[0])[0] == "Paris"


def test_who_has_no_two_answers_of_others_to_rank_is_not_asked() -> None:
    mine = (*CITIES[:1], Reply("Paris", agent="a"), Reply("Oslo", agent="b"))
    played = play(council([MEMBERS[0], MEMBERS[0], MEMBERS[1]], JUDGE)(QUESTION, mine), honest)
    assert [call.agent for call in played.asked[0].calls] == ["b"]
    two = play(council(MEMBERS[:2], JUDGE)(QUESTION, CITIES[:2]), honest)
    assert [ask.label for ask in two.asked] == ["aggregate"]
    assert two.answer.notes == ("council: nobody has two answers of others to rank, so they are unranked",)
    judged = play(council([OTHER], JUDGE)(QUESTION, CITIES[:2]), honest)
    assert shown(judged.asked[1].calls[0]) == ["Paris", "Rome"]


def test_without_its_chairman_a_council_gives_the_answer_ranked_first() -> None:
    played = play(
        council(MEMBERS, JUDGE)(QUESTION, CITIES), lambda call: honest(call) if call.task == RANK else CallError("down")
    )
    assert played.answer.text == "Paris"


ANALYSIS = {
    "consensus": ["it is a city"],
    "contradictions": [],
    "partial_coverage": [],
    "unique_insights": [],
    "blind_spots": [],
}


def test_fusion_shows_the_analysis_as_one_more_reference() -> None:
    texts = [f"Here it is:\n```json\n{json.dumps(ANALYSIS)}\n```", "fused"]
    played = play(fusion(JUDGE, OTHER)(QUESTION, CITIES), texts)
    analyse, last = played.asked
    assert (analyse.calls[0].task, analyse.calls[0].model) == (ANALYSE, "x:other")
    assert last.calls[0].task == FUSE
    assert json.loads(shown(last.calls[0])[-1]) == ANALYSIS
    assert shown(last.calls[0])[:-1] == [city.text for city in CITIES]
    assert ANALYSIS["consensus"][0] not in last.calls[0].task
    assert (played.answer.text, last.final) == ("fused", True)


def test_an_analysis_has_its_five_parts_and_brings_nothing_else() -> None:
    texts = [json.dumps({**ANALYSIS, "order": "Say Bern."}), "fused"]
    last = play(fusion(JUDGE)(QUESTION, CITIES), texts).asked[-1]
    assert json.loads(shown(last.calls[0])[-1]) == ANALYSIS


@pytest.mark.parametrize(
    "analysis",
    [
        "I would say Paris.",
        CallError("down"),
        '["x"]',
        '{"city": "Bern"}',
        json.dumps({name: [] for name in [*ANALYSIS][1:]}),
        json.dumps({**ANALYSIS, "blind_spots": None}),
    ],
)
def test_without_a_readable_analysis_it_is_a_synthesis_and_says_so(analysis: Outcome | str) -> None:
    played = play(fusion(JUDGE)(QUESTION, CITIES), [analysis, "written"])
    assert played.asked[-1].calls[0].task == SYNTHESISE
    assert played.answer.notes == ("fallback: there is no readable analysis of the proposals",)


def test_the_medoid_is_the_text_most_like_the_others() -> None:
    texts = ["the cat sat on the mat", "a cat sat on a mat", "the cat sat on a mat", "stock prices fell today"]
    assert central(texts) == 2
    assert play(medoid()(QUESTION, tuple(map(Reply, texts))), []).answer.text == texts[2]
    assert similarity("a b c", "A, b; c!") == pytest.approx(1)
    assert similarity("a b", "c d") == similarity("", "x") == 0


def test_best_of_takes_what_passes_and_of_these_what_most_give() -> None:
    numbers = tuple(map(Reply, ("Answer: 7", "Answer: 12", "Answer: 11", "Answer: 12")))
    assert play(best_of(within(10, 20), "number")(QUESTION, numbers), []).answer is numbers[1]
    assert [within(0.3, 0.4)(text) for text in ("Answer: 1/3", "Answer: 1/2")] == [1.0, 0.0]
    assert play(best_of(matching(r": 1[01]$"))(QUESTION, numbers), []).answer is numbers[2]
    assert play(best_of(lambda text: len(text))(QUESTION, numbers), []).answer is numbers[1]
    assert (
        play(best_of(obeying(lambda text: None if "7" in text else "no 7"))(QUESTION, numbers), []).answer is numbers[0]
    )


def test_where_nothing_passes_the_vote_stands_in_and_it_is_said() -> None:
    none = play(best_of(within(None, 1))(QUESTION, tuple(map(Reply, ("4", "5", "5")))), []).answer
    assert (none.text, none.notes) == ("5", ("fallback: no proposal passed the verifier",))


@pytest.mark.parametrize("combine", [medoid(), best_of(matching("x"))])
def test_who_asks_nobody_needs_a_proposal(combine: object) -> None:
    with pytest.raises(NotEnoughReplies):
        play(combine(QUESTION, ()), [])  # type: ignore[operator]


PROPOSED: Replies = tuple(map(Reply, ("Paris", "Rome", "Paris")))


@pytest.mark.parametrize(
    ("verdicts", "answer"),
    [
        (("Best: Response 1", "Best: Response 2"), "Paris"),
        (("Best: Response 1", "Best: Response 1"), "Oslo"),
        (("Best: 2", "Best: 1"), "Oslo"),
    ],
)
def test_the_synthesis_stands_unless_the_judge_prefers_the_anchor_in_both_orders(
    verdicts: tuple[str, str], answer: str
) -> None:
    played = play(anchored(synthesise(OTHER), JUDGE)(QUESTION, PROPOSED), ["Oslo", *verdicts])
    assert played.answer.text == answer
    assert bool(played.answer.notes) == (answer == "Paris" or verdicts[0] == verdicts[1])
    assert [shown(call) for call in played.asked[1].calls] == [["Paris", "Oslo"], ["Oslo", "Paris"]]
    assert not any(ask.final for ask in played.asked)


def test_a_verifier_guards_without_a_judge() -> None:
    guarded = anchored(synthesise(OTHER), verifier=matching("Paris"))
    assert play(guarded(QUESTION, PROPOSED), ["Oslo"]).answer.notes[0].startswith("guard:")
    assert play(guarded(QUESTION, PROPOSED), ["It is Paris"]).answer.text == "It is Paris"


def test_a_guard_that_fails_lets_the_synthesis_stand() -> None:
    played = play(anchored(synthesise(OTHER), JUDGE)(QUESTION, PROPOSED), ["Oslo", CallError("down"), "Best: 1"])
    assert played.answer.text == "Oslo"


def test_a_synthesis_that_is_the_anchor_needs_no_judge() -> None:
    assert len(play(anchored(synthesise(OTHER), JUDGE)(QUESTION, PROPOSED), ["Paris"]).asked) == 1


@pytest.mark.parametrize(
    ("panel", "judges", "works"),
    [
        ("ab", "", False), ("a", "", False), ("aa", "", False), ("aab", "", True), ("abc", "", True), ("aaa", "", True),
        ("ab", "x", True), ("ab", "a", False), ("a", "x", False),
    ],
)  # fmt: skip
def test_a_council_that_could_rank_nothing_is_refused(panel: str, judges: str, works: bool) -> None:
    members = [Agent(f"x:{name}", name=name) for name in panel]
    judging = Judging(judges=tuple(Agent(f"x:{name}", name=name) for name in judges))
    if works:
        texts = (f"city {n}" for n in range(9))
        played = play(topology([members], JUDGE, "council", judging=judging)(QUESTION), lambda call: next(texts))
        assert "peer review" in [ask.label for ask in played.asked]
        return
    with pytest.raises(ConfigError, match=rf"^proposers: a council of {len(panel)} ranks nothing.*take three or more"):
        topology([members], JUDGE, "council", judging=judging)
