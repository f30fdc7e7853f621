"""Sparse layers: between two layers a judge passes on only the most useful proposals, and may end the rounds (SMoA, arXiv
2411.03284)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from moa.core.agents import Agent
from moa.core.errors import CallError
from moa.core.flow import Ask, Combine
from moa.core.prompts import KEEP, REFINE, display_order
from moa.core.types import Conversation, Replies, Reply
from moa.flows.layered import alone
from moa.flows.members import Member, ask_members
from moa.flows.sift import doubts, trusted
from moa.flows.weigh import Weights


async def sparse(
    conversation: Conversation,
    layers: Sequence[Sequence[Member]],
    combine: Combine,
    judge: Agent,
    keep: int = 2,
    trust: Weights | None = None,
    **rules: Any,
) -> Reply:
    """The answer of `layers`, each reading the `keep` proposals that the judge passes on; where it says stop, the rest is left out.

    With `keep` as wide as the layers the judge is never asked, and this is `layered`. Where the judge fails or cannot be read, all
    proposals are passed on. Neither the judge nor a layer reads agents that `trust` gives no weight. `rules` are those of Ask.
    """
    references: Replies = ()
    notes: dict[str, None] = {}
    failure, stopped = CallError("there are no proposers"), False
    for n, layer in enumerate(layers, 1):
        step = rules | {"label": f"layer {n}", "steps": len(layers) + 2 - n}
        try:
            said = await ask_members(layer, conversation, references, REFINE if references else "", step)
        except CallError as error:
            failure = error
            continue
        references, notes = trusted(said, trust), notes | dict.fromkeys(doubts(said, trust))
        if len(references) > keep:
            references, stopped = await passed_on(judge, conversation, references, keep)
        if stopped:
            break
    if references:
        return (await combine(conversation, references)).noted(*notes)
    return await alone(conversation, combine, failure)


async def passed_on(judge: Agent, conversation: Conversation, references: Replies, keep: int) -> tuple[Replies, bool]:
    """The references a judge keeps, in the order they came, and whether it says that another round would change nothing."""
    call = judge.call(conversation, references, task=KEEP.format(keep=keep), role="judge")
    try:
        verdict = (await Ask((call,), label="keep")).replies[0].text
    except CallError:
        return references, False
    lines = re.findall(r"(?i)\bkeep\W*(\d[\d ,;and]*)", verdict)
    shown = display_order(call)
    numbers = [int(number) - 1 for number in re.findall(r"\d+", lines[-1])] if lines else []
    kept = {shown[number] for number in numbers if 0 <= number < len(shown)}
    stop = re.search(r"(?im)^\W*stop\W*$", verdict) is not None
    return tuple(one for place, one in enumerate(references) if place in kept) or references, stop
