"""Self-MoA: the samples of one good agent instead of several models (Li et al., arXiv 2502.00674)."""

from __future__ import annotations

from typing import Any

from moa.core.agents import Agent
from moa.core.flow import Ask, Combine
from moa.core.types import Conversation, Reply


async def self_moa(conversation: Conversation, agent: Agent, samples: int, combine: Combine, **rules: Any) -> Reply:
    """The answer combined from `samples` samples of one agent, which needs a temperature above 0 for them to differ.

    `rules` are those of Ask: need, grace, least …
    """
    calls = tuple(agent.call(conversation, sample=n) for n in range(samples))
    outcomes = await Ask(calls, label=f"{samples} samples", steps=2, **rules)
    return await combine(conversation, outcomes.replies)
