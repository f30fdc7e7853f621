"""What can go wrong with a file that keeps runs, in words that say what to do."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from moa.core.errors import ConfigError, MoaError, StoreFailed


def failure(path: Path, error: Exception, kept: str = "runs", instead: str = ", or use --no-store") -> MoaError:
    """The error of moa's that `error`, met while working on `path`, is. `kept` is what is kept there, `instead` another way out."""
    if isinstance(error, MoaError):
        return error
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return ConfigError(f"{path}: damaged, or no moa database ({error}); move it away{instead}")
    why = getattr(error, "strerror", None) or str(error)
    if code == sqlite3.SQLITE_FULL or getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT):
        advice = "make room"
    elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        advice = "another process holds it; wait for that one"
    else:
        advice = "make the file and its folder writable"
    return StoreFailed(f"{path}: {kept} cannot be kept here: {why}; {advice}{instead}")


@contextmanager
def translated(path: Path, *words: str) -> Iterator[None]:
    """Turn errors of the disk and of SQLite into moa's; `words` are those of `failure`.

    Raises:
        ConfigError: the file is damaged or is something else.
        StoreFailed: it cannot be read or written now.
    """
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise failure(path, error, *words) from error


_MAKING = threading.Lock()


def make_private(path: Path) -> None:
    """See that `path` exists and that only its owner may read it: mode 0600, in folders that, if new, get 0700.

    A file that is there is not opened: closing it would take away the locks that SQLite holds on it in this process, and
    two writers at once destroy a database (sqlite.org/howtocorrupt.html, 2.2).
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    with _MAKING, suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        tighten(name)


def tighten(path: Path) -> None:
    """Take a file of runs away from everybody but its owner. Devices and pipes are not ours to change."""
    if path.is_file() and path.stat().st_mode & 0o077:
        path.chmod(0o600)
