"""Never worse: a synthesis is the answer only where it is not worse than the best proposal it was made of.

Synthesis can lose what a proposal had (selection beats it 0.81 to 0.18 in arXiv 2603.20324): so the best proposal is an anchor.
"""

from __future__ import annotations

from moa.core.agents import Agent
from moa.core.errors import CallError
from moa.core.flow import Ask, Combine, Outcomes, held, mapped
from moa.core.prompts import SELECT
from moa.core.types import Conversation, Replies, Reply
from moa.flows.best_of import Verifier
from moa.flows.combine import place_picked
from moa.flows.rank import as_given
from moa.flows.vote import plurality


def anchored(combine: Combine, judge: Agent | None = None, verifier: Verifier | None = None) -> Combine:
    """The same way to combine, its answer held against an anchor: the proposal whose answer most give, the first of equals.

    With a verifier the synthesis stands unless it fails where the anchor passes; with a judge, unless the judge prefers the
    anchor in both orders. Else the anchor is returned as it is, and the reply says so in its notes. What the judge does not
    decide, or where it fails, the synthesis stands. So it does where the caller asks for a form (tools, a schema …), which no
    proposal has.
    """

    async def guarded(conversation: Conversation, references: Replies) -> Reply:
        if not references or (judge is None and verifier is None):
            return await combine(conversation, references)
        formed = False

        def heard(ask: Ask, outcomes: Outcomes) -> Outcomes:
            nonlocal formed
            formed = formed or outcomes.formed
            return outcomes

        reply, anchor = await mapped(combine(conversation, references), held, heard), plurality(references)
        if formed or reply.text == anchor.text:
            return reply
        if verifier is not None and verifier(reply.text) <= 0 < verifier(anchor.text):
            return anchor.noted("guard: the best proposal passes the verifier, the synthesis does not")
        preferred = False if judge is None else await prefers(judge, conversation, anchor, reply)
        if preferred:
            return anchor.noted("guard: the judge prefers the best proposal to the synthesis, in both orders")
        if preferred is None:
            return reply.noted("guard: the judge says otherwise in the other order, so the synthesis stands")
        return reply

    return guarded


async def prefers(judge: Agent, conversation: Conversation, one: Reply, other: Reply) -> bool | None:
    """Whether a judge prefers one reply to another in both orders; None where it goes by their places."""
    calls = tuple(
        as_given(judge.call(conversation, shown, task=SELECT, role="judge")) for shown in ((one, other), (other, one))
    )
    try:
        verdicts = (await Ask(calls, label="guard", least=2, steps=1)).replies
    except CallError:
        return False
    picked = [place_picked(verdict.text, call.references) for verdict, call in zip(verdicts, calls, strict=True)]
    return None if picked in ([0, 0], [1, 1]) else picked == [0, 1]
