"""Who pays, and what was paid: the values of the ledger. Money is US dollars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from moa.core.errors import ConfigError
from moa.core.types import Usage
from moa.core.values import quickly_made

Ended: TypeAlias = Literal["done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays, and the most it may spend, in US dollars: in all (a run), or a UTC day (`daily`: a mixture, a key, everybody).

    Raises:
        ConfigError: the name is no text that can be written down, or the limit no number from 0 on.
    """

    name: str
    limit: float
    daily: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or not self.name.isprintable():
            raise ConfigError(f"account: {self.name!r} is no name")
        number = isinstance(self.limit, int | float) and not isinstance(self.limit, bool)
        if not number or not 0 <= self.limit < float("inf"):
            raise ConfigError(f"account {self.name}: {self.limit!r} is no limit in dollars")


@quickly_made
@dataclass(frozen=True, slots=True)
class Hold:
    """What is set aside for one attempt: who pays, US dollars, and the day it counts on (since 1970, UTC; 0 in memory)."""

    accounts: tuple[Account, ...] = ()
    amount: float = 0.0
    day: int = 0


@quickly_made
@dataclass(frozen=True, slots=True)
class Entry:
    """One attempt in the ledger. `cost` is None where no price is known; `estimated` where the provider did not say it all."""

    run: str
    span: int
    attempt: int
    role: str
    agent: str
    model: str
    mixture: str
    tenant: str
    usage: Usage
    cost: float | None
    estimated: bool
    ended: Ended


def by_role(costs: list[tuple[str, float | None]]) -> Mapping[str, float | None]:
    """The sum of costs of each role; None for a role one of whose costs is unknown."""
    sums: dict[str, float | None] = {}
    for role, cost in costs:
        so_far = sums.get(role, 0.0)
        sums[role] = None if cost is None or so_far is None else so_far + cost
    return sums
