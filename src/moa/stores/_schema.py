"""The database file of the SQLite store: its tables, their versions, and how it is opened.

`user_version` counts the migrations a file has had; `application_id` says that it is ours. A file has mode 0600 from
its first byte on, and so have its -wal and -shm, which SQLite makes like it.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from moa.core.errors import ConfigError
from moa.stores._trouble import make_private, translated

APPLICATION = 0x6D6F6131  # "moa1"

BUSY = 5.0
"""Seconds to wait for another process that is writing."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE runs (
            id TEXT PRIMARY KEY,
            started REAL,                          -- Unix seconds
            mixture TEXT NOT NULL DEFAULT '',
            question TEXT NOT NULL DEFAULT '',
            state TEXT NOT NULL DEFAULT 'open',
            seconds REAL,
            cost REAL,                             -- US dollars
            calls INTEGER NOT NULL DEFAULT 0
        )""",
        "CREATE INDEX runs_started ON runs (started)",
        # lines of the JSON of core/plain.py; `seq` is that of the first; deltas are not kept
        "CREATE TABLE events (id INTEGER PRIMARY KEY, run TEXT NOT NULL, seq INTEGER NOT NULL, data TEXT NOT NULL)",
        "CREATE INDEX events_run ON events (run, seq)",
    ),
    # one of the two: whether the run's answer is right (0 or 1), or the right answer
    ("CREATE TABLE ratings (run TEXT PRIMARY KEY, correct INTEGER, answer TEXT NOT NULL DEFAULT '')",),
    (),  # events may have several lines from here on
)
"""One tuple of statements per version, applied in order; one that was released is never changed."""


def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """An open database in autocommit mode, its tables up to date. Without `create` the file must be there.

    Raises:
        ConfigError: the file is damaged, another program's, or a newer moa's.
        StoreFailed: it cannot be opened now.
    """
    with translated(path):
        if create:
            make_private(path)
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False
        )
        try:
            # What is deleted is overwritten; a commit survives a crash of moa, the last ones perhaps not a power cut.
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA cache_size = -256")  # KiB: what is written is not read again
            if _version(path, connection) < len(MIGRATIONS):
                _migrate(path, connection)
        except BaseException:
            connection.close()
            raise
        return connection


def _version(path: Path, connection: sqlite3.Connection) -> int:
    """How many migrations the file has had; 0 for an empty one."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    tables = version or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and owner != APPLICATION:
        raise ConfigError(f"{path}: this is another program's database; give moa a file of its own")
    if version > len(MIGRATIONS):
        raise ConfigError(
            f"{path}: written by a newer moa (schema {version}, this one knows {len(MIGRATIONS)}); "
            "upgrade moa, or give this one a file of its own"
        )
    return version


def _migrate(path: Path, connection: sqlite3.Connection) -> None:
    """Bring the tables up to date, once, however many processes try at the same time."""
    use_wal(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in MIGRATIONS[_version(path, connection) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION:d}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS):d}")  # a PRAGMA takes no parameters
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def use_wal(connection: sqlite3.Connection) -> None:
    """Turn on the write-ahead log, which stays with the file. SQLite itself does not wait for a process doing the same."""
    until = time.monotonic() + BUSY
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return
