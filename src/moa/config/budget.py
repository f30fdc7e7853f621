"""Fits a question under its max cost before it is asked, and names who pays for it."""

from __future__ import annotations

from dataclasses import replace

from moa.config.build import Rig
from moa.core.errors import BudgetExceeded, ConfigError
from moa.core.money import Account
from moa.core.plan import CAPS, held, plan
from moa.core.types import Conversation
from moa.engine.chance import token
from moa.flows.topology import MakeFlow

RUN = "this run"


def affordable(flow: MakeFlow, conversation: Conversation, rig: Rig, max_cost: float | None, name: str) -> MakeFlow:
    """The flow with as many output tokens per call as stay under `max_cost` US dollars in the worst case; extra steps are asked
    as long as there is money for them.

    Raises:
        BudgetExceeded: even 1,024 tokens a call are too many.
        ConfigError: a price is unknown.
    """
    if max_cost is None:
        return flow
    attempts, worst = rig.config.spec.limits.attempts, 0.0
    for fitted in held(flow):
        planned = plan(fitted, conversation, rig.price, fewest=False)
        if planned.needed_cost is None:
            raise ConfigError(f"max cost: no price is known for {', '.join(planned.unpriced)}; write it under [prices]")
        worst = planned.needed_cost * attempts
        if worst <= max_cost:
            return fitted
    raise BudgetExceeded(
        f"{name} may cost ${worst:.4f} for this question even at {CAPS[-1][0]} tokens a call at most, more than ${max_cost:.4f}; "
        "allow more, or take a smaller mixture"
    )


def payers(rig: Rig, name: str, max_cost: float | None, payer: Account | None = None) -> tuple[Account, ...]:
    """Who pays for a run of the mixture `name`: everybody's day, its own day, its max cost, where they are limited; `payer`.

    Raises:
        ConfigError: `payer` is no Account.
    """
    spec = rig.config.spec
    own = spec.mixtures[name].max_cost_per_day if name in spec.mixtures else None
    accounts = []
    if payer is not None:
        if not isinstance(payer, Account):
            raise ConfigError(f'payer: an Account is needed, as in Account("team a", 5.0), not {type(payer).__name__}')
        accounts.append(replace(payer, name=f"payer {payer.name}"))
    if spec.budget.day is not None:
        accounts.append(Account("[budget] day", spec.budget.day))
    if own is not None:
        accounts.append(Account(f"mixture {name}", own))
    if max_cost is not None:
        accounts.append(Account(f"{RUN} ({token(4)})", max_cost, daily=False))
    return tuple(accounts)


def ended(accounts: tuple[Account, ...]) -> tuple[Account, ...]:
    """Those of a run's accounts that end with it."""
    return tuple(account for account in accounts if account.name.startswith(RUN))
