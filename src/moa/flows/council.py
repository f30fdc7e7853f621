"""A council: its members answer, rank each other's answers without knowing whose they are, and a chairman writes the last word.

After Karpathy's llm-council; unlike there nobody ranks an answer of its own, and the chairman is not told names either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from moa.core.agents import Agent
from moa.core.errors import CallError, ConfigError
from moa.core.flow import Ask, Combine
from moa.core.prompts import CHAIR, RANK, SYNTHESISE, as_given
from moa.core.types import Call, Conversation, Replies, Reply
from moa.flows.combine import instead
from moa.flows.members import Member, ask_member, numbered
from moa.flows.rank import borda, ranking_of


def council(members: Sequence[Agent], chairman: Member) -> Combine:
    """The chairman reads the proposals, the best ranked one first, with what its peers gave it, and writes the answer.

    Each member ranks the proposals of the others (its own is not shown to it): one call a member, all at once; who has no two to
    rank is not asked. Where nobody's ranking can be read, the chairman reads them as they came; where the chairman fails, the best
    ranked one stands in. The reply says in its notes what was not ranked.
    """

    async def combine(conversation: Conversation, references: Replies) -> Reply:
        points, notes = await peer_points(members, conversation, references)
        order = sorted(range(len(references)), key=lambda place: -points[place])
        ranked = tuple(references[place] for place in order)
        try:
            if not any(points) or not isinstance(chairman, Agent):  # a mixture shows references in an order of its own
                reply = await ask_member(chairman, conversation, ranked, SYNTHESISE, "aggregator", final=True)
                return reply.noted(*notes)
            task = CHAIR.format(points=", ".join(f"{points[place]:g}" for place in order))
            call = as_given(chairman.call(conversation, ranked, task=task, role="aggregator"))
            return (await Ask((call,), final=True, label="aggregate", steps=1)).replies[0].noted(*notes)
        except CallError as error:
            return instead(ranked[:1], error).noted(*notes)

    return combine


def seated(judges: Sequence[Agent], proposers: Sequence[Member], *, distrusted: int = 0) -> None:
    """See that some judge will have two answers of others to rank. So many members are `distrusted`, and none of the proposers.

    Raises:
        ConfigError: none will.
    """
    names = [one.name if isinstance(one, Agent) else "" for one in proposers]
    samples = len(set(names)) == 1
    for judge in judges:
        own = names.count(judge.name)
        if len(names) - (min(own, 1) if samples else own) > 1:
            return
    if distrusted:
        raise ConfigError(
            f"weights: they give {distrusted} of {distrusted + len(names)} members no weight, and a council of {len(names)} ranks "
            "nothing, since nobody ranks its own answer, and one answer has no rank; name more members, or `judges` that are none "
            "of them"
        )
    raise ConfigError(
        f"proposers: a council of {len(names)} ranks nothing, since nobody ranks its own answer, and one answer has no rank; take "
        'three or more, two and `judges` that are none of them, or combine = "synthesise"'
    )


async def peer_points(
    members: Sequence[Agent], conversation: Conversation, references: Replies
) -> tuple[list[float], tuple[str, ...]]:
    """What each proposal gets of the others: by Borda, as a share of the most it could get, in hundredths; and what is to
    be noted."""
    none = [0.0] * len(references)
    ballots = [(call, places) for call, places in _ballots(members, conversation, references) if len(places) > 1]
    if not ballots:
        alone = "council: nobody has two answers of others to rank, so they are unranked"
        return none, (alone,) if len(references) > 1 else ()
    try:
        outcomes = await Ask(tuple(call for call, _ in ballots), label="peer review", steps=2)
    except CallError as error:
        return none, (f"council: nobody ranks the answers, so they are unranked ({error})",)
    points, most, unread = list(none), list(none), 0
    for outcome, (call, places) in zip(outcomes, ballots, strict=True):
        ballot = ranking_of(outcome.text, call) if isinstance(outcome, Reply) else []
        unread += not ballot
        for place, point in zip(places, borda([ballot], len(places)), strict=True) if ballot else ():
            points[place] += point
            most[place] += len(places) - 1
    shares = [round(100 * one / of, 0) if of else 0.0 for one, of in zip(points, most, strict=True)]
    return shares, (f"council: {unread} of {len(ballots)} rankings cannot be read",) if unread else ()


def _ballots(
    members: Sequence[Agent], conversation: Conversation, references: Replies
) -> Iterator[tuple[Call, list[int]]]:
    """A call for each member, and the places of what it ranks: those of others. Where all are samples of one agent, each of its
    calls leaves out another of them."""
    places, samples = range(len(references)), len({one.agent for one in references}) == 1
    for turn, (sample, member) in enumerate(numbered(members)):
        if isinstance(member, Agent):
            own = [place for place in places if references[place].agent == member.name]
            mine = own[turn % len(own) :][:1] if own and samples else own
            others = [place for place in places if place not in mine]
            shown = tuple(references[place] for place in others)
            yield member.call(conversation, shown, task=RANK, role="judge", sample=sample), others
