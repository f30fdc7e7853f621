"""A tree: the layer in groups, each fused as soon as it is there, so that a slow branch does not hold up the others (Faster-MoA,
arXiv 2512.18126)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from moa.core.errors import CallError
from moa.core.flow import Ask, Combine, Fork, mapped, quiet
from moa.core.types import Conversation, Reply
from moa.flows.layered import alone, layered
from moa.flows.members import Member


async def tree(conversation: Conversation, groups: Sequence[Sequence[Member]], combine: Combine, **rules: Any) -> Reply:
    """The answer combined from what each group's own proposals were combined to. One group: `layered` with one layer.

    A group that fails is left out, and the reply's notes say so, with what the groups' own replies noted. `rules` are those of Ask,
    and hold within each group. A way to combine that asks nobody has no place here: of two groups' winners either may be a
    minority's.
    """
    if len(groups) == 1:
        return await layered(conversation, groups, combine, **rules)
    flows = tuple(
        mapped(quiet(layered(conversation, [group], combine, **rules)), partial(_labelled, n))
        for n, group in enumerate(groups, 1)
    )
    try:
        fused = await Fork(flows, label="groups", steps=2)
    except CallError as error:
        return await alone(conversation, combine, error)
    reply = await combine(conversation, tuple(one for one in fused if isinstance(one, Reply)))
    notes = [f"group {n}: {note}" for n, one in enumerate(fused, 1) for note in _notes(one) if note not in reply.notes]
    return reply.noted(*notes)


def _labelled(group: int, ask: Ask) -> Ask:
    return replace(ask, label=f"group {group}, {ask.label}")


def _notes(fused: Reply | CallError | None) -> tuple[str, ...]:
    """What is to be said of a group."""
    return fused.notes if isinstance(fused, Reply) else (f"it is left out ({fused or 'late'})",)
