"""`asyncio.gather` over litellm's acompletion."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import litellm
from worker import Contender, Job, prompt, serve


async def call(job: Job, name: str, content: str, **more: Any) -> Any:
    """What litellm makes of one call."""
    messages = [{"role": "user", "content": content}]
    model = f"openai/{name}"
    return await litellm.acompletion(model=model, messages=messages, api_base=job.base_url, api_key="none", **more)


async def whole(job: Job, model: str, content: str) -> str:
    """One answer, whole."""
    return (await call(job, model, content)).choices[0].message.content


async def stream(job: Job, model: str, content: str) -> str:
    """One answer, piece by piece."""
    chunks = await call(job, model, content, stream=True)
    return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])


async def mixture(job: Job) -> str:
    """One mixture."""
    references: list[str] = []
    for _ in range(job.layers):
        content = prompt(job.question, references)
        references = await asyncio.gather(*(whole(job, job.proposer(n), content) for n in range(job.width)))
    return await (stream if job.streamed else whole)(job, job.aggregator, prompt(job.question, references))


@asynccontextmanager
async def opened(job: Job) -> AsyncIterator[Contender]:
    """litellm keeps its clients itself."""
    yield Contender(lambda: mixture(job))


if __name__ == "__main__":
    serve(opened)
