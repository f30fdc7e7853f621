"""Who can stand in a layer or aggregate: an agent, or a mixture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypeAlias

from moa.core.agents import Agent
from moa.core.flow import Ask, Flow, Fork, mapped, quiet
from moa.core.prompts import with_references
from moa.core.types import Call, Conversation, Replies, Reply, names_of

Member: TypeAlias = Agent | Callable[[Conversation], Flow[Reply]]
"""An agent, or a mixture: anything that makes a flow of a conversation."""


async def ask_members(
    members: Sequence[Member], conversation: Conversation, references: Replies, task: str, step: dict[str, Any]
) -> Replies:
    """The replies of members asked at once, in their order. `step` holds the rules of Ask."""
    pairs = numbered(members)
    agents = [(n, member) for n, member in pairs if isinstance(member, Agent)]
    if len(agents) < len(members):
        flows = (ask_member(member, conversation, references, task, sample=n) for n, member in pairs)
        rules = {name: rule for name, rule in step.items() if name != "keep"}  # who is late in a fork is stopped
        return tuple(result for result in await Fork(tuple(flows), **rules) if isinstance(result, Reply))
    calls = tuple([agent.call(conversation, references, task=task, sample=n) for n, agent in agents])
    outcomes = await Ask(calls, **step)
    return outcomes.late + outcomes.replies


async def ask_member(
    member: Member,
    conversation: Conversation,
    references: Replies,
    task: str,
    role: str = "proposer",
    *,
    sample: int = 0,
    final: bool = False,
) -> Reply:
    """One member's reply. A mixture is shown the references, and what to do with them, as part of the conversation."""
    if not isinstance(member, Agent):
        texts = tuple(reference.text for reference in references)
        flow = _resampled(member(with_references(conversation, texts, task)), sample)
        reply = await (flow if final else quiet(flow))
        saw = names_of(conversation)  # whatever its members were shown: the mixture saw the whole question
        return replace(reply, saw=saw) if saw else reply
    call = member.call(conversation, references, task=task, role=role, sample=sample)
    label = "aggregate" if role == "aggregator" else member.name
    return (await Ask((call,), final=final, label=label, steps=1)).replies[0]


def numbered(members: Sequence[Member]) -> list[tuple[int, Member]]:
    """Each member with its sample number: 0, or 1, 2 … where the same one comes again, under whatever name."""
    agents = all(isinstance(member, Agent) for member in members)
    numbers = _numbers_of_agents(tuple(members)) if agents else _numbers(members)
    return list(zip(numbers, members, strict=True))


def _numbers(members: Sequence[Member]) -> list[int]:
    seen: Counter[Member] = Counter()
    numbers = []
    for member in members:
        same = replace(member, name="same") if isinstance(member, Agent) else member
        numbers.append(seen[same])
        seen[same] += 1
    return numbers


_numbers_of_agents = lru_cache(maxsize=256)(_numbers)
"""Remembered for agents only: mixtures would be held with all they run on."""


def _resampled(flow: Flow[Reply], sample: int) -> Flow[Reply]:
    """The same flow, its calls numbered and seeded as of its `sample`-th time, so that no cache folds them into the first."""
    if not sample:
        return flow

    def again(call: Call) -> Call:
        seed = call.sampling.seed
        sampling = call.sampling if seed is None else replace(call.sampling, seed=seed + sample * _FAR)
        return replace(call, sample=call.sample + sample * _FAR, sampling=sampling)

    return mapped(flow, lambda ask: replace(ask, calls=tuple(again(call) for call in ask.calls)))


_FAR = 1000
"""More samples than one layer takes of an agent."""
