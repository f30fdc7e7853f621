"""The floor: `asyncio.gather` over moa's own transport (aiohttp), JSON by msgspec, and nothing else.

No retries, no timeouts, no validation, no events, no store: what one could not do without.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from worker import Contender, Job, prompt, serve

from moa.providers._http import Aiohttp

HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer none"}


@dataclass(frozen=True)
class Bare:
    """One job's mixture."""

    job: Job
    transport: Aiohttp

    async def ask(self) -> str:
        """One mixture."""
        references: list[str] = []
        for _ in range(self.job.layers):
            content = prompt(self.job.question, references)
            references = await asyncio.gather(
                *(self._call(content, self.job.proposer(n)) for n in range(self.job.width))
            )
        content = prompt(self.job.question, references)
        last = self.job.aggregator
        return await (self._stream(content, last) if self.job.streamed else self._call(content, last))

    def _request(self, content: str, model: str, **more: Any) -> Any:
        body = {"model": model, "messages": [{"role": "user", "content": content}], **more}
        url = f"{self.job.base_url}/chat/completions"
        return self.transport.request("POST", url, HEADERS, msgspec.json.encode(body))

    async def _call(self, content: str, model: str) -> str:
        async with self._request(content, model) as response:
            return msgspec.json.decode(await response.read(1 << 20))["choices"][0]["message"]["content"]

    async def _stream(self, content: str, model: str) -> str:
        pieces: list[str] = []
        rest = b""
        async with self._request(content, model, stream=True) as response:
            while piece := await response.piece():
                *events, rest = (rest + piece).split(b"\n\n")
                for event in events:
                    if event != b"data: [DONE]":
                        delta = msgspec.json.decode(event[6:])["choices"][0]["delta"]
                        pieces.append(delta.get("content", ""))
        return "".join(pieces)


@asynccontextmanager
async def opened(job: Job) -> AsyncIterator[Contender]:
    """One job's transport, open."""
    transport = Aiohttp()
    try:
        yield Contender(Bare(job, transport).ask)
    finally:
        await transport.aclose()


if __name__ == "__main__":
    serve(opened)
