"""The requests being carried out, and what becomes of them when the server ends: cancelled, and told so, each in its protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from moa.server.refusals import Rejection


class ServerEnds(Rejection):
    """What a client is told whose request the server will not carry out any more."""

    def __init__(self) -> None:
        super().__init__("This server is shutting down.", 503, code="shutting_down", retry_after=1)


@dataclass(eq=False)
class Underway:
    """The requests being carried out."""

    _ended: bool = False
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    @asynccontextmanager
    async def until_the_end(self) -> AsyncIterator[None]:
        """What stands inside is carried out, or cancelled where the server ends meanwhile.

        Raises:
            ServerEnds: it does.
        """
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if not self._ended:
                raise
            task.uncancel()
            raise ServerEnds from None
        finally:
            self._tasks.discard(task)

    def end(self) -> None:
        """Cancel them all."""
        self._ended = True
        for task in self._tasks:
            task.cancel("the server ends")
