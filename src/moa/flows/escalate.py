"""Escalation: a cheap model or a small panel answers first, and the full mixture only where they disagree or fail a check
(cascades: FrugalGPT, arXiv 2305.05176; escalating on disagreement: Pyramid MoA, arXiv 2602.19509)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from moa.core.errors import CallError
from moa.core.flow import Choose, Combine, Flow
from moa.core.types import Conversation, Replies, Reply
from moa.flows.agreement import comparable, confidence
from moa.flows.answers import Kind, answer_of
from moa.flows.check import Verifier, checked
from moa.flows.members import Member, ask_members
from moa.flows.sift import distinct
from moa.flows.vote import plurality

Full: TypeAlias = Callable[[Conversation], Flow[Reply]]

_WAYS = ("", "all are asked")


async def escalate(
    conversation: Conversation,
    first: Sequence[Member],
    full: Full,
    agree: float = 1.0,
    kind: Kind = "auto",
    verifier: Verifier | None = None,
    combine: Combine | None = None,
) -> Reply:
    """The answer of the `first`, where a share of `agree` of them gives the same one (a single one: where the verifier passes
    it), else that of the `full` mixture, which does not see theirs: a wrong draft would hold it back. What those that agree say is
    made one answer by `combine` (None: what most of them say).

    With a verifier an answer on which they agree must pass it, too; one that raises passes nothing, and the reply says so in its
    notes. Who does not answer agrees with nobody, and long copies count once. Where the caller asks for a form (tools, a schema …)
    the first are not asked: the answer is of the call that acts, in the full mixture.

    Raises (from the flow):
        ConfigError: the first see different parts of the question, so that their agreement would be no confidence.
    """
    comparable(first, "first", all_of_them=True)
    try:
        replies = await ask_members(first, conversation, (), "", {"label": "first", "steps": 2, "instead": True})
    except CallError:
        replies = ()
    problems: tuple[str, ...] = ()
    replies = distinct(replies)  # copies agree with nobody
    if replies and (len(first) == 1 or confidence(replies, kind) * len(replies) / len(first) >= agree):
        reply = await _of_those_that_agree(conversation, replies, kind, combine)
        scores, problems = ([float(len(first) > 1)], ()) if verifier is None else checked(verifier, [reply.text])
        failed = scores[0] <= 0
        if not (failed if verifier is None else await Choose(int(failed), _WAYS, rising=True)):
            return reply
    reply = await full(conversation)
    return reply.noted(*(problem for problem in problems if problem not in reply.notes))


async def _of_those_that_agree(
    conversation: Conversation, replies: Replies, kind: Kind, combine: Combine | None
) -> Reply:
    chosen = plurality(replies, kind)
    if combine is None:
        return chosen
    given = answer_of(chosen.text, kind)
    try:
        return await combine(conversation, tuple(one for one in replies if answer_of(one.text, kind) == given))
    except CallError:  # there is nothing in them that it could combine
        return chosen
