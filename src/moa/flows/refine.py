"""Refinement: an author answers, a critic lists the faults, the author mends them (Self-Refine, arXiv 2303.17651)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from moa.core.agents import Agent
from moa.core.errors import CallError
from moa.core.flow import Ask, Combine, mapped
from moa.core.prompts import CRITIQUE, REVISE, as_given
from moa.core.types import Conversation, Replies, Reply
from moa.flows.members import Member, ask_member


async def refine(
    conversation: Conversation,
    author: Member,
    reviser: Agent,
    critic: Agent,
    rounds: int = 1,
    guard: Callable[[Combine], Combine] | None = None,
) -> Reply:
    """The author's answer (which may be a whole mixture's), criticised and revised up to `rounds` times, by the critic and the
    reviser.

    It ends where the critic finds no faults, unless the caller asks for a form (tools, a schema …), which only the reviser's
    answer has. With a `guard` (guard.py) each revision is held against the answer before it, and one that is no better is the
    last. Where the critic or the reviser fails, the answer stands, and says so in its notes; under a form it is that
    error.
    """
    reply = await ask_member(author, conversation, (), "", "proposer")
    each = 2 if guard is None else 3
    for number in range(1, rounds + 1):
        call, after = critic.call(conversation, (reply,), task=CRITIQUE, role="judge"), each * (rounds - number)
        try:
            asked = await Ask((call,), label=f"critique {number}", steps=after + each)
            critique = asked.replies[0]
            if re.fullmatch(r"(?i)\W*no faults\W*", critique.text) and not asked.formed:
                return reply
            revise = _revision(reviser, critique, number, each - 1, final=number == rounds)
            flow = (revise if guard is None else guard(revise))(conversation, (reply,))
            revised = await mapped(flow, lambda ask, more=after: replace(ask, steps=(ask.steps or 1) + more))  # type: ignore[misc]
        except CallError as error:
            if error.formed:
                raise
            return reply.noted(f"fallback: the answer was not refined ({error})")
        kept = revised.text == reply.text
        reply = revised.noted(*(one for one in reply.notes if one not in revised.notes))
        if guard is not None and kept and not asked.formed:
            return reply
    return reply


def _revision(reviser: Agent, critique: Reply, number: int, steps: int, *, final: bool) -> Combine:
    """A revision as a way to combine: of the answer, with its critique in view."""

    async def revise(conversation: Conversation, references: Replies) -> Reply:
        call = as_given(reviser.call(conversation, (*references, critique), task=REVISE, role="aggregator"))
        return (await Ask((call,), final=final, label=f"revise {number}", steps=steps)).replies[0]

    return revise
