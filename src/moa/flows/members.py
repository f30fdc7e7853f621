"""Who can stand in a layer or aggregate: an agent, or a mixture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from moa.core.agents import Agent
from moa.core.flow import Ask, Flow, Fork, quiet
from moa.core.prompts import with_references
from moa.core.types import Conversation, Replies, Reply

Member: TypeAlias = Agent | Callable[[Conversation], Flow[Reply]]
"""An agent, or a mixture: anything that makes a flow of a conversation."""


async def ask_members(
    members: Sequence[Member], conversation: Conversation, references: Replies, task: str, step: dict[str, Any]
) -> Replies:
    """The replies of members asked at once, in their order. `step` holds the rules of Ask."""
    if any(not isinstance(member, Agent) for member in members):
        flows = tuple(ask_member(member, conversation, references, task) for member in members)
        return tuple(result for result in await Fork(flows, **step) if isinstance(result, Reply))
    agents = [member for member in members if isinstance(member, Agent)]
    calls = tuple(agent.call(conversation, references, task=task, sample=sample) for sample, agent in numbered(agents))
    outcomes = await Ask(calls, **step)
    return outcomes.late + outcomes.replies


async def ask_member(
    member: Member,
    conversation: Conversation,
    references: Replies,
    task: str,
    role: str = "proposer",
    *,
    final: bool = False,
) -> Reply:
    """One member's reply. A mixture is shown the references as part of the conversation."""
    if not isinstance(member, Agent):
        flow = member(with_references(conversation, tuple(reference.text for reference in references)))
        return await (flow if final else quiet(flow))
    call = member.call(conversation, references, task=task, role=role)
    label = "aggregate" if role == "aggregator" else member.name
    return (await Ask((call,), final=final, label=label, steps=1)).replies[0]


def numbered(agents: Sequence[Agent]) -> list[tuple[int, Agent]]:
    """Each agent with its sample number: 0, or 1, 2 … where the same agent comes again."""
    seen: Counter[Agent] = Counter()
    pairs = []
    for agent in agents:
        pairs.append((seen[agent], agent))
        seen[agent] += 1
    return pairs
