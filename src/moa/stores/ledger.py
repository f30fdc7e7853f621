"""The ledger: daily budgets that hold across processes and crashes, and a line for every attempt. SQLite, fully synced.

Each process spends inside *leases*: a lease is a part of an account's day (1 % of its limit, or what one call needs), taken in
one transaction that sees all other processes' leases, and on disk before anything is reserved in it. So no two processes ever
promise the same dollar, reserving costs no disk access, and after a crash an open lease counts as spent: never too little.

A day is a UTC day. It does not go back when the wall clock does, so that no budget begins twice; but who once had a clock more
than a day ahead binds nobody else. An attempt counts on the day its money was set aside, also where it ends on the next.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from moa.core.errors import StoreFailed
from moa.core.money import Account, Entry, Hold
from moa.stores._ledgerfile import Lease, LedgerFile, Settled, charged, new_holder
from moa.stores._writer import Writer, close_at_exit
from moa.stores.purse import Purses, exceeded

By: TypeAlias = Literal["day", "mixture", "role", "agent", "model", "tenant"]


@dataclass(frozen=True, slots=True)
class Sum:
    """What one mixture, model or the like has used: attempts and tokens in and out, `cost` in US dollars (None where the price
    of one was not known), and how many attempts ended without an answer. A day is given as days since 1970, UTC."""

    what: str
    attempts: int
    input: int
    output: int
    cost: float | None
    failed: int


class SqliteLedger:
    """A Ledger in the file `path`, which is made at the first use, with mode 0600. Several processes may share it.

    Accounts that are not daily (a run's own limit) live in memory only. `clock` is wall-clock time in Unix seconds. Without
    `lines` only what daily accounts pay is written down.
    """

    def __init__(
        self, path: str | os.PathLike[str], clock: Callable[[], float] = time.time, lines: bool = True
    ) -> None:
        self.path = Path(path)
        self.purses = Purses()
        self._clock, self._lines = clock, lines
        self._day = 0
        self._file = LedgerFile(self.path, new_holder())
        self._leases = self._file.leases
        self._memory, self._disk = threading.Lock(), threading.Lock()  # taken in the order: disk, memory
        self._writer: Writer[Settled] = Writer(self._file.write, self._file.close, 100_000)
        weakref.finalize(self, close_at_exit, self._writer)
        _LIVE.add(self)

    async def reserve(self, accounts: tuple[Account, ...], amount: float) -> Hold:
        """See Ledger. Waits for the disk only where a lease is used up."""
        if self._writer.closed:
            raise self._closed()
        while True:
            short, leases, own = [], [], False
            with self._memory:
                day = self._today()
                for account in accounts:
                    if account.daily:
                        leases.append(lease := self._leases.get((account.name, day)) or self._lease(account, day))
                        if lease.left < amount:
                            short.append(account)
                    else:
                        own = True
                if not short:
                    if own:
                        self.purses.take(_of_runs(accounts), amount)
                    for lease in leases:
                        lease.left, lease.reserved = lease.left - amount, lease.reserved + amount
                    return Hold(accounts, amount, day)
            await self._leased(short, amount)

    def settle(self, hold: Hold, entry: Entry) -> None:
        """See Ledger."""
        if self._writer.closed:
            raise self._closed()
        paid: list[tuple[str, int]] = []
        own = self.purses.keep
        with self._memory:
            day = hold.day or self._today()
            for account in hold.accounts:
                if not account.daily:
                    own = True
                    continue
                paid.append(place := (account.name, day))
                lease = self._leases.get(place) or self._lease(account, day)
                back = min(hold.amount, lease.reserved)  # nothing where a parent process reserved it
                lease.left += back - (entry.cost or 0.0)
                lease.reserved -= back
            if own:
                self.purses.settle(Hold(_of_runs(hold.accounts), hold.amount), entry)
        if paid or self._lines:
            self._writer.add(Settled(entry, self._clock(), day, tuple(paid)))

    def forget(self, accounts: tuple[Account, ...]) -> None:
        """See Ledger."""
        self.purses.forget(accounts)

    def spent(self, account: str, day: int | None = None) -> float:
        """What an account has spent on a day (days since 1970; None: today), open leases of other processes included."""
        self._writer.flush()
        with self._file.reading() as database:
            return charged(database, account, self._today() if day is None else day, self._file.holder)

    def sums(self, by: By, days: int) -> list[Sum]:
        """What was spent today and on the `days` - 1 days before, the dearest first; of days the latest first."""
        self._writer.flush()
        order = "what DESC" if by == "day" else "total(cost) DESC, what"
        with self._file.reading() as database:
            rows = database.execute(
                f"SELECT {by} AS what, count(*), sum(input), sum(output), CASE WHEN count(*) = count(cost) THEN total(cost) END, "
                f"sum(ended <> 'done') FROM entries WHERE day > ? GROUP BY what ORDER BY {order}",
                (self._today() - days,),
            ).fetchall()
        return [Sum(str(what or ""), *numbers) for what, *numbers in rows]

    def flush(self) -> None:
        """Return when everything settled so far is on disk; raises StoreFailed where it cannot be written."""
        self._writer.flush()

    async def flushed(self, seconds: float) -> None:
        """`flush` while the event loop goes on, and for so many seconds at most: what is late is written all the same."""
        await self._writer.flushed(seconds)

    def check(self, accounts: Sequence[Account] = ()) -> None:
        """See that the file, if there is one, can be used by a run that these pay.

        Raises:
            ConfigError: it is damaged, or another program's.
            StoreFailed: it cannot be read now.
        """
        if (self._lines or any(account.daily for account in accounts)) and self.path.exists():
            with self._file.reading() as database:
                database.execute("SELECT count(*) FROM leases WHERE day = 0").fetchone()

    def close(self) -> None:
        """Write what is settled, give back what is left of the leases, and close the file."""
        self._writer.close()

    @property
    def full(self) -> bool:
        """Whether what is settled cannot be written now: no new run should start."""
        return self._writer.full

    def _today(self) -> int:
        self._day = max(self._day, int(self._clock() // 86_400))
        return self._day

    def _closed(self) -> StoreFailed:
        return StoreFailed(f"{self.path}: this ledger was closed")

    def _lease(self, account: Account, day: int) -> Lease:
        lease = self._leases.get((account.name, day))
        if lease is None:
            for old in [key for key, one in self._leases.items() if key[1] < day - 1 and not one.reserved]:
                del self._leases[old]
            lease = self._leases[account.name, day] = Lease()
        return lease

    async def _leased(self, accounts: Sequence[Account], amount: float) -> None:
        """Lease more, while the event loop goes on: in a thread that nobody waits for when the loop ends."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def tell(error: Exception | None) -> None:
            if not done.done():
                done.set_result(None) if error is None else done.set_exception(error)

        def work() -> None:
            problem: Exception | None = None
            try:
                self._extend(accounts, amount)
            except Exception as error:  # noqa: BLE001 - the thread's outermost door: raised by who waits
                problem = error
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(tell, problem)

        threading.Thread(target=work, name="moa-lease", daemon=True).start()
        await done

    def _forked(self) -> None:
        """In a new child process: what was leased is the parent's, and who held a lock is not here."""
        self._memory, self._disk = threading.Lock(), threading.Lock()
        self._file.forked()

    def _extend(self, accounts: Sequence[Account], amount: float) -> None:
        """Lease more for each of them: in a thread, one at a time."""
        with self._disk:
            for account in accounts:
                with self._memory:
                    today = self._today()
                    missing = amount - self._lease(account, today).left
                if missing <= 0:  # somebody else has leased meanwhile
                    continue
                day, granted, rest = self._file.lease(account, today, missing)
                with self._memory:
                    self._day = max(self._day, day)
                    lease = self._lease(account, day)
                    lease.left += granted
                    if day == self._today() and granted < missing and lease.left < amount:  # else it is tried again
                        raise exceeded(account, amount, lease.left + rest)


def _of_runs(accounts: Sequence[Account]) -> tuple[Account, ...]:
    """Those that live no longer than a run, in memory."""
    return tuple(account for account in accounts if not account.daily)


_LIVE: weakref.WeakSet[SqliteLedger] = weakref.WeakSet()


def _after_fork() -> None:
    for ledger in tuple(_LIVE):
        ledger._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
