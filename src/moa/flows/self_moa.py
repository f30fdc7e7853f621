"""Self-MoA: the samples of one good agent instead of several models (Li et al., arXiv 2502.00674)."""

from __future__ import annotations

from typing import Any

from moa.core.agents import Agent
from moa.core.flow import Combine
from moa.core.types import Conversation, Reply
from moa.flows.layered import layered


async def self_moa(conversation: Conversation, agent: Agent, samples: int, combine: Combine, **rules: Any) -> Reply:
    """The answer combined from `samples` samples of one agent, which needs a temperature above 0 for them to differ.

    It is one layer of the same agent: each time it comes again it is asked for another sample. `rules` are those of Ask.
    """
    return await layered(conversation, [[agent] * samples], combine, **rules)
