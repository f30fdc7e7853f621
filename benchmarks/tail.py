"""What hedging and a quorum do to the slowest answers, beside waiting for all (S8).

A mixture of three layers of 4 and an aggregator over models whose latency is lognormal (sigma 0.8) from a fixed seed: moa's own
engine with every wrap on, on a virtual clock, so that thousands of requests take seconds and the same ones are asked of each
policy. The first 2,000 warm it up: what hedging goes by is learnt from them. Extra calls are those beyond one per logical call.

    python benchmarks/tail.py            # some minutes
    python benchmarks/tail.py --quick    # some seconds: that it runs, not what it shows

("The Tail at Scale", Dean & Barroso, CACM 2013; a quorum drops proposals, which costs quality: it is opt-in.)
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent.parent / "tests")]

from _report import Figure, arguments, report, tell

from clock import run
from faults.rigged import Rigged
from moa.core.types import Request
from moa.providers.fake import Script

SIGMA = 0.8
LAYERS = [["a", "b", "c", "d"]] * 3
CALLS = 13


@dataclass(frozen=True, slots=True)
class Policy:
    """A way not to wait for the slowest: the share of calls that may be hedged, and at which percentile; the quorum's rules."""

    name: str
    hedges: float = 0.0
    rules: tuple[tuple[str, Any], ...] = ()


WAIT = Policy("wait for all")
HEDGE = Policy("hedge at p95", hedges=0.05)
QUORUM = Policy("quorum 3 of 4", rules=(("need", 3),))
BOTH = Policy("quorum + hedge", hedges=0.05, rules=(("need", 3),))
LEARNT = Policy("quorum, learnt grace", rules=(("need", 3), ("grace", None)))


@dataclass(frozen=True, slots=True)
class Seen:
    """The sorted seconds of a policy's answers, and its extra calls per logical call."""

    seconds: list[float]
    extra: float

    def at(self, share: float) -> float:
        """A percentile."""
        return self.seconds[min(int(share * len(self.seconds)), len(self.seconds) - 1)]


def seen(policy: Policy, warm_up: int, count: int, seed: int) -> Seen:
    """Ask so many questions, one after the other."""
    chance = random.Random(seed)

    def latency(request: Request) -> Script:
        return Script("answer", delay=chance.lognormvariate(0.0, SIGMA))

    limits = {"hedges": policy.hedges, "first_token": 1000.0, "between_tokens": 1000.0, "timeout": 10_000.0}
    rigged = Rigged(latency, limits=limits)
    mixture = rigged.mixture(LAYERS, "agg", **dict(policy.rules))

    async def main() -> Seen:
        seconds = []
        for number in range(warm_up + count):
            if number == warm_up:
                rigged.times.clear()
            asked = await rigged.ask(mixture)
            assert asked.error is None, asked.error
            seconds.append(asked.seconds)
            await asyncio.sleep(60.0)  # who was late has ended
            rigged.fake.asked.clear()
        return Seen(sorted(seconds[warm_up:]), len(rigged.times) / (count * CALLS) - 1)

    random.seed(seed)
    return run(main())


def figures(found: dict[str, Seen]) -> list[Figure]:
    """S8."""
    base, hedge, both = found[WAIT.name], found[HEDGE.name], found[BOTH.name]
    return [
        Figure("S8.hedge.p99.ratio", hedge.at(0.99) / base.at(0.99), 0.80),
        Figure("S8.hedge.extra_calls.percent", 100 * hedge.extra, 5.0),
        Figure("S8.quorum_hedge.p50.ratio", both.at(0.5) / base.at(0.5), 0.65),
        Figure("S8.quorum_hedge.p99.ratio", both.at(0.99) / base.at(0.99), 0.55),
        Figure("S8.quorum_hedge.extra_calls.percent", 100 * both.extra, 1.5),
    ]


def main() -> int:
    """Ask under each policy, print, report."""
    parser = arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))  # type: ignore[union-attr]
    parser.add_argument("--quick", action="store_true", help="few questions: that it runs, not what it shows")
    parser.add_argument("--seed", type=int, default=8)
    args = parser.parse_args()
    warm_up, count = (100, 100) if args.quick else (2000, 5000)
    found: dict[str, Seen] = {}
    tell(args, f"{count} questions after {warm_up}; latency of a call lognormal, median 1 s, sigma {SIGMA}")
    tell(args, f"{'':22}{'p50':>9}{'p95':>9}{'p99':>9}{'p99.9':>9}{'extra':>9}")
    for policy in (WAIT, HEDGE, QUORUM, BOTH, LEARNT):
        one = found[policy.name] = seen(policy, warm_up, count, args.seed)
        base = found[WAIT.name]
        cells = "".join(f"{one.at(share) / base.at(share):8.2f}x" for share in (0.5, 0.95, 0.99, 0.999))
        tell(args, f"{policy.name:22}{cells}{100 * one.extra:8.1f}%")
    details = {name: {"p50": one.at(0.5), "p99": one.at(0.99), "extra": one.extra} for name, one in found.items()}
    return report(figures(found), args, details)


if __name__ == "__main__":
    raise SystemExit(main())
