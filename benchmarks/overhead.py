"""What a mixture costs beside its models: added latency, and CPU per mixture, for moa and for others in the same run.

A mixture of 4 proposers and an aggregator (1 x 4 + 1), and one of three layers (3 x 4 + 1), against a mock upstream
that answers every call with 200 words after a fixed time. Added latency is the wall time over the critical path (that
time, once per layer and once for the aggregator; median of all mixtures). CPU is user and system time of the whole client
process, all threads, per mixture (getrusage; median of the rounds). Upstream and client have a CPU each.

Contenders: `bare` (a gather over moa's own transport), `moa` (everything on: events, deadline, attempts, limit,
timeout, SQLite store), langgraph, the openai SDK, mixture-llm and litellm, each in its own process, the peers in environments of
their own.
Each round measures all of them, in turning order. In the streamed half the aggregator's answer is streamed, which is
where the SDKs spend most; the proposers never are. Every answer's length and the number of requests are checked.

    python benchmarks/overhead.py            # all of it: some minutes
    python benchmarks/overhead.py --quick    # moa and bare only, unstreamed, nothing installed: some seconds
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from _contenders import BARE, MOA, PEERS, Broken, Contender, Kind
from _report import Figure, arguments, report, tell
from _upstream import Upstream, placement, upstream

WIDTH = 4
LAYERS = (1, 3)
WORDS = 200

BARS = {
    "S1.added_latency": {"bare": 1.6, "langgraph": 1 / 3, "openai": 1 / 8},
    "S2.cpu": {"bare": 1.6, "langgraph": 1 / 6, "openai": 1 / 12, "litellm": 1 / 30},
}
"""At most so many times a contender's figure must moa's be. All are due, streamed and not. (The bars beside peers were set on a
streamed aggregator: 30 ms for five calls of the openai SDK are four at 2 ms, and a stream at 20.)"""

HEDGED = 0.05
"""Part of its calls that moa may send twice, where one is slow."""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of mixture."""

    layers: int
    streamed: bool

    @property
    def name(self) -> str:
        return f"{self.layers}layer" + (".streamed" if self.streamed else "")

    @property
    def calls(self) -> int:
        return self.layers * WIDTH + 1


@dataclass
class Cell:
    """What one contender showed in one case: seconds per mixture, and CPU seconds per mixture of each round."""

    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)


@dataclass
class Results:
    """All cells of a run."""

    latency: float
    cells: dict[tuple[str, Case], Cell] = field(default_factory=dict)

    def add(self, name: str, case: Case, result: dict[str, Any]) -> None:
        """Take in the result of one job."""
        cell = self.cells.setdefault((name, case), Cell())
        cell.seconds += result["seconds"]
        cell.cpu.append(result["cpu"] / len(result["seconds"]))

    def added(self, name: str, case: Case) -> float | None:
        """Added latency in ms."""
        cell = self.cells.get((name, case))
        return cell and (statistics.median(cell.seconds) * 1e3 - (case.layers + 1) * self.latency)

    def cpu(self, name: str, case: Case) -> float | None:
        """CPU in ms per mixture."""
        cell = self.cells.get((name, case))
        return cell and statistics.median(cell.cpu) * 1e3

    def ratio(self, what: str, name: str, case: Case, ours: str = "moa") -> float | None:
        """moa's figure, or that of the floor, by that contender's."""
        measure = self.added if what == "S1.added_latency" else self.cpu
        own, theirs = measure(ours, case), measure(name, case)
        return None if own is None or theirs is None or theirs <= 0 else own / theirs


def main() -> int:
    """Measure and report."""
    args = _arguments()
    cases = [Case(layers, streamed) for streamed in ((False,) if args.quick else (False, True)) for layers in LAYERS]
    results = Results(args.latency)
    kinds = (BARE, MOA) if args.quick else (BARE, MOA, *PEERS)
    with upstream() as served, _started(kinds, fresh=args.fresh) as contenders:
        for number in range(args.rounds):
            _round(number, cases, contenders, served, results, args)
    _table(results, cases, contenders, args)
    peers = [] if args.quick else [kind.name for kind in PEERS]
    return report(list(_figures(results, cases, peers)), args, details=_details(results, contenders, args))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="moa and bare only, unstreamed, shorter calls")
    parser.add_argument("--fresh", action="store_true", help="make the peers' environments anew")
    parser.add_argument("--rounds", type=int, help="how often each contender is measured")
    parser.add_argument("--count", type=int, default=12, help="mixtures per round and case")
    parser.add_argument("--latency", type=int, help="ms the upstream takes for a call")
    args = arguments(parser).parse_args()
    args.rounds = args.rounds or (3 if args.quick else 5)
    args.latency = args.latency or (20 if args.quick else 50)
    return args


@contextmanager
def _started(kinds: Sequence[Kind], *, fresh: bool) -> Iterator[list[Contender]]:
    contenders: list[Contender] = []
    try:
        for kind in kinds:
            contenders.append(Contender(kind, fresh=fresh))
        yield contenders
    finally:
        for contender in contenders:
            contender.stop()


def _round(
    number: int,
    cases: Iterable[Case],
    contenders: Sequence[Contender],
    served: Upstream,
    results: Results,
    args: argparse.Namespace,
) -> None:
    turn = number % len(contenders)
    for case in cases:
        for contender in (*contenders[turn:], *contenders[:turn]):
            if not contender.out:
                _measure(contender, case, served, results, args)
    print(f"round {number + 1} of {args.rounds}", file=sys.stderr, flush=True)


def _measure(contender: Contender, case: Case, served: Upstream, results: Results, args: argparse.Namespace) -> None:
    served.reset()
    with tempfile.TemporaryDirectory() as folder:
        job = {
            "base_url": served.base_url,
            "folder": folder,
            "layers": case.layers,
            "width": WIDTH,
            "model": f"mock-lat{args.latency}-tok{WORDS}-vary",
            "words": WORDS,
            "streamed": case.streamed,
            "warm_up": 5,
            "count": args.count,
        }
        try:
            result = contender.do(job)
        except Broken:
            return
    sent, due = int(served.stats()["req"]), (job["warm_up"] + args.count) * case.calls
    if not due <= sent <= due * (1 + HEDGED * (contender.kind is MOA)):
        contender.out = f"it sent {sent} requests where {due} were due"
        return
    results.add(contender.kind.name, case, result)


def _table(results: Results, cases: Sequence[Case], contenders: Sequence[Contender], args: argparse.Namespace) -> None:
    tell(args, f"{args.rounds} rounds of {args.count} mixtures, {args.latency} ms a call; {placement()}")
    for streamed in dict.fromkeys(case.streamed for case in cases):
        tell(args, f"\naggregator {'streamed' if streamed else 'not streamed'}; ms per mixture")
        tell(args, f"{'':11}" + "".join(f"{f'{layers}x{WIDTH}+1 added':>14}{'CPU':>9}" for layers in LAYERS))
        for contender in contenders:
            tell(args, _row(results, contender, [case for case in cases if case.streamed == streamed]))
    tell(args)


def _row(results: Results, contender: Contender, cases: Sequence[Case]) -> str:
    name = contender.kind.name
    words = f"{name:11}"
    for case in cases:
        added, cpu = results.added(name, case), results.cpu(name, case)
        words += f"{'-':>14}{'-':>9}" if added is None or cpu is None else f"{added:14.2f}{cpu:9.2f}"
    return f"{words}  {contender.out or contender.version}".rstrip()


def _figures(results: Results, cases: Iterable[Case], peers: Sequence[str]) -> Iterator[Figure]:
    for case in cases:
        for what, bars in BARS.items():
            for name, target in bars.items():
                if name == BARE.name or name in peers:
                    yield Figure(f"{what}.{case.name}.ratio_to_{name}", results.ratio(what, name, case), target)
                if name in peers:  # where the floor itself is above the bar, nothing over it can be below
                    floor = results.ratio(what, name, case, ours=BARE.name)
                    yield Figure(f"{what}.{case.name}.floor_by_{name}", floor, target, due=False)


def _details(results: Results, contenders: Sequence[Contender], args: argparse.Namespace) -> dict[str, Any]:
    cells = [
        {"contender": name, "case": case.name, "added_ms": results.added(name, case), "cpu_ms": results.cpu(name, case)}
        for name, case in results.cells
    ]
    return {
        "rounds": args.rounds,
        "count": args.count,
        "latency_ms": args.latency,
        "placement": placement(),
        "versions": {one.kind.name: one.version for one in contenders if one.version},
        "out": {one.kind.name: one.out for one in contenders if one.out},
        "cells": cells,
    }


if __name__ == "__main__":
    raise SystemExit(main())
