"""Sends only what can be paid: the most an attempt can cost is set aside before it goes out, and settled when it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from moa.core.errors import BudgetExceeded, ProviderError
from moa.core.events import Delta, Fact
from moa.core.money import Ended, Entry
from moa.core.plan import worst_cost
from moa.core.ports import Ledger, Provider, Scope
from moa.core.prices import Price, cost
from moa.core.tokens import estimated, estimated_input
from moa.core.types import Reply, Request, Usage


@dataclass(frozen=True, slots=True)
class Budget:
    """Reserves each attempt's worst cost with the scope's accounts, and settles what it used: the provider's own figure, else
    its usage at the model's price, else, for one that was cut or cancelled, what had been heard of it, estimated.

    An attempt that the provider refused or failed to answer (an HTTP error) costs nothing.
    """

    inner: Provider
    ledger: Ledger
    price: Callable[[str], Price | None]

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider.

        Raises:
            BudgetExceeded: the worst cost of this attempt does not fit, or no price is known to bound it; nothing was sent.
        """
        price = self.price(request.call.model)
        worst = self._worst(request, price, scope)
        if worst:
            await self.ledger.reserve(scope.accounts, worst)
        heard = _Heard(scope.emit)
        listening = replace(scope, emit=heard.emit) if scope.want_deltas else scope
        usage, ended, own = Usage(), "failed", None
        try:
            reply = await self.inner.send(request, listening)
            usage, ended, own = reply.usage, "done", reply.cost
            return reply
        except ProviderError as error:
            if error.partial or heard.size:
                usage = _used(request, max(estimated(error.partial), heard.tokens))
            raise
        except asyncio.CancelledError:
            usage, ended = _used(request, heard.tokens), "cancelled"
            raise
        finally:
            spent = own if own is not None else None if price is None else cost(usage, price)
            self.ledger.settle(scope.accounts, worst, _entry(request, scope, usage, spent, ended))  # type: ignore[arg-type]

    def _worst(self, request: Request, price: Price | None, scope: Scope) -> float:
        if not scope.accounts:
            return 0.0
        if price is None:
            raise BudgetExceeded(
                f"no price is known for {request.call.model}, so its cost cannot be bounded; write it under [prices]"
            )
        return worst_cost(request.call, price)


def _used(request: Request, output: int) -> Usage:
    """What an attempt that ended before its end has used, about."""
    return Usage(estimated_input(request.messages), output, estimated=True)


def _entry(request: Request, scope: Scope, usage: Usage, spent: float | None, ended: Ended) -> Entry:
    call = request.call
    return Entry(
        scope.run, scope.span, scope.attempt, call.role, call.agent, call.model, scope.mixture, scope.tenant,
        usage, spent, usage.estimated, ended,
    )  # fmt: skip


class _Heard:
    """How much of an answer was heard."""

    def __init__(self, emit: Callable[[Fact], None]) -> None:
        self._emit = emit
        self.size = 0

    @property
    def tokens(self) -> int:
        """About how many tokens that is."""
        return -(-self.size // 4)

    def emit(self, fact: Fact) -> None:
        """Count a piece, and pass it on."""
        if isinstance(fact, Delta):
            self.size += len(fact.text)
        self._emit(fact)
