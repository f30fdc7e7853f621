"""Whether the ledger is right (G6, G7).

It equals the provider's bill to the cent over many calls, faults and disconnects included, and no limit is ever passed, with
64 calls at once and with four processes.

    python benchmarks/ledger.py            # 20,000 calls
    python benchmarks/ledger.py --full     # a million
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import random
import sqlite3
import tempfile
import time
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

from _report import Figure, arguments, report, tell

from moa.core.errors import BudgetExceeded, Cut, Overloaded
from moa.core.events import Delta
from moa.core.money import Account
from moa.core.ports import Scope
from moa.core.prices import Price
from moa.core.types import Call, Reply, Request, Sampling, Usage, user
from moa.stores.ledger import SqliteLedger
from moa.wrap.budget import Budget

PRICE = Price(input=3.0, output=15.0)
CALL = Call("h:m", (user("What is the longest river of Europe?"),), sampling=Sampling(max_tokens=40))
REQUEST = Request(CALL, CALL.conversation)


class Billing:
    """A provider that keeps its own bill, to the micro-dollar; some calls fail, some break off, some are left."""

    def __init__(self, seed: int) -> None:
        self.rng, self.bill, self.cut = random.Random(seed), Decimal(0), 0

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider."""
        usage = Usage(self.rng.randint(5, 30), self.rng.randint(1, 40))
        await asyncio.sleep(0)
        fate = self.rng.random()
        if fate < 0.02:
            raise Overloaded("down")
        if fate < 0.04:
            self.cut += 1
            scope.emit(Delta("four", "text"))
            raise Cut("cut", partial="four")
        self.bill += Decimal(usage.input * 3 + usage.output * 15) / 1_000_000
        return Reply("x", usage=usage)


async def billed(path: Path, calls: int) -> tuple[float, int, int]:
    """Cents between ledger and bill, calls that were cut, and lines of the ledger."""
    ledger, provider = SqliteLedger(path), Billing(7)
    budget = Budget(provider, ledger, lambda model: PRICE)
    account = Account("everybody", 1e9)
    scope = Scope(accounts=(account,), want_deltas=True)

    async def one() -> None:
        with suppress(Overloaded, Cut):
            await budget.send(REQUEST, scope)

    for start in range(0, calls, 500):
        await asyncio.gather(*(one() for _ in range(min(500, calls - start))))
    ledger.flush()
    database = sqlite3.connect(path)
    (exact,) = database.execute("SELECT sum(cost) FROM entries WHERE estimated = 0").fetchone()
    (lines,) = database.execute("SELECT count(*) FROM entries").fetchone()
    ledger.close()
    return abs(float(exact) - float(provider.bill)) * 100, provider.cut, lines


async def raced(path: Path, turns: int) -> int:
    """How often more than ten of 64 calls at once were admitted, with money for ten."""
    ledger, broken = SqliteLedger(path), 0

    async def one(account: Account) -> bool:
        try:
            await ledger.reserve((account,), 1.0)
        except BudgetExceeded:
            return False
        return True

    for turn in range(turns):
        admitted = sum(await asyncio.gather(*(one(Account(f"key {turn}", 10.0)) for _ in range(64))))
        broken += admitted != 10
    ledger.close()
    return broken


def _spend(path: str, seconds: float, results: Any) -> None:
    async def main() -> int:
        ledger, spent, account = SqliteLedger(path), 0, Account("everybody", 10.0)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                await ledger.reserve((account,), 0.01)
                spent += 1
            except BudgetExceeded:
                break
        return spent

    results.put(asyncio.run(main()))


def shared(path: Path) -> float:
    """Dollars that four processes reserved of ten."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=_spend, args=(str(path), 20.0, results)) for _ in range(4)]
    for worker in workers:
        worker.start()
    total = sum(results.get(timeout=120) for _ in workers)
    for worker in workers:
        worker.join()
    return total * 0.01


def main() -> int:
    """Measure and report."""
    parser = arguments(
        argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    )
    parser.add_argument("--quick", action="store_true", help="2,000 calls")
    parser.add_argument("--full", action="store_true", help="a million calls")
    args = parser.parse_args()
    calls = 2000 if args.quick else 1_000_000 if args.full else 20_000
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        cents, cut, lines = asyncio.run(billed(Path(folder) / "a.db", calls))
        each = (time.perf_counter() - started) / calls
        turns = 20 if args.quick else 200
        figures = [
            Figure("G7.cents_off_the_bill", round(cents, 6), 0.5),
            Figure("G7.calls_without_a_line", float(calls - lines), 0),
            Figure("G6.races_lost", float(asyncio.run(raced(Path(folder) / "b.db", turns))), 0),
            Figure("G6.processes.dollars_reserved_of_10", shared(Path(folder) / "c.db"), 10.000001),
        ]
    tell(args, f"{calls} calls, {cut} of them cut and estimated; {each * 1e6:.0f} us each; {turns} races of 64")
    return report(figures, args)


if __name__ == "__main__":
    raise SystemExit(main())
