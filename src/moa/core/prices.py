"""usage × price -> money. Prices are found by `config/prices.py`."""

from __future__ import annotations

from dataclasses import dataclass

from moa.core.types import Usage


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens. `cached` is for input tokens read from the provider's cache (None: as input)."""

    input: float = 0.0
    output: float = 0.0
    cached: float | None = None


FREE = Price()


def cost(usage: Usage, price: Price) -> float:
    """What `usage` costs at `price`, in US dollars."""
    cached = price.input if price.cached is None else price.cached
    fresh = max(usage.input - usage.cached, 0)
    return (fresh * price.input + usage.cached * cached + usage.output * price.output) / 1e6


def total(costs: list[float | None]) -> float | None:
    """The sum of costs in US dollars; None as soon as one of them is unknown."""
    known = [one for one in costs if one is not None]
    return sum(known) if len(known) == len(costs) else None
