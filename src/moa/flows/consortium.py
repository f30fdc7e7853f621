"""A consortium: the panel is asked again, each time with its last answers in view, until enough of it agrees.

After irthomasthomas/llm-consortium; there the arbiter reports its own confidence, here it is measured: the share of the panel that
gives the same answer, among those that saw the same input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moa.core.errors import CallError
from moa.core.flow import Combine
from moa.core.prompts import REFINE
from moa.core.types import Conversation, Replies, Reply
from moa.flows.agreement import agreement
from moa.flows.agreement import confidence as measured
from moa.flows.answers import Kind
from moa.flows.layered import alone
from moa.flows.members import Member, ask_members
from moa.flows.sift import distinct, trusted
from moa.flows.weigh import Weights


async def consortium(
    conversation: Conversation,
    members: Sequence[Member],
    combine: Combine,
    confidence: float = 0.8,
    rounds: int = 3,
    kind: Kind = "auto",
    trust: Weights | None = None,
    **rules: Any,
) -> Reply:
    """The answer combined from the first round in which a share of `confidence` of the replies agree, or from the last of
    `rounds`; its notes then say how far they agreed. A round that fails leaves the replies of the one before. Long copies count
    once, and are shown once (`sift.py`); agents that `trust` gives no weight are not read, and their agreement is not measured.
    `rules` are those of Ask.
    """
    references: Replies = ()
    believed: Replies = ()
    failure = CallError("there are no proposers")
    for number in range(1, rounds + 1):
        step = rules | {"label": f"round {number}", "steps": rounds + 2 - number}
        try:
            references = await ask_members(members, conversation, believed, REFINE if references else "", step)
        except CallError as error:
            failure = error
        believed = distinct(await trusted(references, trust))
        if references and measured(believed, kind) >= confidence:
            return await combine(conversation, references)
    if not references:
        return await alone(conversation, combine, failure)
    reply = await combine(conversation, references)
    across = agreement(believed, kind).different_parts
    apart = "" if across is None else f"; {across:.0%} across those that saw different parts"
    return reply.noted(
        f"agreement: {measured(believed, kind):.0%} after {rounds} rounds, {confidence:.0%} wanted{apart}"
    )
