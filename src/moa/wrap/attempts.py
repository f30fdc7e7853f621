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
    does not try again once a delta was passed on, since two texts must never mix, nor where that would be after the deadline
    or more than `longest` seconds after the first attempt began: who hung for two minutes would only hang for four.
    """

    inner: Provider
    most: int = 2
    backoff: float = 0.5
    longest: float = 60.0
    chance: Callable[[], float] = random.random

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider; raises what the last attempt raised."""
        attempt, began = scope.attempt, asyncio.get_running_loop().time()
        while True:
            speaking = _Speaking(scope.emit)
            plain = attempt == scope.attempt and not scope.want_deltas  # nothing to listen to, nothing to tell
            try:
                return await self.inner.send(
                    request, scope if plain else replace(scope, attempt=attempt, emit=speaking.emit)
                )
            except ProviderError as error:
                wait = (error.retry_after or 0.0) + self.chance() * self.backoff * 2 ** (attempt - 1)
                if not error.retryable or attempt >= self.most or speaking.begun or not self._fits(wait, began, scope):
                    raise
                scope.emit(CallRetried(attempt, wait, Failure.of(error)))
            await asyncio.sleep(wait)
            attempt += 1

    def _fits(self, wait: float, began: float, scope: Scope) -> bool:
        """Whether the next attempt, after that wait, is still worth its while."""
        again = asyncio.get_running_loop().time() + wait
        return again - began <= self.longest and (scope.deadline is None or again < scope.deadline)


class _Speaking:
    """One attempt's emit: notices whether any of its answer was passed on."""

    def __init__(self, emit: Callable[[Fact], None]) -> None:
        self._emit = emit
        self.begun = False

    def emit(self, fact: Fact) -> None:
        """Pass a fact on."""
        self.begun = self.begun or isinstance(fact, Delta)
        self._emit(fact)
