"""Keeps runs in an SQLite file: the default store. Several processes may use one file at once."""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from moa.core.errors import ConfigError, StoreFailed
from moa.core.events import Delta, Event
from moa.stores._line import event_of
from moa.stores._summary import RunSummary, printable, the_run
from moa.stores._tables import DAY, EVERY_RUN, ONE_RUN, STARTED_BEFORE, Tables, remove, scrub
from moa.stores._trouble import translated
from moa.stores._writer import Writer, close_at_exit
from moa.stores.rating import Rating


class Sqlite:
    """Runs in the file `path`, which is made by the first event, with mode 0600.

    Without `prompts` nothing a user or a model said is written. Runs older than `days` days (full UTC days, None: keep
    for ever) are removed at the first use. `queue` events may wait for the disk before the store is `full`.

    What is read, deleted or pruned includes what was added before. All may be called from any thread.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, prompts: bool = True, days: float | None = None, queue: int = 10_000
    ) -> None:
        self.path = Path(path)
        self._tables = Tables(self.path, prompts, days)
        self._writer = Writer(self._tables.write, self._tables.close, queue)
        weakref.finalize(self, close_at_exit, self._writer)

    def add(self, event: Event) -> None:
        """Queue one event for the writer thread (deltas are not kept); returns at once, also when `full`.

        Raises:
            StoreFailed: the store was closed.
        """
        if event.fact.__class__ is Delta:
            return
        if self._writer.closed:
            raise StoreFailed(f"{self.path}: this store was closed")
        self._writer.add(event)

    def events(self, run: str) -> list[Event]:
        """The events of one run by `seq`; none for an unknown run.

        Raises:
            ConfigError: the file is damaged or cannot be used.
            StoreFailed: it cannot be read now.
        """
        with self._reading() as database:
            rows = _rows(database, "SELECT data FROM events WHERE run = ? ORDER BY seq, id", run)
        lines = [line for (data,) in rows for line in data.split("\n")]
        return [event_of(line, f"{self.path}: run {run}, event {number}") for number, line in enumerate(lines)]

    def runs(self, limit: int | None = 20) -> list[RunSummary]:
        """The newest runs, newest first; `None` for all. Raises as `events` does."""
        with self._reading() as database:
            rows = _rows(
                database,
                "SELECT id, started, mixture, question, state, seconds, cost, calls FROM runs"
                " ORDER BY started DESC, rowid DESC LIMIT ?",
                -1 if limit is None else limit,
            )
        return [RunSummary(*row) for row in rows]

    def find(self, prefix: str) -> str:
        """The id of the one run whose id starts with `prefix`.

        Raises:
            ConfigError: no run does, or several do; or as `events` does.
        """
        with self._reading() as database:
            rows = _rows(
                database,
                "SELECT id FROM runs WHERE substr(id, 1, ?) = ? ORDER BY id LIMIT 5",
                len(prefix),
                printable(prefix),
            ) or _rows(database, "SELECT id FROM runs ORDER BY started DESC LIMIT 1000")  # of which one may be near
        return the_run(prefix, [run for (run,) in rows])

    def rate(self, run: str, rating: Rating) -> None:
        """Keep what a user says of one run (`run` is as in `find`), in place of what was said of it before.

        Raises:
            ConfigError: `find` finds no run, or an answer would be kept without `prompts`; or as `events` does.
            StoreFailed: it cannot be written now.
        """
        if rating.answer and not self._tables.prompts:
            raise ConfigError(f"{self.path}: texts are not kept ([store] prompts = false), so neither is an answer")
        name = self.find(run)
        with self._reading() as database:
            _rows(
                database,
                "INSERT OR REPLACE INTO ratings SELECT id, ?, ? FROM runs WHERE id = ?",
                rating.right,
                printable(rating.answer),
                name,
            )

    def ratings(self) -> dict[str, Rating]:
        """What was said of each rated run, by its id, the oldest run first. Raises as `events` does."""
        with self._reading() as database:
            rows = _rows(
                database,
                "SELECT run, correct, answer FROM ratings JOIN runs ON runs.id = run ORDER BY started, runs.rowid",
            )
        return {run: Rating(None if right is None else bool(right), answer) for run, right, answer in rows}

    def delete(self, run: str) -> bool:
        """Remove one run, its bytes included; False where there was none.

        A run that is still going on comes back, unnamed, with what happens after this.

        Raises:
            StoreFailed, ConfigError: it is not, or not wholly, gone.
        """
        return self._erase(ONE_RUN, run) > 0

    def delete_all(self) -> int:
        """Remove every run; says how many. Raises as `delete` does."""
        return self._erase(EVERY_RUN)

    def prune(self, days: float) -> int:
        """Remove runs that started more than `days` days ago; says how many. Raises as `delete` does."""
        return self._erase(STARTED_BEFORE, time.time() - days * DAY)

    def check(self) -> None:
        """See that the file, if there is one, can be used. Raises as `events` does."""
        with self._reading():
            pass

    def flush(self) -> None:
        """Return when everything added so far is written.

        Raises:
            ConfigError: the file cannot be used.
            StoreFailed: it cannot be written now. Nothing is lost: it is tried again.
        """
        self._writer.flush()

    async def flushed(self, seconds: float) -> None:
        """`flush` while the event loop goes on, and for so many seconds at most: what is late is written all the same."""
        await self._writer.flushed(seconds)

    def close(self) -> None:
        """Write what is queued and end the thread; a second call does nothing. What is kept can still be read.

        Raises:
            ConfigError, StoreFailed: not everything could be written; what was not is lost.
        """
        self._writer.close()

    @property
    def full(self) -> bool:
        """True while `queue` events wait or writing fails: the caller starts no new run then. An admission limit only:
        what the runs under way add is still taken, in memory, and written as soon as that is possible."""
        return self._writer.full

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection of this call's own, None where there is no file yet."""
        self._writer.settle()
        with translated(self.path):
            database = self._tables.open() if self.path.exists() else None
            try:
                yield database
            finally:
                if database is not None:
                    database.close()

    def _erase(self, chosen: str, *values: object) -> int:
        """Remove the runs whose ids the query `chosen` gives, from the file and from its log."""
        self.flush()
        with self._reading() as database:
            count = 0 if database is None else remove(database, chosen, *values)
            if database is not None and count and not scrub(database):
                raise StoreFailed(
                    f"{self.path}: {count} runs are deleted, but their bytes stay in {self.path.name}-wal while another "
                    "process reads the file; they go when the last moa that uses it ends"
                )
        return count


def _rows(database: sqlite3.Connection | None, query: str, *values: object) -> list[Any]:
    return [] if database is None else database.execute(query, values).fetchall()
