"""Keys of the server's users, in an SQLite file: what is kept of a key is its SHA-256, never the key."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from moa.core.errors import ConfigError, StoreFailed
from moa.core.values import quickly_made

PREFIX = "moa-"
"""Keys begin so: scanners for leaked secrets look for a prefix."""

_TABLES = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, hash BLOB NOT NULL UNIQUE, created REAL NOT NULL, expires REAL, revoked REAL,
    scopes TEXT NOT NULL, mixtures TEXT, day REAL, requests INTEGER, tokens INTEGER
);
CREATE TABLE IF NOT EXISTS former (hash BLOB PRIMARY KEY, id TEXT NOT NULL, until REAL NOT NULL)
"""
SCOPES = ("ask", "runs", "metrics")


@quickly_made
@dataclass(frozen=True, slots=True)
class Key:
    """Who asks. `mixtures` None: all. `day`: the most US dollars it spends a UTC day; `requests` and `tokens` are per minute.

    Times are Unix seconds.
    """

    id: str
    name: str
    scopes: tuple[str, ...] = SCOPES
    mixtures: tuple[str, ...] | None = None
    day: float | None = None
    requests: int | None = None
    tokens: int | None = None
    created: float = 0.0
    expires: float | None = None
    revoked: float | None = None

    def state(self, now: float) -> str:
        """ "active", "expired" or "revoked"."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "active"


class Keys:
    """The keys in the file `path`, which is made by the first one, with mode 0600."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database: sqlite3.Connection | None = None

    def create(self, name: str, **settings: object) -> tuple[Key, str]:
        """A new key, and its secret: 256 bits, told only now.

        Raises:
            ConfigError: there is one of that name.
            StoreFailed: it cannot be kept now.
        """
        if not name.strip() or not name.isprintable():
            raise ConfigError(f"{name!r} is no name for a key")
        if not 0 <= float(settings.get("day") or 0) < float("inf"):  # type: ignore[arg-type]
            raise ConfigError(f"{settings['day']!r} is no limit in dollars")
        secret = new_secret()
        key = Key(secrets.token_hex(4), name, created=time.time(), **settings)  # type: ignore[arg-type]
        row = (
            key.id, key.name, digest(secret), key.created, key.expires, json.dumps(key.scopes),
            None if key.mixtures is None else json.dumps(key.mixtures), key.day, key.requests, key.tokens,
        )  # fmt: skip
        columns = "id, name, hash, created, expires, scopes, mixtures, day, requests, tokens"
        try:
            with self._opened() as database:
                database.execute(f"INSERT INTO keys ({columns}) VALUES (?,?,?,?,?,?,?,?,?,?)", row)
        except sqlite3.IntegrityError:
            raise ConfigError(
                f"there is, or was, a key {name!r}: take another name, or `moa keys rotate` that one"
            ) from None
        return key, secret

    def rotate(self, name: str, overlap: float) -> str:
        """A new secret for a key; all former ones are good for `overlap` seconds more at most.

        Raises:
            ConfigError: there is no such key, or it is revoked.
        """
        secret, now = new_secret(), time.time()
        with self._opened() as database:
            # a write first: nobody else rotates it meanwhile
            database.execute("DELETE FROM former WHERE until <= ?", (now,))
            found = database.execute(
                "SELECT id, hash FROM keys WHERE (name = ? OR id = ?) AND revoked IS NULL", (name, name)
            ).fetchone()
            if found is None:
                raise ConfigError(f"there is no active key {name!r}; `moa keys list` shows them")
            number, former = found
            database.execute("UPDATE former SET until = min(until, ?) WHERE id = ?", (now + overlap, number))
            database.execute("INSERT INTO former VALUES (?, ?, ?)", (former, number, now + overlap))
            database.execute("UPDATE keys SET hash = ? WHERE id = ?", (digest(secret), number))
        return secret

    def revoke(self, name: str) -> None:
        """End a key, by its name or id, at once.

        Raises:
            ConfigError: there is no such key.
        """
        with self._opened() as database:
            ended = database.execute(
                "UPDATE keys SET revoked = coalesce(revoked, ?) WHERE name = ? OR id = ?", (time.time(), name, name)
            )
            if not ended.rowcount:
                raise ConfigError(f"there is no key {name!r}; `moa keys list` shows them")

    def all(self) -> list[Key]:
        """All keys, oldest first."""
        if not self.path.exists():
            return []
        with self._opened() as database:
            return [_key(row) for row in database.execute(f"SELECT {_COLUMNS} FROM keys ORDER BY created")]

    def find(self, secret: str) -> Key | None:
        """The key with this secret, whatever its state; former secrets count until their overlap ends.

        Raises:
            StoreFailed: it cannot be known now.
        """
        if not self.path.exists():
            return None
        mark = digest(secret)
        with self._opened() as database:
            row = database.execute(
                f"SELECT {_COLUMNS} FROM keys WHERE hash = ? OR id = (SELECT id FROM former WHERE hash = ? AND until > ?)",
                (mark, mark, time.time()),
            ).fetchone()
        return None if row is None else _key(row)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """A transaction.

        Raises:
            StoreFailed: it cannot be carried out now.
        """
        try:
            with self._open() as database:
                yield database
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise StoreFailed(f"{self.path}: keys cannot be read or written now ({error})") from error

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
                self._database = sqlite3.connect(self.path, timeout=2.0, check_same_thread=False)
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.executescript(_TABLES)
            except (OSError, sqlite3.Error) as error:
                self._database = None
                raise StoreFailed(f"{self.path}: keys cannot be read now ({error})") from error
        return self._database


_COLUMNS = "id, name, scopes, mixtures, day, requests, tokens, created, expires, revoked"


def _key(row: tuple[object, ...]) -> Key:
    number, name, scopes, mixtures, *rest = row
    allowed = None if mixtures is None else tuple(json.loads(str(mixtures)))
    return Key(str(number), str(name), tuple(json.loads(str(scopes))), allowed, *rest)  # type: ignore[arg-type]


def new_secret() -> str:
    """A secret of 256 bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
