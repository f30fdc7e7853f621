"""Keeps runs in memory: for tests, for one process, for runs nobody wants on disk."""

from __future__ import annotations

import threading
import time

from moa.core.events import TERMINAL, Delta, Event
from moa.stores._summary import RunSummary, newest, summarise, the_run


class Memory:
    """The last `limit` runs. A run that is still open is never dropped: it is `full` instead."""

    def __init__(self, limit: int = 1000) -> None:
        self._limit = limit
        self._runs: dict[str, list[Event]] = {}
        self._open: set[str] = set()
        self._lock = threading.Lock()

    def add(self, event: Event) -> None:
        """Keep one event; deltas are not kept."""
        if isinstance(event.fact, Delta):
            return
        with self._lock:
            if event.run not in self._runs:
                self._runs[event.run] = []
                self._open.add(event.run)
                self._forget_oldest()
            self._runs[event.run].append(event)
            if isinstance(event.fact, TERMINAL):
                self._open.discard(event.run)

    def events(self, run: str) -> list[Event]:
        """The events of one run by `seq`; none for an unknown run."""
        with self._lock:
            return sorted(self._runs.get(run, ()), key=lambda event: event.seq)

    def runs(self, limit: int | None = 20) -> list[RunSummary]:
        """The newest runs, newest first; `None` for all."""
        with self._lock:
            kept = [list(events) for events in self._runs.values()]
        return newest(map(summarise, kept), limit)

    def find(self, prefix: str) -> str:
        """The id of the one run whose id starts with `prefix`.

        Raises:
            ConfigError: no run does, or several do.
        """
        with self._lock:
            ids = list(self._runs)
        return the_run(prefix, ids)

    def delete(self, run: str) -> bool:
        """Forget one run; False where there was none."""
        with self._lock:
            self._open.discard(run)
            return self._runs.pop(run, None) is not None

    def delete_all(self) -> int:
        """Forget every run; says how many there were."""
        with self._lock:
            count = len(self._runs)
            self._runs.clear()
            self._open.clear()
        return count

    def prune(self, days: float) -> int:
        """Forget runs that started more than `days` days ago; says how many."""
        oldest = time.time() - days * 86_400
        return sum(self.delete(summary.id) for summary in self.runs(None) if summary.started < oldest)

    def flush(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        """Nothing to close; what was kept can still be read."""

    @property
    def full(self) -> bool:
        """True while `limit` runs are open: the caller starts no new one then."""
        return len(self._open) >= self._limit

    def _forget_oldest(self) -> None:
        while len(self._runs) > self._limit:
            ended = next((run for run in self._runs if run not in self._open), None)
            if ended is None:
                return
            del self._runs[ended]
