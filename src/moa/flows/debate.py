"""Debate: each agent answers, reads what the others say, and answers again, until they agree (arXiv 2305.14325).

That agents agree who saw different parts of the question ends no debate (agreement.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moa.core.agents import Agent
from moa.core.errors import CallError
from moa.core.flow import Ask, Combine, Outcomes
from moa.core.prompts import DEBATE
from moa.core.types import Call, Conversation, Replies, Reply, assistant, user
from moa.flows.agreement import unanimous
from moa.flows.answers import Kind
from moa.flows.layered import alone
from moa.flows.members import numbered
from moa.flows.sift import doubts, trusted
from moa.flows.weigh import Weights


async def debate(
    conversation: Conversation,
    agents: Sequence[Agent],
    combine: Combine,
    rounds: int = 2,
    kind: Kind = "auto",
    trust: Weights | None = None,
    **rules: Any,
) -> Reply:
    """The answer combined from what the agents say in the end. The first round is without references; each later one shows
    every agent its own last answer and those of the others. It ends as soon as all give the same answer, two of them or more having
    seen the same input, and after `rounds`.

    Who fails in a round keeps its last answer. Nobody reads, or waits to agree with, agents that `trust` gives no weight. `rules`
    are those of Ask.
    """
    said: dict[int, Reply] = {}
    calls = {n: agent.call(conversation, sample=sample) for n, (sample, agent) in enumerate(_agents(agents))}
    failure = CallError("there are no agents")
    for number in range(1, rounds + 1):
        places = list(calls)
        step = rules | {"label": f"round {number}", "steps": rounds + 2 - number}
        try:
            outcomes: Outcomes = await Ask(tuple(calls.values()), **step)
        except CallError as error:
            failure = error
            if not said:
                break
            continue
        said |= {place: one for place, one in zip(places, outcomes, strict=True) if isinstance(one, Reply)}
        believed = await trusted(tuple(said[place] for place in sorted(said)), trust)
        if len(said) < 2 or unanimous(believed, kind):
            break
        calls = {
            place: _again(conversation, agent, sample, said[place], believed)
            for place, (sample, agent) in enumerate(_agents(agents))
            if place in said
        }
    if not said:
        return await alone(conversation, combine, failure)
    last = tuple(said[place] for place in sorted(said))
    reply = await combine(conversation, last)
    return reply.noted(*(note for note in doubts(last, trust) if note not in reply.notes))


def _agents(agents: Sequence[Agent]) -> list[tuple[int, Agent]]:
    return [(sample, agent) for sample, agent in numbered(agents) if isinstance(agent, Agent)]


def _again(conversation: Conversation, agent: Agent, sample: int, own: Reply, believed: Replies) -> Call:
    """An agent's next turn: its own last answer is its own, those of the others that are believed are references."""
    turns = (*conversation, assistant(own.text), user(DEBATE))
    return agent.call(turns, tuple(other for other in believed if other is not own), sample=sample)
