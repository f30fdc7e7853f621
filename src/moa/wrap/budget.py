"""Keeps one run under its max cost, whatever its flow does: the worst of each call is set aside before it is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from moa.core.errors import BudgetExceeded
from moa.core.plan import worst_cost
from moa.core.ports import Provider, Scope
from moa.core.prices import Price, cost
from moa.core.types import Reply, Request


@dataclass
class Budget:
    """Sends only what fits into `limit` US dollars with what was spent and set aside before; one is made for each run.

    A call may be tried `attempts` times, so its worst cost is set aside as often. A call without a reply counts as spent whole.
    """

    inner: Provider
    limit: float
    price: Callable[[str], Price | None]
    attempts: int = 1
    spent: float = 0.0

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider.

        Raises:
            BudgetExceeded: the worst cost of this call does not fit; nothing was sent.
        """
        call = request.call
        price = self.price(call.model)
        if price is None:
            raise BudgetExceeded(
                f"no price is known for {call.model}, so its cost cannot be bounded; write it under [prices]"
            )
        worst = worst_cost(call, price) * self.attempts
        if self.spent + worst > self.limit:
            raise BudgetExceeded(
                f"this call of {call.agent} may cost ${worst:.4f}, but of ${self.limit:.4f} only "
                f"${max(self.limit - self.spent, 0.0):.4f} are left; allow more"
            )
        self.spent += worst
        reply = await self.inner.send(request, scope)
        self.spent += (cost(reply.usage, price) if reply.cost is None else reply.cost) - worst
        return reply
