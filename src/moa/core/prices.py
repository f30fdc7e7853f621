"""usage × price -> money. Prices are found by `config/prices.py`."""

from __future__ import annotations

from dataclasses import dataclass

from moa.core.types import Usage


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens. `cached` is for input tokens read from the provider's cache, `written` for those written to
    it (None: as input). `above` are the prices of calls with more than so many input tokens, for all their tokens, from the
    fewest on."""

    input: float = 0.0
    output: float = 0.0
    cached: float | None = None
    written: float | None = None
    above: tuple[tuple[int, Price], ...] = ()

    @property
    def most_input(self) -> float:
        """What an input token may cost at most, whatever becomes of it."""
        return max(self.input, self.written or 0.0)


FREE = Price()
MOST_COST = 1e6
"""US dollars that no call can cost."""


def cost(usage: Usage, price: Price) -> float:
    """What `usage` costs at `price`, in US dollars."""
    price = _of(usage.input, price)
    cached = price.input if price.cached is None else price.cached
    written = price.input if price.written is None else price.written
    fresh = max(usage.input - usage.cached - usage.written, 0)
    sent = fresh * price.input + usage.cached * cached + usage.written * written
    return (sent + max(usage.output, 0) * price.output) / 1e6


def most_cost(sent: int, made: int, price: Price) -> float:
    """What so many tokens in and out may cost at most, in US dollars, whatever becomes of those that are sent."""
    price = _of(sent, price)
    return (sent * price.most_input + made * price.output) / 1e6


def _of(sent: int, price: Price) -> Price:
    """The price of calls with so many input tokens."""
    for start, dearer in price.above:
        if sent > start:
            price = dearer
    return price


def sensible(cost: object) -> float | None:
    """What somebody says a call has cost, in US dollars; None where that is nothing, or nothing that can be."""
    return cost if isinstance(cost, (int, float)) and 0 <= cost < MOST_COST else None


def total(costs: list[float | None]) -> float | None:
    """The sum of costs in US dollars; None as soon as one of them is unknown."""
    known = [one for one in costs if one is not None]
    return sum(known) if len(known) == len(costs) else None
