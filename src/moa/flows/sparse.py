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
from moa.flows.sift import distinct, doubts, trusted
from moa.flows.weigh import Weights

_KEPT = re.compile(r"(?i)\bkeep\b\W*((?:responses?\b|and\b|[\d ,;&#*.:])+)")


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

    With `keep` as wide as the layers the judge is never asked, and this is `layered`. Of long copies judge and layers are shown one
    (`sift.py`), and of agents that `trust` gives no weight nothing. Where the judge fails or cannot be read, all proposals are
    passed on, and the reply says so in its notes. `rules` are those of Ask.
    """
    references: Replies = ()
    notes: dict[str, None] = {}
    failure, stopped, copies = CallError("there are no proposers"), False, 0
    for n, layer in enumerate(layers, 1):
        step = {"keep": rules.get("need") is not None and n < len(layers)} | rules
        step |= {"label": f"layer {n}", "steps": len(layers) + 2 - n}
        shown = distinct(references)
        copies += len(references) - len(shown)
        try:
            said = await ask_members(layer, conversation, shown, REFINE if shown else "", step)
        except CallError as error:
            failure = error
            continue
        references, notes = await trusted(said, trust), notes | dict.fromkeys(doubts(said, trust))
        if len(references) > keep:
            whole, references = references, distinct(references)
            copies += len(whole) - len(references)
        if len(references) > keep:
            references, stopped, note = await passed_on(judge, conversation, references, keep)
            notes |= {note: None} if note else {}
        if stopped:
            break
    notes |= {f"sifted: {copies} copies are shown to no other layer": None} if copies else {}
    reply = await (combine(conversation, references) if references else alone(conversation, combine, failure))
    return reply.noted(*notes)


async def passed_on(
    judge: Agent, conversation: Conversation, references: Replies, keep: int
) -> tuple[Replies, bool, str]:
    """The references a judge keeps, the first `keep` that it names, in the order they came; whether it says that another round
    would change nothing; and what is to be noted, empty where its verdict can be read."""
    call = judge.call(conversation, references, task=KEEP.format(keep=keep), role="judge")
    try:
        verdict = (await Ask((call,), label="keep")).replies[0].text
    except CallError as error:
        return references, False, f"fallback: the judge failed, so all are passed on ({error})"
    stop = re.search(r"(?im)^[^\w\n]*+stop[^\w\n]*+$", verdict) is not None
    named = [line for line in _KEPT.findall(verdict) if re.search(r"\d", line)]
    shown = display_order(call)
    numbers = [int(number) - 1 for number in re.findall(r"\d{1,9}", named[-1])] if named else []
    kept = list(dict.fromkeys(shown[number] for number in numbers if 0 <= number < len(shown)))[:keep]
    if not kept:
        return references, stop, "fallback: the judge kept none that can be read, so all are passed on"
    return tuple(one for place, one in enumerate(references) if place in kept), stop, ""
