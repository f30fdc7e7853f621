"""What the SQLite store writes, and how it removes what it wrote."""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from moa.core.events import CallStarted, Event, RunFailed, RunFinished, RunStarted
from moa.stores._line import written
from moa.stores._schema import connect
from moa.stores._summary import printable, question_of, state_after
from moa.stores._trouble import translated

DAY = 86_400

MOST_VALUES = 999
"""Values of one statement; before 3.32 SQLite took no more."""

PATIENCE = 1.0
"""Seconds to try to empty the log for; SQLite does not wait for another process that is just doing so."""

_INHERITED: list[sqlite3.Connection] = []
"""Connections of a parent process, which must be neither used nor closed in this one."""


class Tables:
    """The writing side: holds a connection from the first batch on. Knows nothing of the Sqlite it belongs to, so that
    one that nobody holds any more can be collected, and closed."""

    def __init__(self, path: Path, prompts: bool, days: float | None) -> None:
        self.path, self.prompts, self.days = path, prompts, days
        self._connection: sqlite3.Connection | None = None
        self._process = 0

    def open(self, *, create: bool = False) -> sqlite3.Connection:
        """A new connection. The first one removes what is too old."""
        database = connect(self.path, create=create)
        days, self.days = self.days, None
        if days is not None and remove(database, STARTED_BEFORE, (time.time() // DAY - days) * DAY):
            with suppress(sqlite3.OperationalError):  # another process is at work: nobody waits for this
                scrub(database)
        return database

    def write(self, events: Sequence[Event]) -> None:
        """Write a batch in one transaction, or nothing of it.

        Raises:
            ConfigError, StoreFailed: nothing was written.
        """
        kept = [written(event, self.prompts) for event in events]
        with translated(self.path), transaction(self._own()) as database:
            insert(database, "events (run, seq, data)", _rows(kept))
            _note_runs(database, [event for event, _ in kept])

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None and self._process == os.getpid():
            self._connection.close()
            self._connection = None

    def _own(self) -> sqlite3.Connection:
        if self._connection is not None and self._process != os.getpid():
            _INHERITED.append(self._connection)
            self._connection = None
        if self._connection is None:
            self._connection, self._process = self.open(create=True), os.getpid()
        return self._connection


def _rows(kept: Sequence[tuple[Event, str]]) -> list[tuple[str, int, str]]:
    """A row for each run, with the lines of its events and the `seq` of the first: one costs a third of what one for each would."""
    rows: dict[str, tuple[int, list[str]]] = {}
    for event, line in kept:
        rows.setdefault(event.run, (event.seq, []))[1].append(line)
    return [(run, seq, "\n".join(lines)) for run, (seq, lines) in rows.items()]


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All of it, or nothing."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def insert(database: sqlite3.Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert rows into a table, named with its columns, by as few statements as SQLite takes: around each the interpreter's lock
    is given up and taken again, and whoever else wants to run waits for it."""
    size = MOST_VALUES // len(rows[0]) if rows else 1
    for at in range(0, len(rows), size):
        some = rows[at : at + size]
        marks = f"({', '.join('?' * len(some[0]))})"
        database.execute(
            f"INSERT INTO {table} VALUES {', '.join([marks] * len(some))}", [value for row in some for value in row]
        )


ONE_RUN = "SELECT id FROM runs WHERE id = ?"
EVERY_RUN = "SELECT id FROM runs"
STARTED_BEFORE = "SELECT id FROM runs WHERE started < ?"


def remove(database: sqlite3.Connection, chosen: str, *values: object) -> int:
    """Delete the runs whose ids the query `chosen` gives; says how many."""
    with transaction(database):
        runs = database.execute(chosen, values).fetchall()
        database.executemany("DELETE FROM events WHERE run = ?", runs)
        database.executemany("DELETE FROM ratings WHERE run = ?", runs)
        database.executemany("DELETE FROM runs WHERE id = ?", runs)
    return len(runs)


def scrub(database: sqlite3.Connection) -> bool:
    """Rid the files of the bytes of what was deleted; False where another process's reading keeps some in the log.

    secure_delete overwrites what is deleted, but not the copies that stay behind in a page when SQLite moves rows to a
    neighbour; only writing the file anew gets rid of those.
    """
    database.execute("VACUUM")
    until = time.monotonic() + PATIENCE
    while True:
        (busy, _, _) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy or time.monotonic() > until:
            return not busy
        time.sleep(0.01)


def _note_runs(database: sqlite3.Connection, events: Sequence[Event]) -> None:
    """Keep the table of runs up to date with these events. A run whose start was not seen is listed all the same."""
    first: dict[str, float] = {}
    for event in events:
        first.setdefault(event.run, event.time)
    database.executemany("INSERT OR IGNORE INTO runs (id, started) VALUES (?, ?)", first.items())
    calls = Counter(event.run for event in events if isinstance(event.fact, CallStarted))
    database.executemany(
        "UPDATE runs SET calls = calls + ? WHERE id = ?", ((count, run) for run, count in calls.items())
    )
    for event in events:
        match event.fact:
            case RunStarted() as fact:
                database.execute(
                    "UPDATE runs SET started = ?, mixture = ?, question = ? WHERE id = ?",
                    (event.time, printable(fact.mixture), question_of(fact.conversation), event.run),
                )
            case RunFinished() | RunFailed() as fact:
                database.execute(
                    "UPDATE runs SET state = ?, seconds = ?, cost = ? WHERE id = ?",
                    (state_after(fact), fact.seconds, fact.cost, event.run),
                )
