"""The floor of L2: a bare aiohttp client, so many calls at once, each asked again as soon as it is answered.

python bare_client.py UPSTREAM_URL MODEL AT_ONCE SECONDS     # prints calls a second
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import aiohttp

if len(sys.argv) != 5:
    raise SystemExit("four words are needed: UPSTREAM_URL MODEL AT_ONCE SECONDS")
URL, MODEL, AT_ONCE, SECONDS = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
WARM_UP = 0.5


async def main() -> None:
    """Ask, and count what is answered after the first half second."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Which river carries the most water to the sea?"}]}
    counted, began = 0, time.perf_counter() + WARM_UP
    until = began + SECONDS

    async def ask() -> None:
        nonlocal counted
        while (now := time.perf_counter()) < until:
            async with session.post(f"{URL}/chat/completions", json=body) as response:
                answer = await response.json()
                if not answer["choices"][0]["message"]["content"]:
                    raise SystemExit("an empty answer came")
            counted += now >= began

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
    print(json.dumps(counted / (time.perf_counter() - began)))


if __name__ == "__main__":
    asyncio.run(main())
