"""Tasks of three parts, put to models that ship: specialists that see their own part, and the same that see all three."""

from __future__ import annotations

import asyncio
import importlib.util
import random
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from benchmarks import methods
from training.coverage import DENSE
from training.world import Question, sample

from moa import Agent, Ask, Mixture, Reply, user
from moa.core.errors import MoaError
from moa.core.named import text_of
from moa.core.types import Conversation, names_of
from moa.core.view import CallView
from moa.flows.answers import answer_of

AT_ONCE = 8
WAYS = ("a view each", "asked by itself", "all parts", "all parts, told which")
"""Of its part under its name; of its question without a name; of all three; and told in its prompt which of them is its own."""
Gap = tuple[float, float, float]
Task = Sequence[Question]
Calls = dict[str, CallView]
"""What each specialist said, by the name of its part."""


def missing() -> str:
    """Why these models cannot be asked here; empty where they can."""
    return "" if importlib.util.find_spec("xllamacpp") else "the models that ship need mixture-of-agents[local]"


def tasks(count: int, seed: int) -> list[Task]:
    """Tasks of three held-out questions, each of another skill."""
    rng = random.Random(seed)
    return [[sample(rng, skill, held_out=True) for skill in rng.sample(sorted(DENSE), 3)] for _ in range(count)]


def specialist(part: str, way: str) -> Agent:
    """A model that was trained well on the skill by whose name its part goes."""
    agent = Agent(f"builtin:{DENSE[part][0]}", name=part, framing="quoted", temperature=0.0, max_tokens=160)
    if way == "a view each":
        return replace(agent, view=[part])
    return replace(agent, prompt=f"Answer {part} only.") if way == "all parts, told which" else agent


async def viewed(asked: Sequence[Task]) -> dict[str, dict[str, float | Gap]]:
    """How right the specialists are, each on its own part and on any of the three, and the tokens of a prompt; a row each way."""
    own: dict[str, list[float]] = {}
    rows: dict[str, dict[str, float | Gap]] = {}
    for way in WAYS:
        said = await _asked(asked, way)
        pairs = list(zip(asked, said, strict=True))
        own[way] = [fmean(_states(calls, one, [one]) for one in task) for task, calls in pairs]
        some = [fmean(_states(calls, one, task) for one in task) for task, calls in pairs]
        tokens = [call.usage.input for calls in said for call in calls.values() if call.state == "done"]
        row: dict[str, float | Gap] = {"right": 100 * fmean(own[way])}
        if way != WAYS[0]:
            row["a view gains"] = methods.interval(own[WAYS[0]], own[way])
        rows[way] = row | {
            "any of the three": 100 * fmean(some),
            "tokens of a prompt": fmean(tokens) if tokens else float("nan"),
        }
    return rows


async def _asked(asked: Sequence[Task], way: str) -> list[Calls]:
    """What the specialists of each task say."""
    places = asyncio.Semaphore(AT_ONCE)

    async def flow(conversation: Conversation) -> Reply:
        shown = dict.fromkeys(names_of(conversation), conversation)
        if way == "asked by itself":
            shown = {part: (user(text_of(conversation, part)),) for part in shown}
        calls = tuple(specialist(part, way).call(turns) for part, turns in shown.items())
        return (await Ask(calls, label="specialists", steps=1)).replies[0]

    async def one(mixture: Mixture, task: Task) -> Calls:
        async with places:
            try:
                answer = await mixture.ask({part.skill: part.text for part in task})
            except MoaError:  # nobody has an answer
                return {}
            return {call.agent: call for call in answer.view.calls}

    async with Mixture.of_flow(flow) as mixture:
        return list(await asyncio.gather(*(one(mixture, task) for task in asked)))


def _states(calls: Calls, part: Question, known: Task) -> bool:
    """Whether the specialist of a part states the answer of one of these questions."""
    call = calls.get(part.skill)
    if call is None or call.state != "done":
        return False
    return answer_of(call.text) in {answer_of(question.answer) for question in known}
