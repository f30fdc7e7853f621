"""Fusion: the panel's answers are compared first, in a structured analysis, and the answer is written with it in view.

The shape of OpenRouter's Fusion (June 2026): consensus, contradictions, partial coverage, unique insights, blind spots.
"""

from __future__ import annotations

import json

from moa.core.agents import Agent
from moa.core.errors import CallError
from moa.core.flow import Ask, Combine
from moa.core.prompts import ANALYSE, FUSE, SYNTHESISE, as_given
from moa.core.types import Conversation, Replies, Reply
from moa.flows.answers import Kind, answer_of
from moa.flows.combine import instead
from moa.flows.members import ask_member

PARTS = ("consensus", "contradictions", "partial_coverage", "unique_insights", "blind_spots")
"""What an analysis has, each of them; JSON that lacks one is none."""


def fusion(aggregator: Agent, analyst: Agent | None = None, kind: Kind = "auto") -> Combine:
    """The aggregator reads the proposals and the analyst's comparison of them, and writes the answer: two calls.

    The analysis is shown as one more reference, inside the frame it cannot leave, since it repeats what the proposals say. Without
    a readable one the aggregator synthesises as usual, and the reply says so in its notes.
    """

    async def combine(conversation: Conversation, references: Replies) -> Reply:
        if len(references) < 2:
            return await ask_member(aggregator, conversation, references, SYNTHESISE, "aggregator", final=True)
        analysis = await _analysis(analyst or aggregator, conversation, references)
        try:
            if analysis is None:
                reply = await ask_member(aggregator, conversation, references, SYNTHESISE, "aggregator", final=True)
                return reply.noted("fallback: there is no readable analysis of the proposals")
            call = as_given(aggregator.call(conversation, (*references, analysis), task=FUSE, role="aggregator"))
            return (await Ask((call,), final=True, label="aggregate", steps=1)).replies[0]
        except CallError as error:
            return instead(references, error, kind)

    return combine


async def _analysis(analyst: Agent, conversation: Conversation, references: Replies) -> Reply | None:
    """The analyst's comparison as a reference, its PARTS and nothing else; None where there is none."""
    call = analyst.call(conversation, references, task=ANALYSE, role="judge")
    try:
        reply = (await Ask((call,), label="analyse", steps=2)).replies[0]
    except CallError:
        return None
    found = json.loads(answer_of(reply.text, "json") or "null")
    if not isinstance(found, dict) or any(found.get(part) is None for part in PARTS):
        return None
    text = json.dumps({part: found[part] for part in PARTS}, ensure_ascii=False)
    return Reply(text, model=reply.model, agent="analysis")
