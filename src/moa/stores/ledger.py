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
import secrets
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from moa.core.errors import StoreFailed
from moa.core.money import Account, Entry, Hold
from moa.stores._schema import use_wal
from moa.stores._tables import insert, transaction
from moa.stores._trouble import make_private, translated
from moa.stores._writer import Writer, close_at_exit
from moa.stores.purse import Purses, exceeded

PART = 0.01
"""Part of a limit that is leased at a time."""

KEPT = 400
"""So many days with lines are kept."""

AHEAD = 1
"""Days that another process's clock may be ahead; one that is further ahead is wrong."""

By: TypeAlias = Literal["day", "mixture", "role", "agent", "model", "tenant"]

WORDS = ("what is spent", "")
"""What is kept here, and that there is no other way, for error messages."""

BUSY = 5.0
APPLICATION = 0x6D6F614C  # "moaL"

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS leases (
        holder TEXT NOT NULL,               -- a process
        account TEXT NOT NULL,
        day INTEGER NOT NULL,               -- days since 1970, UTC
        dollars REAL NOT NULL,              -- granted: counts as spent while open
        used REAL NOT NULL DEFAULT 0,       -- settled
        open INTEGER NOT NULL DEFAULT 1,
        PRIMARY KEY (account, day, holder)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS entries (
        id INTEGER PRIMARY KEY, time REAL NOT NULL, day INTEGER NOT NULL, run TEXT, span INTEGER, attempt INTEGER,
        role TEXT, agent TEXT, model TEXT, mixture TEXT, tenant TEXT, input INTEGER, output INTEGER, cached INTEGER,
        cost REAL, estimated INTEGER, ended TEXT
    )""",
)

COLUMNS = (
    "time, day, run, span, attempt, role, agent, model, mixture, tenant, input, output, cached, cost, estimated, ended"
)


@dataclass
class _Lease:
    """What this process may still reserve of one account's day, and what it has reserved and not settled."""

    left: float = 0.0
    reserved: float = 0.0


@dataclass(frozen=True, slots=True)
class _Settled:
    """One attempt to be written, with the leases that paid for it."""

    entry: Entry
    time: float
    day: int
    paid: tuple[tuple[str, int], ...]


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
        self._file = _File(self.path, _holder())
        self._leases = self._file.leases
        self._memory, self._disk = threading.Lock(), threading.Lock()  # taken in the order: disk, memory
        self._writer: Writer[_Settled] = Writer(self._file.write, self._file.close, 100_000)
        weakref.finalize(self, close_at_exit, self._writer)
        _LIVE.add(self)

    async def reserve(self, accounts: tuple[Account, ...], amount: float) -> Hold:
        """See Ledger. Waits for the disk only where a lease is used up."""
        self._open()
        daily = [account for account in accounts if account.daily]
        while True:
            with self._memory:
                day = self._today()
                short = [account for account in daily if self._lease(account, day).left < amount]
                if not short:
                    self.purses.take(tuple(account for account in accounts if not account.daily), amount)
                    for account in daily:
                        lease = self._lease(account, day)
                        lease.left, lease.reserved = lease.left - amount, lease.reserved + amount
                    return Hold(accounts, amount, day)
            await self._leased(short, amount)

    def settle(self, hold: Hold, entry: Entry) -> None:
        """See Ledger."""
        self._open()
        with self._memory:
            run = tuple(account for account in hold.accounts if not account.daily)
            self.purses.settle(Hold(run, hold.amount), entry)
            day = hold.day or self._today()
            daily = [account for account in hold.accounts if account.daily]
            for account in daily:
                lease = self._lease(account, day)
                back = min(hold.amount, lease.reserved)  # nothing where a parent process reserved it
                lease.left += back - (entry.cost or 0.0)
                lease.reserved -= back
            paid = tuple((account.name, day) for account in daily)
            settled = _Settled(entry, self._clock(), day, paid)
        if paid or self._lines:
            self._writer.add(settled)

    def forget(self, accounts: tuple[Account, ...]) -> None:
        """See Ledger."""
        self.purses.forget(accounts)

    def spent(self, account: str, day: int | None = None) -> float:
        """What an account has spent on a day (days since 1970; None: today), open leases of other processes included."""
        self._writer.flush()
        with self._file.reading() as database:
            return _charged(database, account, self._today() if day is None else day, self._file.holder)

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

    def _open(self) -> None:
        if self._writer.closed:
            raise StoreFailed(f"{self.path}: this ledger was closed")

    def _lease(self, account: Account, day: int) -> _Lease:
        lease = self._leases.get((account.name, day))
        if lease is None:
            for old in [key for key, one in self._leases.items() if key[1] < day - 1 and not one.reserved]:
                del self._leases[old]
            lease = self._leases[account.name, day] = _Lease()
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
                day, granted = self._file.lease(account, today, missing)
                with self._memory:
                    self._day = max(self._day, day)
                    lease = self._lease(account, day)
                    lease.left += granted
                    if day == self._today() and granted < missing and lease.left < amount:  # else it is tried again
                        raise exceeded(account, amount, lease.left)


def _holder() -> str:
    return f"{os.getpid()}-{secrets.token_hex(4)}"


@dataclass(eq=False)
class _File:
    """The file. Leases are taken in any thread and entries written by the writer's, over one connection, one at a time."""

    path: Path
    holder: str
    leases: dict[tuple[str, int], _Lease] = field(default_factory=dict)  # by account and day
    _database: sqlite3.Connection | None = None
    _pruned: bool = False
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def lease(self, account: Account, day: int, needed: float) -> tuple[int, float]:
        """Take a lease of what is needed, or of PART of the limit where there is so much left.

        Returns the day, which is never before the latest one of the file (but see AHEAD), and the dollars granted.
        """
        with self._transaction() as database:
            (latest,) = database.execute(
                "SELECT coalesce(max(day), 0) FROM leases WHERE day <= ?", (day + AHEAD,)
            ).fetchone()
            day = max(day, latest)
            left = account.limit - _charged(database, account.name, day, None)
            granted = min(max(needed, PART * account.limit), left) if left >= needed else 0.0
            if granted > 0:
                database.execute(
                    "INSERT INTO leases (holder, account, day, dollars) VALUES (?, ?, ?, ?) "
                    "ON CONFLICT DO UPDATE SET dollars = dollars + excluded.dollars",
                    (self.holder, account.name, day, granted),
                )
        return day, granted

    def write(self, batch: Sequence[_Settled]) -> None:
        """Write a batch in one transaction, or nothing of it. The first one removes what is too old."""
        with self._transaction() as database:
            if not self._pruned:
                for table in ("entries", "leases"):
                    database.execute(
                        f"DELETE FROM {table} WHERE day < (SELECT min(day) FROM (SELECT DISTINCT day FROM {table} "
                        "ORDER BY day DESC LIMIT ?))",
                        (KEPT,),
                    )
            insert(database, f"entries ({COLUMNS})", [_row(one) for one in batch])
            used: dict[tuple[str, int], float] = {}
            for one in batch:
                for place in one.paid:
                    used[place] = used.get(place, 0.0) + (one.entry.cost or 0.0)
            database.executemany(
                "INSERT INTO leases (holder, account, day, dollars, used) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
                "SET used = used + excluded.used, dollars = max(dollars, used + excluded.used)",
                [(self.holder, account, day, cost, cost) for (account, day), cost in used.items()],
            )
        self._pruned = True

    def close(self) -> None:
        """Give back what is left of this process's leases."""
        if self._database is None:
            return
        with self._transaction() as database:
            for (account, day), lease in self.leases.items():  # what was promised and never settled counts as spent
                database.execute(
                    "UPDATE leases SET used = used + ? WHERE holder = ? AND account = ? AND day = ?",
                    (lease.reserved, self.holder, account, day),
                )
            database.execute("UPDATE leases SET open = 0 WHERE holder = ?", (self.holder,))
        with self._turn:
            self._database.close()
            self._database = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, to read with."""
        with translated(self.path, *WORDS), self._turn:
            yield self._own()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with translated(self.path, *WORDS), self._turn, transaction(self._own()) as database:
            yield database

    def forked(self) -> None:
        """In a new child process: neither the parent's connection nor its leases are this one's."""
        _INHERITED.append(self._database)
        self._database, self._turn, self.holder = None, threading.Lock(), _holder()
        self.leases.clear()

    def _own(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = _connect(self.path)
        return self._database


_INHERITED: list[sqlite3.Connection | None] = []
"""Connections of a parent process, which must be neither used nor closed in this one."""

_LIVE: weakref.WeakSet[SqliteLedger] = weakref.WeakSet()


def _after_fork() -> None:
    for ledger in tuple(_LIVE):
        ledger._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _connect(path: Path) -> sqlite3.Connection:
    make_private(path)
    database = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    try:
        (owner,) = database.execute("PRAGMA application_id").fetchone()
        if owner not in (0, APPLICATION):
            raise StoreFailed(f"{path}: this is another program's database; give moa's ledger a file of its own")
        use_wal(database)
        database.execute("PRAGMA synchronous = FULL")
        for statement in SCHEMA:
            database.execute(statement)
        database.execute(f"PRAGMA application_id = {APPLICATION:d}")
    except BaseException:
        database.close()
        raise
    return database


def _charged(database: sqlite3.Connection, account: str, day: int, own: str | None) -> float:
    """What counts as spent: leases that are open as a whole (but `own`, which counts what it used), others as used."""
    (dollars,) = database.execute(
        "SELECT coalesce(sum(CASE WHEN open AND holder IS NOT ? THEN dollars ELSE used END), 0) FROM leases "
        "WHERE account = ? AND day = ?",
        (own, account, day),
    ).fetchone()
    return float(dollars)


def _row(one: _Settled) -> tuple[object, ...]:
    entry = one.entry
    return (
        one.time, one.day, entry.run, entry.span, entry.attempt, entry.role, entry.agent, entry.model, entry.mixture,
        entry.tenant, entry.usage.input, entry.usage.output, entry.usage.cached, entry.cost, entry.estimated, entry.ended,
    )  # fmt: skip
