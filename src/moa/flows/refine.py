"""Refinement: an author answers, a critic lists the faults, the author mends them (Self-Refine, arXiv 2303.17651)."""

from __future__ import annotations

import re

from moa.core.agents import Agent
from moa.core.errors import CallError
from moa.core.flow import Ask
from moa.core.prompts import CRITIQUE, REVISE
from moa.core.types import Conversation, Reply
from moa.flows.members import Member, ask_member
from moa.flows.rank import as_given


async def refine(conversation: Conversation, author: Member, reviser: Agent, critic: Agent, rounds: int = 1) -> Reply:
    """The author's answer (which may be a whole mixture's), criticised and revised up to `rounds` times, by the critic and the
    reviser.

    It ends where the critic finds no faults, unless the caller asks for a form (tools, a schema …), which only the reviser's
    answer has. Where the critic or the reviser fails, the answer stands, and says so in its notes; under a form it is that error.
    """
    reply = await ask_member(author, conversation, (), "", "proposer")
    for number in range(1, rounds + 1):
        call = critic.call(conversation, (reply,), task=CRITIQUE, role="judge")
        try:
            asked = await Ask((call,), label=f"critique {number}", steps=2 * (rounds - number) + 2)
            critique = asked.replies[0]
            if re.fullmatch(r"(?i)\W*no faults\W*", critique.text) and not asked.formed:
                return reply
            shown = as_given(reviser.call(conversation, (reply, critique), task=REVISE, role="aggregator"))
            revised = await Ask(
                (shown,), final=number == rounds, label=f"revise {number}", steps=2 * (rounds - number) + 1
            )
        except CallError as error:
            if error.formed:
                raise
            return reply.noted(f"fallback: the answer was not refined ({error})")
        reply = revised.replies[0]
    return reply
