"""mixture-llm over the openai SDK, as its own examples have it. It has no streams: asked for one, it answers whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mixture_llm import Aggregate, Propose, Synthesize, run
from openai import AsyncOpenAI
from worker import Contender, Job, serve


def pipeline(job: Job) -> list[Any]:
    """The job's layers and its aggregator."""
    proposers = [job.proposer(n) for n in range(job.width)]
    return [Propose(proposers), *(Synthesize(proposers) for _ in range(job.layers - 1)), Aggregate(job.aggregator)]


@asynccontextmanager
async def opened(job: Job) -> AsyncIterator[Contender]:
    """One job's client, open."""
    async with AsyncOpenAI(base_url=job.base_url, api_key="none") as client:

        async def call(*, model: str, messages: list[Any], temp: float, max_tokens: int) -> tuple[str, int, int]:
            completion = await client.chat.completions.create(
                model=model, messages=messages, temperature=temp, max_tokens=max_tokens
            )
            usage = completion.usage
            return completion.choices[0].message.content, usage.prompt_tokens, usage.completion_tokens

        async def ask() -> str:
            text, _ = await run(pipeline(job), job.question, call)
            return text

        yield Contender(ask)


if __name__ == "__main__":
    serve(opened)
