"""What moa holds in memory (S5), and whether a thousand mixtures at once are served as fast as 64 (the client half of S9).

Idle, with a thousand mixtures in flight, and after many requests. Each figure is taken in a process of its own, resident
memory as Linux counts it. The mixtures are 4 proposers and an aggregator against a mock upstream, with everything on.

    python benchmarks/memory.py            # a minute
    python benchmarks/memory.py --full     # a million requests
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from _report import Figure, arguments, report, tell
from _upstream import pinned, upstream

CALLS = 5


def resident() -> float:
    """Megabytes of this process in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@asynccontextmanager
async def mixture(base_url: str, model: str) -> AsyncIterator[Any]:
    """A mixture on a mock, with store, ledger and deadline."""
    from moa import Mixture

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "moa.toml"
        members = ", ".join([f'"mock:{model}"'] * 4)
        file.write_text(
            f'[hosts.mock]\nbase_url = "{base_url}"\nat_once = 10000\n[store]\npath = "{folder}/runs.db"\n[budget]\nday = 1e6\n'
            f'[prices."mock:{model}"]\ninput = 1.0\noutput = 1.0\n[mixtures.default]\nproposers = [{members}]\n'
            f'aggregator = "mock:{model}"\ndeadline = 60.0\n'
        )
        async with Mixture.from_config("default", config=file) as opened:
            yield opened


async def idle(base_url: str) -> dict[str, float]:
    """After one answer, at rest."""
    async with mixture(base_url, "mock-lat1-tok50") as one:
        await one.ask("hi")
        return {"mb": resident()}


async def in_flight(base_url: str) -> dict[str, float]:
    """What a thousand mixtures under way add."""
    async with mixture(base_url, "mock-lat1500-tok200") as one:
        await one.ask("hi")
        before = resident()
        tasks = [asyncio.create_task(one.ask("hi")) for _ in range(1000)]
        await asyncio.sleep(1.0)
        held = resident()
        await asyncio.gather(*tasks)
        return {"mb": held - before}


async def bare(base_url: str) -> dict[str, float]:
    """What the same 4,000 requests add over the transport alone."""
    from moa.providers._http import Aiohttp

    transport, body = Aiohttp(), b'{"model":"mock-lat1500-tok200","messages":[{"role":"user","content":"hi"}]}'

    async def call() -> None:
        async with transport.request("POST", f"{base_url}/chat/completions", {}, body) as response:
            await response.read(1 << 20)

    before = resident()
    tasks = [asyncio.create_task(call()) for _ in range(4000)]
    await asyncio.sleep(1.0)
    held = resident()
    await asyncio.gather(*tasks)
    await transport.aclose()
    return {"mb": held - before}


async def grown(base_url: str, requests: int) -> dict[str, float]:
    """Megabytes gained from a fifth of so many requests to all of them."""
    async with mixture(base_url, "mock-lat0-tok20") as one:
        marks = []
        for part in range(5):
            for _ in range(0, requests // 5, 32 * CALLS):
                await asyncio.gather(*(one.ask("hi") for _ in range(32)))
            one.rig.store.flush()
            marks.append(resident())
            print(f"part {part + 1}: {marks[-1]:.1f} MB", file=sys.stderr, flush=True)
        return {"mb": marks[-1] - marks[0]}


async def rarely(base_url: str) -> dict[str, float]:
    """The same, where Python looks for garbage as seldom as in `moa serve`."""
    from moa.cli.serve import SELDOM

    gc.set_threshold(*SELDOM)
    return await rates(base_url)


async def rates(base_url: str) -> dict[str, float]:
    """Mixtures a second with 64 and with 1,000 at once, in turns."""
    found: dict[int, list[float]] = {64: [], 1000: []}
    async with mixture(base_url, "mock-lat50-tok50") as one:
        for _ in range(3):
            for at_once, seen in found.items():
                places = asyncio.Semaphore(at_once)

                async def ask(places: asyncio.Semaphore = places) -> None:
                    async with places:
                        await one.ask("hi")

                count = 1500 if at_once == 1000 else 600
                started = time.perf_counter()
                await asyncio.gather(*(ask() for _ in range(count)))
                seen.append(count / (time.perf_counter() - started))
    return {str(at_once): max(seen) for at_once, seen in found.items()}


def apart(what: str, base_url: str, *more: str) -> dict[str, float]:
    """The result of one of these in a process of its own, on the second CPU."""
    with pinned(1):
        done = subprocess.run(
            [sys.executable, __file__, "--apart", what, base_url, *more], stdout=subprocess.PIPE, text=True
        )
    if done.returncode:
        raise SystemExit(f"{what} failed")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> int:
    """Measure and report."""
    if sys.argv[1:2] == ["--apart"]:
        what, base_url, *more = sys.argv[2:]
        made = {"idle": idle, "in_flight": in_flight, "bare": bare, "rates": rates, "rarely": rarely}
        work = grown(base_url, int(more[0])) if what == "grown" else made[what](base_url)
        print(json.dumps(asyncio.run(work)))
        return 0
    parser = arguments(
        argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    )
    parser.add_argument("--quick", action="store_true", help="2,000 requests")
    parser.add_argument("--full", action="store_true", help="a million requests")
    args = parser.parse_args()
    requests = 2000 if args.quick else 1_000_000 if args.full else 50_000
    with upstream() as served:
        url = served.base_url
        speed, seldom = apart("rates", url), apart("rarely", url)
        figures = [
            Figure("S5.idle.mb", apart("idle", url)["mb"], 60),
            Figure("S5.thousand_in_flight.mb", apart("in_flight", url)["mb"], 100),
            Figure("S5.growth.mb", apart("grown", url, str(requests))["mb"], 5),
            Figure("S9.rate_at_1000_by_rate_at_64", speed["1000"] / speed["64"], 0.9, ">="),
            Figure("S9.with_gc_threshold_of_serve", seldom["1000"] / seldom["64"], 0.9, ">=", due=False),
        ]
        tell(
            args,
            f"the 4,000 requests of a thousand mixtures, over the transport alone: {apart('bare', url)['mb']:.1f} MB",
        )
    tell(
        args,
        f"{requests} requests; mixtures a second: {speed['64']:.0f} with 64 at once, {speed['1000']:.0f} with 1,000; "
        f"collecting garbage seldom, as moa serve does, {seldom['64']:.0f} and {seldom['1000']:.0f}",
    )
    return report(figures, args)


if __name__ == "__main__":
    raise SystemExit(main())
