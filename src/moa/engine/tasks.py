"""The tasks of one run: the first that raises ends them all, and they end in the order they were started.

(asyncio.TaskGroup goes through a set, in which tasks lie by their address: no run would end twice in the same way.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
RUN_ENDED = "the run ended"


class Tasks:
    """What runs for as long as `async with` lasts. Leaving it cancels what still runs, and waits for its end.

    Raises:
        BaseException: what a task has raised first, when all have ended; the body was cancelled for it.
    """

    __slots__ = ("_all", "_all_ended", "_error", "_interrupted", "_loop", "_parent")

    def __init__(self) -> None:
        self._all: dict[asyncio.Task[Any], None] = {}
        self._error: BaseException | None = None
        self._interrupted = False
        self._all_ended: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Tasks:
        task = asyncio.current_task()
        assert task is not None
        self._loop, self._parent = asyncio.get_running_loop(), task
        return self

    def __len__(self) -> int:
        return len(self._all)

    def start(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task of its own for a coroutine."""
        task = self._loop.create_task(coroutine)
        self._all[task] = None
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        del self._all[task]
        if not task.cancelled() and (error := task.exception()) is not None and self._error is None:
            self._error = error
            if self._all_ended is None:
                self._interrupted = True
                self._stop()
                self._parent.cancel(RUN_ENDED)
        if self._all_ended is not None and not self._all and not self._all_ended.done():
            self._all_ended.set_result(None)

    def _stop(self) -> None:
        for task in tuple(self._all):
            task.cancel(RUN_ENDED)

    async def __aexit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        again: asyncio.CancelledError | None = None
        self._all_ended = self._loop.create_future()
        self._stop()
        while self._all:
            try:
                await self._all_ended
            except asyncio.CancelledError as error:  # told once more to end: so are they
                again = error
                self._all_ended = self._loop.create_future()
                self._stop()
        if self._interrupted:
            self._parent.uncancel()
        if self._error is not None:
            raise self._error
        if again is not None:
            raise again
