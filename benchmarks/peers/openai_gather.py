"""`asyncio.gather` over the openai SDK's AsyncOpenAI: what most hand-written mixtures are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from openai import AsyncOpenAI
from worker import Contender, Job, prompt, serve


async def call(client: AsyncOpenAI, model: str, content: str) -> str:
    """One answer, whole."""
    messages = [{"role": "user", "content": content}]
    completion = await client.chat.completions.create(model=model, messages=messages)
    return completion.choices[0].message.content


async def stream(client: AsyncOpenAI, model: str, content: str) -> str:
    """One answer, piece by piece."""
    messages = [{"role": "user", "content": content}]
    chunks = await client.chat.completions.create(model=model, messages=messages, stream=True)
    return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])


async def mixture(client: AsyncOpenAI, job: Job) -> str:
    """One mixture."""
    references: list[str] = []
    for _ in range(job.layers):
        content = prompt(job.question, references)
        references = await asyncio.gather(*(call(client, job.proposer(n), content) for n in range(job.width)))
    return await (stream if job.streamed else call)(client, job.aggregator, prompt(job.question, references))


@asynccontextmanager
async def opened(job: Job) -> AsyncIterator[Contender]:
    """One job's client, open."""
    async with AsyncOpenAI(base_url=job.base_url, api_key="none") as client:
        yield Contender(lambda: mixture(client, job))


if __name__ == "__main__":
    serve(opened)
