"""Keeps runs in a text file, one event a line: to read with `tail -f` and `jq`, to hand on, to replay."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from moa.core.errors import MoaError, StoreFailed
from moa.core.events import Delta, Event
from moa.stores._line import event_of, written
from moa.stores._linefile import LineFile, Torn
from moa.stores._summary import RunSummary, newest, summarise, the_run

RETRY = 1.0
"""Seconds between two tries of a write that fails."""


class Jsonl:
    """Runs in the file `path`, which is made by the first event, with mode 0600; several processes may append to it.

    `add` writes at once. Without `prompts` nothing a user or a model said is written. A last line that a crash left half
    written is left out, shown by `torn`, and replaced by the next event.
    """

    def __init__(self, path: str | os.PathLike[str], *, prompts: bool = True) -> None:
        self.path = Path(path)
        self._prompts = prompts
        self._file = LineFile(self.path)
        self._waiting: list[bytes] = []
        self._error: MoaError | None = None
        self._again = 0.0  # monotonic time of the next try while there is an error
        self._closed = False
        self._lock = threading.Lock()

    def add(self, event: Event) -> None:
        """Append one event; deltas are not kept. One that cannot be written now is kept in memory and tried again.

        Raises:
            StoreFailed: the store was closed.
        """
        if isinstance(event.fact, Delta):
            return
        with self._lock:
            if self._closed:
                raise StoreFailed(f"{self.path}: this store was closed")
            self._waiting.append(written(event, self._prompts)[1].encode() + b"\n")
            if self._error is None or time.monotonic() >= self._again:
                self._write()

    def events(self, run: str) -> list[Event]:
        """The events of one run by `seq`; none for an unknown run.

        Raises:
            ConfigError: a line is damaged; names file and line.
            StoreFailed: the file cannot be read.
        """
        return sorted(self._read().get(run, ()), key=lambda event: event.seq)

    def runs(self, limit: int | None = 20) -> list[RunSummary]:
        """The newest runs, newest first; `None` for all. Raises as `events` does."""
        return newest(map(summarise, self._read().values()), limit)

    def find(self, prefix: str) -> str:
        """The id of the one run whose id starts with `prefix`.

        Raises:
            ConfigError: no run does, or several do; or as `events` does.
        """
        return the_run(prefix, list(self._read()))

    def delete(self, run: str) -> bool:
        """Remove one run by writing the file anew; False where there was none. Raises as `events` and `flush` do."""
        return self._keep(lambda summary: summary.id != run) > 0

    def delete_all(self) -> int:
        """Remove every run; says how many. Raises as `delete` does."""
        return self._keep(lambda summary: False)

    def prune(self, days: float) -> int:
        """Remove runs that started more than `days` days ago; says how many. Raises as `delete` does."""
        oldest = time.time() - days * 86_400
        return self._keep(lambda summary: summary.started >= oldest)

    def flush(self) -> None:
        """See that everything added so far is written.

        Raises:
            ConfigError, StoreFailed: it is not; nothing is lost, it is tried again.
        """
        with self._lock:
            self._write()
            if self._error is not None:
                raise self._error

    def close(self) -> None:
        """Write what waits and let go of the file; a second call does nothing. What is kept can still be read.

        Raises:
            ConfigError, StoreFailed: not everything could be written; what was not is lost.
        """
        if self._closed:
            return
        try:
            self.flush()
        finally:
            with self._lock:
                self._closed = True
                self._file.release()

    @property
    def torn(self) -> Torn | None:
        """The half-written last line that reading or appending met, if any: the caller is to say so."""
        return self._file.torn

    @property
    def full(self) -> bool:
        """True while writing fails: the caller starts no new run then, what the running ones add is still taken."""
        return self._error is not None or self._closed

    def _write(self) -> None:
        """Append what waits, all of it or nothing; an error is remembered."""
        if not self._waiting:
            return
        try:
            self._file.append(b"".join(self._waiting))
        except MoaError as error:
            self._error, self._again = error, time.monotonic() + RETRY
        else:
            self._waiting.clear()
            self._error = None

    def _read(self) -> dict[str, list[Event]]:
        with self._lock:
            if not self._closed:
                self._write()
        return _by_run(event for event, _ in self._events(self._file.read()))

    def _events(self, lines: Sequence[bytes]) -> Iterator[tuple[Event, bytes]]:
        """Each event, with its line."""
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield event_of(line, f"{self.path}, line {number}"), line

    def _keep(self, wanted: Callable[[RunSummary], bool]) -> int:
        """Write the file anew with the wanted runs; says how many were not."""
        self.flush()
        if not self.path.exists():
            return 0
        with self._lock, self._file.rewriting() as lines:
            events = list(self._events(lines))
            runs = _by_run(event for event, _ in events)
            gone = {run for run, its in runs.items() if not wanted(summarise(its))}
            lines[:] = [line for event, line in events if event.run not in gone]
        return len(gone)


def _by_run(events: Iterable[Event]) -> dict[str, list[Event]]:
    runs: dict[str, list[Event]] = {}
    for event in events:
        runs.setdefault(event.run, []).append(event)
    return runs
