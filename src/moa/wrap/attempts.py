"""Tries again: the one owner of attempts, so that no two layers multiply them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from moa.core.errors import ProviderError
from moa.core.events import CallRetried, Delta, Fact, Failure
from moa.core.ports import Provider, Scope
from moa.core.types import Reply, Request


@dataclass(frozen=True, slots=True)
class Attempts:
    """Sends once more after a retryable error, at most `most` times in all.

    It waits what the provider asked for (`retry_after`) and, on top, a random part of `backoff` seconds (full jitter). It
    does not try again once a delta was passed on, since two texts must never mix, nor where the wait would reach the
    deadline or be more than `longest` seconds.
    """

    inner: Provider
    most: int = 2
    backoff: float = 0.5
    longest: float = 60.0
    chance: Callable[[], float] = random.random

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider; raises what the last attempt raised."""
        attempt = scope.attempt
        while True:
            speaking = _Speaking(scope.emit)
            try:
                return await self.inner.send(request, replace(scope, attempt=attempt, emit=speaking.emit))
            except ProviderError as error:
                wait = (error.retry_after or 0.0) + self.chance() * self.backoff * 2 ** (attempt - 1)
                if not error.retryable or attempt >= self.most or speaking.begun or not self._fits(wait, scope):
                    raise
                scope.emit(CallRetried(attempt, wait, Failure.of(error)))
            await asyncio.sleep(wait)
            attempt += 1

    def _fits(self, wait: float, scope: Scope) -> bool:
        """Whether that wait is allowed and leaves time."""
        in_time = scope.deadline is None or asyncio.get_running_loop().time() + wait < scope.deadline
        return in_time and wait <= self.longest


class _Speaking:
    """One attempt's emit: notices whether any of its answer was passed on."""

    def __init__(self, emit: Callable[[Fact], None]) -> None:
        self._emit = emit
        self.begun = False

    def emit(self, fact: Fact) -> None:
        """Pass a fact on."""
        self.begun = self.begun or isinstance(fact, Delta)
        self._emit(fact)
