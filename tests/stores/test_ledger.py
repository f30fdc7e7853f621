"""Daily budgets that hold across processes, crashes and clocks, and a line for every attempt."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from moa.core.errors import BudgetExceeded, ConfigError, StoreFailed
from moa.core.money import Account, Entry, Hold
from moa.core.types import Usage
from moa.stores.ledger import SqliteLedger, Sum

DAY = 86_400.0
ALL = Account("everybody", 10.0)


def entry(cost: float | None = 0.0, **more: Any) -> Entry:
    given = {
        "run": "r",
        "span": 1,
        "attempt": 1,
        "role": "proposer",
        "agent": "a",
        "model": "h:m",
        "mixture": "x",
        "tenant": "",
    }
    return Entry(**(given | {"usage": Usage(3, 4), "cost": cost, "estimated": False, "ended": "done"} | more))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_money_is_reserved_settled_and_written_down(path: Path) -> None:
    ledger = SqliteLedger(path, clock=lambda: 100 * DAY)

    async def main() -> None:
        held = await ledger.reserve((ALL,), 4.0)
        with pytest.raises(
            BudgetExceeded,
            match=r"may cost \$7\.0000, but of the \$10\.0000 of everybody only \$6\.0000 are left today",
        ):
            await ledger.reserve((ALL,), 7.0)
        ledger.settle(held, entry(1.5))
        held = await ledger.reserve((ALL,), 7.0)
        ledger.settle(held, entry(2.0, role="aggregator", ended="cancelled", estimated=True))

    asyncio.run(main())
    assert ledger.spent("everybody") == pytest.approx(3.5)
    ledger.close()
    rows = (
        sqlite3.connect(path)
        .execute("SELECT day, role, model, input, output, cost, estimated, ended FROM entries")
        .fetchall()
    )
    assert rows == [
        (100, "proposer", "h:m", 3, 4, 1.5, 0, "done"),
        (100, "aggregator", "h:m", 3, 4, 2.0, 1, "cancelled"),
    ]
    assert path.stat().st_mode & 0o077 == 0
    again = SqliteLedger(path, clock=lambda: 100 * DAY)
    assert again.spent("everybody") == pytest.approx(3.5)
    asyncio.run(again.reserve((ALL,), 6.4))
    again.close()


def test_a_next_day_begins_anew_and_a_clock_that_goes_back_does_not_begin_a_day_again(path: Path) -> None:
    """F29."""
    now = 100 * DAY + 5

    async def fill(ledger: SqliteLedger) -> float:
        spent = 0.0
        while True:
            try:
                held = await ledger.reserve((ALL,), 1.0)
            except BudgetExceeded:
                return spent
            ledger.settle(held, entry(1.0))
            spent += 1.0

    ledger = SqliteLedger(path, clock=lambda: now)
    assert asyncio.run(fill(ledger)) == 10.0
    now += DAY
    assert asyncio.run(fill(ledger)) == 10.0
    now -= DAY  # an hour's jump over midnight and back
    assert asyncio.run(fill(ledger)) == 0.0
    ledger.close()
    later = SqliteLedger(path, clock=lambda: now)
    assert asyncio.run(fill(later)) == 0.0
    later.close()


def test_64_at_once_never_promise_more_than_a_day_has(path: Path) -> None:
    """G6: calls for ten of which there is money, from 64 tasks, some of which are stopped; two hundred times."""

    async def one(ledger: SqliteLedger, account: Account, number: int) -> bool:
        try:
            held = await ledger.reserve((account, Account(f"run {account.name} {number}", 1.0, daily=False)), 1.0)
        except BudgetExceeded:
            return False
        await asyncio.sleep(0)
        ledger.settle(held, entry(1.0))
        return True

    async def main() -> None:
        for turn in range(200):
            account = Account(f"key {turn}", 10.0)
            admitted = await asyncio.gather(*(one(ledger, account, number) for number in range(64)))
            assert sum(admitted) == 10

    ledger = SqliteLedger(path)
    asyncio.run(main())
    assert ledger.spent("key 7") == pytest.approx(10.0)
    ledger.close()


def _spend(path: Path, count: int, crash: bool, gate: Any, results: Any) -> None:
    async def main() -> int:
        spent = 0
        for _ in range(count):
            try:
                held = await ledger.reserve((Account("everybody", 10.0),), 0.01)
            except BudgetExceeded:
                break
            ledger.settle(held, entry(0.01))
            spent += 1
        return spent

    ledger = SqliteLedger(path)
    gate.wait(30)
    results.put(asyncio.run(main()))
    if crash:
        results.close()
        results.join_thread()
        os._exit(9)
    ledger.close()


def test_processes_share_a_day_and_what_a_crashed_one_had_leased_counts_as_spent(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    gate, results = context.Barrier(4), context.Queue()
    workers = [context.Process(target=_spend, args=(path, 400, number == 0, gate, results)) for number in range(4)]
    for worker in workers:
        worker.start()
    counts = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)
    assert sum(counts) <= 1000
    assert sum(counts) >= 900  # of 1,600 asked for, the day has money for 1,000
    ledger = SqliteLedger(path)
    assert 0.01 * sum(counts) - 1e-6 <= ledger.spent("everybody") <= 10.0 + 1e-6
    ledger.close()


def test_a_cost_above_what_was_reserved_is_counted_in_full(path: Path) -> None:
    ledger = SqliteLedger(path)

    async def main() -> None:
        held = await ledger.reserve((ALL,), 1.0)
        ledger.settle(held, entry(9.5))
        with pytest.raises(BudgetExceeded):
            await ledger.reserve((ALL,), 1.0)

    asyncio.run(main())
    assert ledger.spent("everybody") == pytest.approx(9.5)
    ledger.close()


def test_where_the_disk_is_full_or_the_file_is_another_s_no_money_is_promised(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("PRAGMA application_id = 7")
        database.execute("CREATE TABLE t (x)")
    ledger = SqliteLedger(other)
    with pytest.raises(StoreFailed, match="another program's database"):
        asyncio.run(ledger.reserve((ALL,), 1.0))
    folder = tmp_path / "folder.db"
    folder.mkdir()
    with pytest.raises(StoreFailed):
        asyncio.run(SqliteLedger(folder).reserve((ALL,), 1.0))


def test_accounts_without_a_day_need_no_file(path: Path) -> None:
    ledger, mine = SqliteLedger(path), Account("this run", 1.0, daily=False)

    async def main() -> None:
        await ledger.reserve((mine,), 0.75)
        with pytest.raises(BudgetExceeded):
            await ledger.reserve((mine,), 0.5)

    asyncio.run(main())
    assert not path.exists()


def test_what_was_reserved_before_midnight_buys_nothing_after_it(path: Path) -> None:
    now = [100 * DAY - 60]
    ledger = SqliteLedger(path, clock=lambda: now[0])

    async def main() -> float:
        held = [await ledger.reserve((ALL,), 1.0) for _ in range(10)]
        now[0] = 100 * DAY + 60
        for one in held:
            ledger.settle(one, entry(0.0))
        spent = 0.0
        for _ in range(30):
            try:
                one = await ledger.reserve((ALL,), 1.0)
            except BudgetExceeded:
                break
            ledger.settle(one, entry(1.0))
            spent += 1.0
        return spent

    assert asyncio.run(main()) == 10.0
    assert ledger.spent("everybody") == pytest.approx(10.0)
    ledger.close()


def test_an_attempt_counts_on_the_day_its_money_was_set_aside(path: Path) -> None:
    """Else a new day, whose money is all promised, would be passed by what the old one still spends."""
    now = [100 * DAY - 60]
    ledger = SqliteLedger(path, clock=lambda: now[0])
    held = asyncio.run(ledger.reserve((ALL,), 4.0))
    now[0] = 100 * DAY + 60
    whole = asyncio.run(ledger.reserve((ALL,), 10.0))
    ledger.settle(held, entry(3.0))
    ledger.settle(whole, entry(10.0))
    assert ledger.spent("everybody", 99) == pytest.approx(3.0)
    assert ledger.spent("everybody", 100) == pytest.approx(10.0)
    with pytest.raises(BudgetExceeded):
        asyncio.run(ledger.reserve((ALL,), 0.1))
    assert [(one.what, one.cost) for one in ledger.sums("day", 2)] == [("100", 10.0), ("99", 3.0)]
    ledger.close()


def test_money_that_another_task_reserves_meanwhile_is_no_end_of_the_budget(path: Path) -> None:
    """Between the lease for one call and its reserving, others take from it: there is money left all the same."""
    ledger = SqliteLedger(path, clock=lambda: 100 * DAY)
    leased, taken = ledger._file.lease, []

    def lease(account: Account, day: int, needed: float) -> tuple[int, float]:
        found = leased(account, day, needed)
        if not taken:
            taken.append(True)
            with ledger._memory:
                ledger._lease(account, day).left -= 0.5
        return found

    ledger._file.lease = lease  # type: ignore[method-assign]
    asyncio.run(ledger.reserve((ALL,), 1.0))
    assert taken
    ledger.close()


def test_what_was_spent_is_summed_by_model_payer_and_day(path: Path) -> None:
    now = [100 * DAY]
    ledger = SqliteLedger(path, clock=lambda: now[0])
    ledger.settle(Hold(), entry(1.0, model="h:old"))
    now[0] += DAY
    ledger.settle(Hold(), entry(0.5, model="h:cheap", tenant="team a"))
    ledger.settle(Hold(), entry(0.25, model="h:cheap", ended="failed"))
    ledger.settle(Hold(), entry(3.0, model="h:dear", tenant="team a"))
    assert ledger.sums("model", 1) == [Sum("h:dear", 1, 3, 4, 3.0, 0), Sum("h:cheap", 2, 6, 8, 0.75, 1)]
    assert [(one.what, one.cost) for one in ledger.sums("tenant", 1)] == [("team a", 3.5), ("", 0.25)]
    assert [(one.what, one.cost) for one in ledger.sums("day", 2)] == [("101", 3.75), ("100", 1.0)]
    ledger.settle(Hold(), entry(None, model="h:cheap"))
    assert [one.cost for one in ledger.sums("model", 1) if one.what == "h:cheap"] == [None]
    ledger.close()


def test_lines_of_so_many_days_are_kept_and_a_wrong_clock_removes_none(path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("moa.stores._ledgerfile.KEPT", 2)
    for day in (100, 101, 501, 502):
        ledger = SqliteLedger(path, clock=lambda day=day: day * DAY)  # type: ignore[misc]
        ledger.settle(Hold(), entry(1.0))
        ledger.close()
    ledger = SqliteLedger(path, clock=lambda: 501 * DAY)
    assert [one.what for one in ledger.sums("day", 1000)] == ["502", "501", "101"]
    ledger.close()


def test_a_clock_that_was_once_far_ahead_binds_nobody_else(path: Path) -> None:
    ahead = SqliteLedger(path, clock=lambda: 900 * DAY)
    ahead.settle(asyncio.run(ahead.reserve((ALL,), 10.0)), entry(10.0))
    ahead.close()
    right = SqliteLedger(path, clock=lambda: 100 * DAY)
    right.settle(asyncio.run(right.reserve((ALL,), 10.0)), entry(10.0))
    assert right.spent("everybody") == pytest.approx(10.0)
    right.close()
    behind = SqliteLedger(path, clock=lambda: 99 * DAY)  # but by a day a clock may be behind
    with pytest.raises(BudgetExceeded):
        asyncio.run(behind.reserve((ALL,), 1.0))
    behind.close()


def test_a_day_that_has_begun_elsewhere_does_not_begin_again_where_the_clock_is_behind(path: Path) -> None:
    """F29."""
    first = SqliteLedger(path, clock=lambda: 101 * DAY)
    first.settle(asyncio.run(first.reserve((ALL,), 4.0)), entry(4.0))
    first.close()
    behind = SqliteLedger(path, clock=lambda: 101 * DAY - 60)
    held = asyncio.run(behind.reserve((ALL,), 6.0))
    assert held.day == 101
    with pytest.raises(BudgetExceeded):
        asyncio.run(behind.reserve((ALL,), 1.0))
    behind.close()


def test_what_was_promised_and_never_settled_counts_as_spent_when_it_is_closed(path: Path) -> None:
    ledger = SqliteLedger(path, clock=lambda: 100 * DAY)
    asyncio.run(ledger.reserve((ALL,), 4.0))
    ledger.close()
    later = SqliteLedger(path, clock=lambda: 100 * DAY)
    assert later.spent("everybody") == pytest.approx(4.0)
    later.close()


def test_what_is_written_is_synced(path: Path) -> None:
    ledger = SqliteLedger(path)
    ledger.settle(Hold(), entry())
    ledger.flush()
    with ledger._file.reading() as database:
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    ledger.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_takes_neither_locks_nor_leases_of_its_parent(path: Path) -> None:
    ledger = SqliteLedger(path)
    asyncio.run(ledger.reserve((ALL,), 1.0))
    holder = ledger._file.holder
    with ledger._memory, ledger._disk, ledger._file._turn:
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            held = asyncio.run(ledger.reserve((ALL,), 2.0))
            ledger.settle(held, entry(2.0))
            ledger.flush()
            os._exit(0 if ledger._file.holder != holder else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert ledger.spent("everybody") == pytest.approx(2.0)  # the child's lease; of ours nothing is spent yet
    ledger.close()


def test_a_locked_file_does_not_hold_up_the_event_loop_nor_its_end(path: Path) -> None:
    ledger = SqliteLedger(path)
    ledger.settle(asyncio.run(ledger.reserve((Account("other", 1.0),), 0.01)), entry())
    ledger.flush()
    locker = sqlite3.connect(path, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")

    async def main() -> float:
        began, slowest = time.monotonic(), 0.0
        lease = asyncio.create_task(ledger.reserve((ALL,), 1.0))
        ledger.settle(Hold(), entry())
        flushing = asyncio.create_task(ledger.flushed(0.3))
        while time.monotonic() - began < 0.5:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            slowest = max(slowest, time.monotonic() - before)
        await flushing
        lease.cancel()
        return slowest

    began = time.monotonic()
    assert asyncio.run(main()) < 0.4
    assert time.monotonic() - began < 3.0
    locker.execute("ROLLBACK")
    ledger.close()


def test_a_closed_ledger_says_so(path: Path) -> None:
    ledger = SqliteLedger(path)
    ledger.close()
    with pytest.raises(StoreFailed, match="was closed"):
        asyncio.run(ledger.reserve((ALL,), 1.0))
    with pytest.raises(StoreFailed, match="was closed"):
        ledger.settle(Hold(), entry())


def test_leases_that_cannot_be_given_back_are_told(path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("moa.stores._ledgerfile.BUSY", 0.05)
    ledger = SqliteLedger(path)
    asyncio.run(ledger.reserve((ALL,), 1.0))
    locker = sqlite3.connect(path, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreFailed, match="what is spent cannot be kept here: database is locked"):
        ledger.close()
    locker.execute("ROLLBACK")


def test_more_lines_than_one_statement_takes_are_written(path: Path) -> None:
    ledger = SqliteLedger(path)
    for _ in range(200):
        ledger.settle(Hold(), entry(0.5))
    assert [(one.attempts, one.cost) for one in ledger.sums("model", 1)] == [(200, 100.0)]
    ledger.close()


def test_a_damaged_file_is_told_before_anything_is_paid(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)
    ledger = SqliteLedger(path)
    with pytest.raises(ConfigError, match="damaged"):
        ledger.check()
    SqliteLedger(path, lines=False).check()
    with pytest.raises(ConfigError):
        SqliteLedger(path, lines=False).check((ALL,))
