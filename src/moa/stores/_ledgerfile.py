"""The ledger's file: leases and lines, over one connection. SQLite, fully synced."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from moa.core.errors import StoreFailed
from moa.core.money import Account, Entry
from moa.core.values import quickly_made
from moa.stores._schema import use_wal
from moa.stores._tables import insert, transaction
from moa.stores._trouble import make_private, translated

PART = 0.01
"""Part of a limit that is leased at a time."""

KEPT = 400
"""So many days with lines are kept."""

AHEAD = 1
"""Days that another process's clock may be ahead; one that is further ahead is wrong."""

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
class Lease:
    """What this process may still reserve of one account's day, and what it has reserved and not settled."""

    left: float = 0.0
    reserved: float = 0.0


@quickly_made
@dataclass(frozen=True, slots=True)
class Settled:
    """One attempt to be written, with the leases that paid for it."""

    entry: Entry
    time: float
    day: int
    paid: tuple[tuple[str, int], ...]


def new_holder() -> str:
    """A name of its own for a process, as one who holds leases."""
    return f"{os.getpid()}-{secrets.token_hex(4)}"


@dataclass(eq=False)
class LedgerFile:
    """The file. Leases are taken in any thread and entries written by the writer's, over one connection, one at a time."""

    path: Path
    holder: str
    leases: dict[tuple[str, int], Lease] = field(default_factory=dict)  # by account and day
    _database: sqlite3.Connection | None = None
    _pruned: bool = False
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def lease(self, account: Account, day: int, needed: float) -> tuple[int, float, float]:
        """Take a lease of what is needed, or of PART of the limit where there is so much left.

        Returns the day, which is never before the latest one of the file (but see AHEAD), the dollars granted, and those that
        nobody has leased.
        """
        with self._transaction() as database:
            (latest,) = database.execute(
                "SELECT coalesce(max(day), 0) FROM leases WHERE day <= ?", (day + AHEAD,)
            ).fetchone()
            day = max(day, latest)
            left = account.limit - charged(database, account.name, day, None)
            granted = min(max(needed, PART * account.limit), left) if left >= needed else 0.0
            if granted > 0:
                database.execute(
                    "INSERT INTO leases (holder, account, day, dollars) VALUES (?, ?, ?, ?) "
                    "ON CONFLICT DO UPDATE SET dollars = dollars + excluded.dollars",
                    (self.holder, account.name, day, granted),
                )
        return day, granted, left - granted

    def write(self, batch: Sequence[Settled]) -> None:
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
        self._database, self._turn, self.holder = None, threading.Lock(), new_holder()
        self.leases.clear()

    def _own(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = _connect(self.path)
        return self._database


_INHERITED: list[sqlite3.Connection | None] = []
"""Connections of a parent process, which must be neither used nor closed in this one."""


def _connect(path: Path) -> sqlite3.Connection:
    make_private(path)
    database = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    try:
        (owner,) = database.execute("PRAGMA application_id").fetchone()
        if owner not in (0, APPLICATION):
            raise StoreFailed(f"{path}: this is another program's database; give moa's ledger a file of its own")
        use_wal(database)
        database.execute("PRAGMA synchronous = FULL")
        database.execute("PRAGMA cache_size = -256")  # KiB: what is written is not read again
        if owner != APPLICATION:  # a file that is there is only read: somebody may be writing
            for statement in SCHEMA:
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {APPLICATION:d}")
    except BaseException:
        database.close()
        raise
    return database


def charged(database: sqlite3.Connection, account: str, day: int, own: str | None) -> float:
    """What counts as spent: leases that are open as a whole (but `own`, which counts what it used), others as used."""
    (dollars,) = database.execute(
        "SELECT coalesce(sum(CASE WHEN open AND holder IS NOT ? THEN dollars ELSE used END), 0) FROM leases "
        "WHERE account = ? AND day = ?",
        (own, account, day),
    ).fetchone()
    return float(dollars)


def _row(one: Settled) -> tuple[object, ...]:
    entry = one.entry
    return (
        one.time, one.day, entry.run, entry.span, entry.attempt, entry.role, entry.agent, entry.model, entry.mixture,
        entry.tenant, entry.usage.input, entry.usage.output, entry.usage.cached, entry.cost, entry.estimated, entry.ended,
    )  # fmt: skip
