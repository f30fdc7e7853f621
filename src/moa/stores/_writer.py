"""A thread that writes what is added to a queue, in batches, so that whoever adds never waits for a disk.

The queue is a deque that `add` appends to (atomic, well under a microsecond). A batch leaves it only after it was
written, so a write that fails loses nothing: the error is remembered and the same batch tried again, every RETRY
seconds and at each `flush`. The bound is for admission: over it `full` is True and no new run should start, but what
the running ones add is still taken.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

from moa.core.errors import MoaError, StoreFailed

T = TypeVar("T")

BATCH = 256
"""Events of one transaction at most: a few milliseconds of work."""

GATHER = 0.5
"""Seconds the thread waits after an event for more to come: waking it up costs more than what it writes."""

POLL = 0.001
"""Seconds between two looks at whether all is written, for who waits in an event loop."""

RETRY = 1.0
"""Seconds between two tries of a write that fails."""


class Writer(Generic[T]):
    """Hands what is added in batches to `write`, in a daemon thread of its own that is started by the first item.

    `write` raises where nothing of the batch was written. `done` is called in the thread when it ends: by `close`, at
    the latest when the interpreter exits (`close_at_exit`).
    """

    def __init__(self, write: Callable[[Sequence[T]], None], done: Callable[[], None], limit: int) -> None:
        self._write, self._done, self._limit = write, done, limit
        self.closed = False
        self.error: MoaError | None = None
        self._reset()
        _LIVE.add(self)

    def _reset(self) -> None:
        self._pending: deque[T] = deque()
        self._wake = threading.Event()  # there is something to write
        self._idle = True  # the thread sleeps, or has not begun, until it is woken
        self._rush = threading.Event()  # somebody waits for it
        self._tried = threading.Condition()  # guards and announces _written and _failures
        self._written = self._failures = 0
        self._thread: threading.Thread | None = None

    @property
    def full(self) -> bool:
        """True while `limit` events wait, while writing fails, and after `close`."""
        return len(self._pending) >= self._limit or self.error is not None or self.closed

    def add(self, item: T) -> None:
        """Queue one item."""
        self._pending.append(item)
        if self._idle:
            self._idle = False
            self._wake.set()
            if self._thread is None:
                self._start()

    def settle(self) -> bool:
        """Wait until everything added so far is written, or a try to do so has failed; True where it is written."""
        if self.closed:
            return not self._pending
        with self._tried:
            target, failures = self._written + len(self._pending), self._failures
            if target > self._written and self._alive():
                self._wake.set()
                self._rush.set()
                self._tried.wait_for(lambda: self._written >= target or self._failures > failures or not self._alive())
        if self._written < target and not self._alive():
            self._drain()
        return self._written >= target

    def flush(self) -> None:
        """Return when everything added so far is written.

        Raises:
            MoaError: it cannot be written; it stays queued.
        """
        if not self.settle() and self.error is not None:
            raise self.error

    async def flushed(self, seconds: float) -> None:
        """`flush` while the event loop goes on, and for so many seconds at most: what is late is written all the same."""
        clock = asyncio.get_running_loop().time
        ends = clock() + seconds
        with self._tried:
            target, failures = self._written + len(self._pending), self._failures
        if self._written < target:
            self._wake.set()
            self._rush.set()
        while self._written < target and self._alive() and clock() < ends:
            if self._failures > failures and self.error is not None:
                raise self.error
            await asyncio.sleep(POLL)

    def close(self) -> None:
        """Write what is queued and end the thread. A second call does nothing.

        Raises:
            MoaError: it could not be written, and now never will; or the file could not be closed as it should.
        """
        if self.closed:
            return
        self.closed = True
        self._wake.set()
        self._rush.set()
        if self._thread is threading.current_thread():  # collected as garbage in here: `_run` ends by itself
            return
        if self._alive() and self._thread is not None:
            self._thread.join()
        else:
            self._finish()
        if self.error is not None:
            left = f" ({len(self._pending)} events were not written)" if self._pending else ""
            raise type(self.error)(f"{self.error}{left}") from self.error

    def _alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _start(self) -> None:
        with self._tried:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="moa-store", daemon=True)
        with suppress(RuntimeError):  # the interpreter is ending and starts no more: flush and close write instead
            self._thread.start()

    def _run(self) -> None:
        quiet = False
        while not self.closed:
            if quiet:  # nothing came for a whole while: from now on whoever adds has to wake this thread
                self._wake.clear()
                self._idle = True
                if not self._pending and not self.closed:
                    self._wake.wait()
                self._idle = False
            self._rush.wait(GATHER if self.error is None else RETRY)
            self._rush.clear()
            quiet = not self._pending
            self._drain()
        self._finish()

    def _finish(self) -> None:
        self._drain()
        try:
            self._done()
        except Exception as error:  # noqa: BLE001 - as in `_drain`
            self.error = self.error or _as_ours(error)

    def _drain(self) -> None:
        """Write until the queue is empty or a write fails."""
        while self._pending:
            # By index: an iterator over a deque breaks when another thread appends.
            batch = [self._pending[place] for place in range(min(len(self._pending), BATCH))]
            try:
                self._write(batch)
            except Exception as error:  # noqa: BLE001 - the thread's outermost door: kept, and raised by flush and close
                with self._tried:
                    self.error = _as_ours(error)
                    self._failures += 1
                    self._tried.notify_all()
                return
            with self._tried:
                for _ in batch:
                    self._pending.popleft()
                self._written += len(batch)
                self.error = None
                self._tried.notify_all()

    def forked(self) -> None:
        """In a new child process: the thread is not here, and what was queued is the parent's to write."""
        self._reset()
        self.error = None


def _as_ours(error: Exception) -> MoaError:
    return (
        error if isinstance(error, MoaError) else StoreFailed(f"runs cannot be kept: {type(error).__name__}: {error}")
    )


_LIVE: weakref.WeakSet[Writer[Any]] = weakref.WeakSet()


def _after_fork() -> None:
    for writer in tuple(_LIVE):
        writer.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def close_at_exit(writer: Writer[Any]) -> None:
    """Close, and say on stderr what could not be written: nobody is left to be told by an exception."""
    try:
        writer.close()
    except MoaError as error:
        sys.stderr.write(f"moa: {error}\n")
