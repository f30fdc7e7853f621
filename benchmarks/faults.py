"""Who answers when a member is broken (S7), and other things a client must bear, on real sockets.

What cancelled calls leave behind (G5), whether answers ever mix (F33), how much is sent to a host that is down (G3), whether a
deadline holds (G2), whether calls are given up and billed when a run is left in the middle (G4). The faults of S7, against a
mock upstream: one proposer dead (500), cut off, or silent for ever; and the same of the aggregator. moa, and the openai SDK,
langgraph, mixture-llm and litellm, each in a process of its own, are asked the same questions with 20 s of patience.

    python benchmarks/faults.py            # some minutes
    python benchmarks/faults.py --quick    # moa only, few questions
    python benchmarks/faults.py --full     # 20,000 cancels, 100,000 tagged calls, 500 runs with a deadline
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from _contenders import MOA, PEERS, Broken, Contender
from _report import Figure, arguments, report, tell
from _upstream import Upstream, upstream
from transport import churn

from moa import Mixture
from moa.core.errors import MoaError
from moa.providers._http import Aiohttp

FINE = "mock-lat50-tok50"
WORDS = 50
FAULTS = {
    "proposer dead": {"faulty": f"{FINE}-e500p100"},
    "proposer cut": {"faulty": f"{FINE}-cut"},
    "proposer hangs": {"faulty": f"{FINE}-hang"},
    "aggregator dead": {"last": f"{FINE}-e500p100"},
    "aggregator cut": {"last": f"{FINE}-cut"},
    "aggregator hangs": {"last": f"{FINE}-hang"},
}
PATIENCE = 20.0
FIRST_TOKEN = 10.0
"""Seconds that moa's contender gives a call to say its first word (peers/moa_mixture.py)."""
GRACE = 0.06
"""Seconds that one learnt grace is at most: nearly all calls of these models take 50 ms."""


def answered(contender: Contender, served: Upstream, fault: dict[str, str], count: int, **more: Any) -> dict[str, Any]:
    """What a contender makes of a fault."""
    with tempfile.TemporaryDirectory() as folder:
        job = {
            "base_url": served.base_url, "folder": folder, "layers": 1, "width": 4, "model": FINE, "words": WORDS,
            "streamed": False, "warm_up": 0, "count": count, "patience": PATIENCE, **fault, **more,
        }  # fmt: skip
        return contender.do(job)


def table(args: argparse.Namespace, served: Upstream, contenders: Sequence[Contender], count: int) -> list[Figure]:
    """Answered of asked, by fault and contender; and what a dead or silent proposer adds with a quorum."""
    tell(args, f"{'answered of ' + str(count):14}" + "".join(f"{fault:>18}" for fault in FAULTS))
    figures = []
    for contender in contenders:
        cells = []
        for name, fault in FAULTS.items():
            try:
                result = answered(contender, served, fault, count)
            except Broken:
                break
            cells.append(f"{result['answered']:>18}")
            if contender.kind is MOA:
                figure = f"S7.answered.{name.replace(' ', '_')}.percent"
                figures.append(Figure(figure, 100 * result["answered"] / result["asked"], 100, ">="))
        tell(args, f"{contender.kind.name:14}" + "".join(cells) + (f"  {contender.out}" if contender.out else ""))
    moa = contenders[0]
    fine = answered(moa, served, {}, 30, quorum=True)["seconds"]
    for name in ("proposer dead", "proposer hangs"):
        seconds = answered(moa, served, FAULTS[name], 30, quorum=True)["seconds"]
        added = statistics.median(seconds[15:]) - statistics.median(fine[15:])
        figures.append(Figure(f"S7.quorum.{name.replace(' ', '_')}.added_seconds", added, GRACE))
    hung = answered(moa, served, FAULTS["proposer hangs"], 1)["seconds"]
    added = max(hung) - statistics.median(fine[15:])
    figures.append(Figure("S7.default.proposer_hangs.added_seconds", added, FIRST_TOKEN + 0.1))
    return figures


def written(folder: Path, served: Upstream, proposers: Sequence[str], aggregator: str, more: str = "") -> Mixture:
    """A mixture of models of the mock upstream, configured in a file of that folder."""
    members = ", ".join(f'"mock:{model}"' for model in proposers)
    file = folder / "moa.toml"
    file.write_text(
        f'[hosts.mock]\nbase_url = "{served.base_url}"\n[store]\nkeep = false\npath = "{folder}/runs.db"\n{more}'
        f'[mixtures.default]\nproposers = [{members}]\naggregator = "mock:{aggregator}"\n'
    )
    return Mixture.from_config("default", config=file)


async def churned(served: Upstream, cancels: int) -> tuple[float, int]:
    """After so many random cancels, how many of 200 calls are answered, and how many tasks are left."""
    transport = Aiohttp()
    good = await churn(transport, served.base_url, cancels)
    await transport.aclose()
    await asyncio.sleep(0.1)
    return good, len(asyncio.all_tasks()) - 1


async def mixed(served: Upstream, calls: int) -> int:
    """Of so many interleaved calls, each with a length of its own asked for, how many got another's answer."""
    transport, wrong = Aiohttp(), 0
    url = f"{served.base_url}/chat/completions"

    async def call(tokens: int) -> bool:
        body = b'{"model":"mock-ln5s80-tok%d","messages":[]}' % tokens
        async with transport.request("POST", url, {"Content-Type": "application/json"}, body) as response:
            return b'"completion_tokens":%d,' % tokens in await response.read(1 << 20)

    for start in range(0, calls, 200):
        wrong += 200 - sum(await asyncio.gather(*(call(1 + (start + n) % 97) for n in range(200))))
    await transport.aclose()
    return wrong


async def deadlines(served: Upstream, runs: int) -> tuple[float, float]:
    """Over real sockets, with one alive of four: the per cent answered, and the most seconds after the deadline."""
    rng, answered, late = random.Random(2), 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        models = (FINE, f"{FINE}-hang", f"{FINE}-e500p100", f"{FINE}-cut")
        async with written(Path(folder), served, models, FINE) as mixture:

            async def one() -> None:
                nonlocal answered, late
                deadline, started = rng.uniform(0.5, 2.0), time.perf_counter()
                with suppress(MoaError):
                    text = (await mixture.ask("hi", deadline=deadline)).text
                    answered += bool(text)
                late = max(late, time.perf_counter() - started - deadline)

            for _ in range(0, runs, 20):
                await asyncio.gather(*(one() for _ in range(20)))
    return 100 * answered / (-(-runs // 20) * 20), late


async def disconnected(served: Upstream, runs: int, streamed: bool) -> tuple[float, float]:
    """Of runs that are left in the middle: the per cent whose calls are all given up within a second, and the per cent of the
    requests they had sent that have a line in the ledger."""
    rng, model = random.Random(4), "mock-lat100-tok400-itl5"
    with tempfile.TemporaryDirectory() as folder:
        money = f'[budget]\nday = 1000\n[prices."mock:{model}"]\ninput = 1.0\noutput = 2.0\n'
        served.reset()
        aborted = 0
        async with written(Path(folder), served, [model] * 4, model, money) as mixture:

            async def leave(seconds: float) -> None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        if streamed:
                            async with mixture.watch("hi", proposers=True) as events:
                                await events.reply()
                        else:
                            await mixture.ask("hi")

            for _ in range(runs):
                await leave(rng.uniform(0.02, 2.0))
                gone = time.perf_counter()
                while served.stats()["inflight"] and time.perf_counter() - gone < 1.5:
                    await asyncio.sleep(0.02)
                aborted += time.perf_counter() - gone <= 1.0
        with closing(sqlite3.connect(Path(folder) / "runs.ledger.db")) as ledger:
            # what never went out has a line, too, but has used nothing
            (lines,) = ledger.execute("SELECT count(*) FROM entries WHERE input > 0").fetchone()
    return 100 * aborted / runs, 100 * lines / served.stats()["req"]


async def amplified(served: Upstream, calls: int) -> float:
    """Requests per call sent to a host of which every call fails, over so many calls."""
    with tempfile.TemporaryDirectory() as folder:
        dead = f"{FINE}-lat1-e500p100"
        served.reset()
        async with written(Path(folder), served, [dead], dead, "[limits]\nfailures = 1000000\n") as mixture:
            for _ in range(0, calls, 100):
                await asyncio.gather(*(mixture.ask("hi") for _ in range(50)), return_exceptions=True)
    return served.stats()["req"] / calls


def left_in_the_middle(served: Upstream, runs: int) -> list[Figure]:
    """The figures of G4, streamed and not."""
    found = []
    for streamed in (False, True):
        aborted, lines = asyncio.run(disconnected(served, min(runs, 60), streamed))
        kind = "streamed" if streamed else "whole"
        found.append(Figure(f"G4.{kind}.aborted_within_a_second.percent", aborted, 100, ">="))
        found.append(Figure(f"G4.{kind}.requests_with_a_ledger_row.percent", lines, 100, ">="))
    return found


def main() -> int:
    """Measure and report."""
    parser = arguments(
        argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    )
    parser.add_argument("--quick", action="store_true", help="moa only, few questions")
    parser.add_argument("--full", action="store_true", help="20,000 cancels, 100,000 tagged calls, 500 runs")
    parser.add_argument("--fresh", action="store_true", help="make the peers' environments anew")
    args = parser.parse_args()
    count = 3 if args.quick else 10
    cancels, tagged, runs = (
        (400, 2000, 20) if args.quick else (20_000, 100_000, 500) if args.full else (5000, 20_000, 100)
    )
    contenders = [Contender(MOA)]
    try:
        contenders += [] if args.quick else [Contender(kind, fresh=args.fresh) for kind in PEERS]
        with upstream() as served:
            figures = table(args, served, contenders, count)
            good, left = asyncio.run(churned(served, cancels))
            percent, late = asyncio.run(deadlines(served, runs))
            figures += [
                Figure("G5.answered_after_cancels", good, 200, ">="),
                Figure("G5.tasks_left", float(left), 0),
                Figure("F33.answers_of_another_call", float(asyncio.run(mixed(served, tagged))), 0),
                Figure("G2.real.answered.percent", percent, 100, ">="),
                Figure("G2.real.seconds_after_deadline", late, 0.1),
                *left_in_the_middle(served, runs),
                Figure("G3.requests_per_call_when_all_fail", asyncio.run(amplified(served, 2000)), 1.1),
            ]
    finally:
        for contender in contenders:
            contender.stop()
    tell(args, f"{cancels} cancels, {tagged} tagged calls, {runs} runs with a deadline")
    return report(figures, args)


if __name__ == "__main__":
    raise SystemExit(main())
