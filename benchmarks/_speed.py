"""Mixtures a second through moa, beside what llama.cpp alone makes of the very same requests: the floor of any engine over it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from moa import Agent, Mixture
from moa.config.shipped import CONTEXT, SLOTS, Files
from moa.core.errors import NotEnoughReplies
from moa.core.ports import Provider, Scope
from moa.core.types import Reply, Request
from moa.providers.hosts import Host
from moa.providers.local import _load
from moa.providers.openai import Chat

AT_ONCE = 32
ROUNDS = 4


@dataclass
class Recorded:
    """A Provider that keeps the requests that were answered."""

    inner: Provider
    requests: list[Request] = field(default_factory=list)

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider."""
        reply = await self.inner.send(request, scope)
        self.requests.append(request)
        return reply


def speed(questions: Sequence[str], proposers: Sequence[Agent], aggregator: Agent, folder: Path) -> tuple[float, float]:
    """Mixtures a second, AT_ONCE under way, and as many as llama.cpp alone would come to: all requests there from the start, a
    thread for each of its slots. The better of ROUNDS each, in turns. The models are the GGUF files of `folder`.
    """
    recorded = Recorded(Files(lambda name: (folder / f"{name}.gguf", None), SLOTS, CONTEXT))
    first, *layer = (replace(agent, model=f"builtin:{agent.name}") for agent in (aggregator, *proposers))
    mixture = Mixture([layer], first, providers={"builtin": recorded})
    asyncio.run(_ask(mixture, questions))
    requests = tuple(recorded.requests)
    servers = {
        agent.name: _load(folder / f"{agent.name}.gguf", SLOTS, CONTEXT, None) for agent in (aggregator, *proposers)
    }
    rounds = [(asyncio.run(_ask(mixture, questions)), _alone(requests, servers)) for _ in range(ROUNDS)]
    ours, alone = (min(seconds) for seconds in zip(*rounds, strict=True))
    return len(questions) / ours, len(questions) / alone


async def _ask(mixture: Mixture, questions: Sequence[str]) -> float:
    """The seconds that all of them take."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(question: str) -> None:
        async with places:
            with suppress(NotEnoughReplies):  # too long for their context
                await mixture.ask(question)

    started = time.perf_counter()
    async with mixture:
        await asyncio.gather(*(one(question) for question in questions))
    return time.perf_counter() - started


def _alone(requests: Sequence[Request], servers: dict[str, Any]) -> float:
    """The seconds that llama.cpp takes for these requests, in whatever order."""
    host = Host("llama.cpp", "")
    started = time.perf_counter()
    bodies = [Chat().body(request, host, stream=False) | {"cache_prompt": False} for request in requests]
    with ExitStack() as stack:
        threads = {name: stack.enter_context(ThreadPoolExecutor(SLOTS)) for name in servers}
        asked = [
            threads[request.call.agent].submit(servers[request.call.agent].handle_chat_completions, body)
            for request, body in zip(requests, bodies, strict=True)
        ]
    if not all(one.result()["choices"] for one in asked):
        raise SystemExit("llama.cpp left a request without an answer")
    return time.perf_counter() - started
