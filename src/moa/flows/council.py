"""A council: its members answer, rank each other's answers without knowing whose they are, and a chairman writes the last word.

After Karpathy's llm-council; unlike there nobody ranks an answer of its own, and the chairman is not told names either.
"""

from __future__ import annotations

from collections.abc import Sequence

from moa.core.agents import Agent
from moa.core.errors import CallError
from moa.core.flow import Ask, Combine
from moa.core.prompts import CHAIR, RANK, SYNTHESISE
from moa.core.types import Conversation, Replies, Reply
from moa.flows.combine import instead
from moa.flows.members import Member, ask_member
from moa.flows.rank import as_given, borda, ranking_of


def council(members: Sequence[Agent], chairman: Member) -> Combine:
    """The chairman reads the proposals, the best ranked one first, with what its peers gave it, and writes the answer.

    Each member ranks the proposals of the others (those of its own name are not shown to it): one call a member, all at once. Where
    nobody's ranking can be read, the chairman reads them as they came; where the chairman fails, the best ranked one stands in.
    """

    async def combine(conversation: Conversation, references: Replies) -> Reply:
        points = (
            await peer_points(members, conversation, references) if len(references) > 2 else [0.0] * len(references)
        )
        order = sorted(range(len(references)), key=lambda place: -points[place])
        ranked = tuple(references[place] for place in order)
        try:
            if not any(points) or not isinstance(chairman, Agent):  # a mixture shows references in an order of its own
                return await ask_member(chairman, conversation, ranked, SYNTHESISE, "aggregator", final=True)
            task = CHAIR.format(points=", ".join(f"{points[place]:g}" for place in order))
            call = as_given(chairman.call(conversation, ranked, task=task, role="aggregator"))
            return (await Ask((call,), final=True, label="aggregate", steps=1)).replies[0]
        except CallError as error:
            return instead(ranked[:1], error)

    return combine


async def peer_points(members: Sequence[Agent], conversation: Conversation, references: Replies) -> list[float]:
    """What each proposal gets of the others: by Borda, as a share of the most it could get, in hundredths."""
    shown = [[place for place, one in enumerate(references) if one.agent != member.name] for member in members]
    calls = tuple(
        member.call(conversation, tuple(references[place] for place in places), task=RANK, role="judge")
        for member, places in zip(members, shown, strict=True)
    )
    try:
        outcomes = await Ask(calls, label="peer review", steps=2)
    except CallError:
        return [0.0] * len(references)
    points, most = [0.0] * len(references), [0.0] * len(references)
    for outcome, call, places in zip(outcomes, calls, shown, strict=True):
        ballot = ranking_of(outcome.text, call) if isinstance(outcome, Reply) else []
        if ballot:
            for place, point in zip(places, borda([ballot], len(places)), strict=True):
                points[place] += point
                most[place] += len(places) - 1
    return [round(100 * one / of, 0) if of else 0.0 for one, of in zip(points, most, strict=True)]
