"""Fits a question under its max cost before it is asked, and keeps it there while it is answered."""

from __future__ import annotations

from moa.config.build import Rig
from moa.core.errors import BudgetExceeded, ConfigError
from moa.core.plan import CAPS, held, plan
from moa.core.ports import Provider
from moa.core.types import Conversation
from moa.flows.topology import MakeFlow
from moa.wrap.budget import Budget


def affordable(
    flow: MakeFlow, conversation: Conversation, rig: Rig, max_cost: float | None, name: str
) -> tuple[MakeFlow, Provider]:
    """The flow with as many output tokens per call as stay under `max_cost` US dollars in the worst case, and a guarded rig.

    Raises:
        BudgetExceeded: even 1,024 tokens a call are too many.
        ConfigError: a price is unknown.
    """
    if max_cost is None:
        return flow, rig
    attempts, worst = rig.config.spec.limits.attempts, 0.0
    for fitted in held(flow):
        planned = plan(fitted, conversation, rig.price)
        if planned.worst_cost is None:
            raise ConfigError(f"max cost: no price is known for {', '.join(planned.unpriced)}; write it under [prices]")
        worst = planned.worst_cost * attempts
        if worst <= max_cost:
            return fitted, Budget(rig, max_cost, rig.price, attempts)
    raise BudgetExceeded(
        f"{name} may cost ${worst:.4f} for this question even at {CAPS[-1][0]} tokens a call, more than ${max_cost:.4f}; "
        "allow more, or take a smaller mixture"
    )
