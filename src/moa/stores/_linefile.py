"""A file of whole lines that several processes append to, and that survives a crash in the middle of a line."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from moa.stores._trouble import make_private, translated


@dataclass(frozen=True, slots=True)
class Torn:
    """A last line that was only half written, by a crash or a full disk; it was set aside. `line` counts from 1."""

    path: Path
    line: int
    data: bytes

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: only half written ({len(self.data)} bytes), so it was left out"


class LineFile:
    """The lines of `path`. `torn` is the half line last met at its end. All raise StoreFailed where the disk does not
    do as asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.torn: Torn | None = None
        self._file: int | None = None

    def append(self, data: bytes) -> None:
        """Append whole lines, all or none, in place of a half line. A missing file is made, with mode 0600."""
        with translated(self.path), self._locked() as file:
            self._mend(file)
            size = os.fstat(file).st_size
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(file, rest) :]
            except BaseException:
                os.ftruncate(file, size)
                raise

    def read(self) -> list[bytes]:
        """All whole lines, without their ends; none where there is no file."""
        with translated(self.path), suppress(FileNotFoundError), self.path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            return self._split(file.read())
        return []

    @contextmanager
    def rewriting(self) -> Iterator[list[bytes]]:
        """The lines, to be changed in place: they are the whole file afterwards. A half line at the end is dropped."""
        with translated(self.path), self._locked():
            lines = self._split(self.path.read_bytes())
            yield lines
            self._replace(lines)
            self.release()

    def release(self) -> None:
        """Let go of the file; it is opened again when needed."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The file, open to append, while nobody else writes to it."""
        while True:
            if self._file is None:
                make_private(self.path)
                self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            if self._in_place(self._file):
                break
            self.release()  # another process has rewritten it: ours is the old one
        try:
            yield self._file
        finally:
            if self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _in_place(self, file: int) -> bool:
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(file), os.stat(self.path))
        return False

    def _mend(self, file: int) -> None:
        """See that the file ends with the end of a line."""
        size = os.lseek(file, 0, os.SEEK_END)
        if not size or os.pread(file, 1, size - 1) == b"\n":
            return
        whole = sum(len(line) + 1 for line in self._split(self.path.read_bytes()))
        if whole > size:  # a good line that lacks its end
            os.write(file, b"\n")
        else:
            os.ftruncate(file, whole)

    def _split(self, data: bytes) -> list[bytes]:
        """The lines; a last one without an end counts if it is JSON (an editor left off the end), else it is torn."""
        *lines, rest = data.split(b"\n")
        if rest:
            try:
                json.loads(rest)
            except (ValueError, RecursionError):
                self.torn = Torn(self.path, len(lines) + 1, rest)
            else:
                lines.append(rest)
        return lines

    def _replace(self, lines: Iterable[bytes]) -> None:
        old = self.path.resolve()
        new = Path(f"{old}.new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.writelines(line + b"\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        new.replace(old)
