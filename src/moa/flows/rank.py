"""Ranking: judges compare the proposals, two by two in both orders or all of them in one call; the best one is the answer.

Pairs are compared as in LLM-Blender (arXiv 2306.02561), in both orders against position bias (arXiv 2306.05685); ballots are
counted as Borda (1781) and Copeland (1951) did.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from typing import Literal, TypeAlias

from moa.core.agents import Agent
from moa.core.errors import CallError
from moa.core.flow import Ask, Combine, Outcomes
from moa.core.prompts import RANK, SELECT, as_given, display_order
from moa.core.types import Call, Conversation, Replies, Reply
from moa.flows.answers import Kind, answer_of
from moa.flows.combine import commonest, instead, place_picked
from moa.flows.members import ask_member

Way: TypeAlias = Literal["pairwise", "listwise"]
Count: TypeAlias = Literal["copeland", "borda"]


def rank(judges: Sequence[Agent], way: Way = "pairwise", count: Count = "copeland", kind: Kind = "auto") -> Combine:
    """The proposal that the judges rank first, word for word.

    "pairwise" asks every judge about each pair in both orders: n (n - 1) short calls at once. "copeland" counts the pairs that one
    wins over both orders and all judges together, "borda" every single verdict. "listwise" asks each judge once for the whole order
    and counts by Borda. Of equals the one is taken whose answer most give, then the one most like all the others. The notes say
    where the best are equal, and in how many pairs a judge went by the place: it says otherwise once the two have changed theirs.
    """

    async def combine(conversation: Conversation, references: Replies) -> Reply:
        if not references:
            return await ask_member(judges[0], conversation, (), "", "aggregator", final=True)
        if len(references) == 1:
            return references[0]
        pairs = list(combinations(range(len(references)), 2)) if way == "pairwise" else []
        calls = (
            _pairwise(judges, conversation, references, pairs) if pairs else _listwise(judges, conversation, references)
        )
        try:
            outcomes = await Ask(calls, label="rank", steps=1)
        except CallError as error:
            return instead(references, error, kind)
        turned = 0
        if pairs:
            points, turned = _points_of_pairs(outcomes, calls, pairs, references, count, kind)
        else:
            ballots = [ranking_of(outcome.text, call) for outcome, call in _answered(outcomes, calls)]
            points = borda(ballots, len(references))
        best = [place for place, own in enumerate(points) if own == max(points)]
        doubts = _doubts(references, points, turned, len(calls) // 2, kind)
        return commonest(references, kind, best).noted(*doubts)

    return combine


def _pairwise(
    judges: Sequence[Agent], conversation: Conversation, references: Replies, pairs: Sequence[tuple[int, int]]
) -> tuple[Call, ...]:
    """One call for each order of each pair, by each judge."""
    orders = [order for one, two in pairs for order in ((one, two), (two, one))]
    shown = [tuple(references[place] for place in order) for order in orders]
    return tuple(
        as_given(judge.call(conversation, pair, task=SELECT, role="judge")) for judge in judges for pair in shown
    )


def _listwise(judges: Sequence[Agent], conversation: Conversation, references: Replies) -> tuple[Call, ...]:
    return tuple(judge.call(conversation, references, task=RANK, role="judge") for judge in judges)


def _answered(outcomes: Outcomes, calls: tuple[Call, ...]) -> list[tuple[Reply, Call]]:
    return [(outcome, call) for outcome, call in zip(outcomes, calls, strict=True) if isinstance(outcome, Reply)]


def _points_of_pairs(
    outcomes: Outcomes,
    calls: tuple[Call, ...],
    pairs: Sequence[tuple[int, int]],
    references: Replies,
    count: Count,
    kind: Kind,
) -> tuple[list[float], int]:
    """What each proposal has won, and how often a judge picked the same place in both orders of a pair that give different answers.
    A verdict that picks none of the two is half a point for both."""
    picked = [
        place_picked(outcome.text, call.references, kind) if isinstance(outcome, Reply) else None
        for outcome, call in zip(outcomes, calls, strict=True)
    ]
    answers = [answer_of(one.text, kind) for one in references]
    won, turned = dict.fromkeys(pairs, 0.0), 0  # of a pair, how much more the first one was preferred
    for number, verdicts in enumerate(zip(picked[::2], picked[1::2], strict=True)):
        one, two = pairs[number % len(pairs)]
        for order, place in enumerate(verdicts):
            if place is not None:
                won[one, two] += 1.0 if place == order else -1.0
        turned += verdicts in ((0, 0), (1, 1)) and answers[one] != answers[two]
    points = [0.0] * len(references)
    for (one, two), lead in won.items():
        share = lead if count == "borda" else (lead > 0) - (lead < 0)
        points[one] += share
        points[two] -= share
    return points, turned


def _doubts(references: Replies, points: Sequence[float], turned: int, of: int, kind: Kind) -> list[str]:
    """What a reader should know of a ranking: where it decides nothing, or less than it seems to. Between equal answers there is
    nothing to decide."""
    best = [one for one, own in zip(references, points, strict=True) if own == max(points)]
    undecided = len({answer_of(one.text, kind) for one in best}) > 1
    if undecided and len(best) == len(references):
        return ["rank: the judges prefer none, or go by the place; this is the one most like the rest"]
    equals = [f"rank: {len(best)} proposals are equal; this is the one most like the rest"] if undecided else []
    return equals + ([f"rank: in {turned} of {of} pairs a judge says otherwise in the other order"] if turned else [])


def ranking_of(verdict: str, call: Call) -> list[int]:
    """The references of a call as its judge ranks them, the best one first; those it does not name are left out."""
    lines = re.findall(r"(?i)\branking\W*((?:response\W*)?\d[^\n]*)", verdict)
    shown = display_order(call)
    numbers = [int(number) - 1 for number in re.findall(r"(?<!\d)\d{1,9}(?!\d)", lines[-1])] if lines else []
    return [shown[number] for number in dict.fromkeys(numbers) if 0 <= number < len(shown)]


def borda(ballots: Sequence[Sequence[int]], among: int) -> list[float]:
    """Points of each of `among` proposals: on every ballot, one for each that it stands above; who is not named shares the places
    below."""
    points = [0.0] * among
    for ballot in ballots:
        below = [place for place in range(among) if place not in ballot]
        for place, one in enumerate(ballot):
            points[one] += among - 1 - place
        for one in below:
            points[one] += (len(below) - 1) / 2
    return points
