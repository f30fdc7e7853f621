"""What a model costs: the configuration's own price, nothing for local models, else genai-prices (offline, loaded at first use)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache

from moa.config.spec import Price as PriceSpec
from moa.core.prices import FREE, Price

_NAMES = {"xai": "x-ai"}
_SAMPLE = 1000


def price_of(own: Mapping[str, PriceSpec], free: Collection[str]) -> Callable[[str], Price | None]:
    """The price of a model ("host:model") in US dollars per million tokens; None where nobody knows it.

    `free` are the hosts that cost nothing.
    """

    def price(model: str) -> Price | None:
        if model in own:
            return Price(own[model].input, own[model].output)
        host, _, name = model.partition(":")
        return FREE if host in free else _known(host, name)

    return price


@lru_cache(maxsize=4096)
def _known(host: str, model: str) -> Price | None:
    """The price of genai-prices, in US dollars per million tokens.

    Taken as calculated and not read off its table, since prices may depend on the date.
    """
    from genai_prices import Usage, calc_price
    from genai_prices.types import TieredPrices

    name = model.rsplit("/", 1)[-1] if host == "fireworks" else model

    def dollars(**usage: int) -> Decimal:
        return calc_price(Usage(**usage), model_ref=name, provider_id=_NAMES.get(host, host)).total_price * 1_000_000

    def price(sent: int) -> Price:
        fresh = dollars(input_tokens=sent, output_tokens=0)
        made = dollars(input_tokens=sent, output_tokens=_SAMPLE) - fresh
        cached = dollars(input_tokens=sent, cache_read_tokens=sent, output_tokens=0)
        stored = dollars(input_tokens=sent, cache_write_tokens=sent, output_tokens=0)
        return Price(float(fresh / sent), float(made / _SAMPLE), float(cached / sent), float(stored / sent))

    try:
        listed = calc_price(Usage(input_tokens=1, output_tokens=1), model_ref=name, provider_id=_NAMES.get(host, host))
        kinds = [kind for kind in vars(listed.model_price).values() if isinstance(kind, TieredPrices)]
        starts = sorted({tier.start for kind in kinds for tier in kind.tiers})
        return replace(price(_SAMPLE), above=tuple((start, price(start + 1)) for start in starts))
    except (LookupError, ValueError):
        return None


@lru_cache(maxsize=4096)
def context_of(model: str) -> int | None:
    """The most tokens of a request and its answer that genai-prices knows of a model ("host:model"); None where it does not."""
    from genai_prices import Usage, calc_price

    host, _, name = model.partition(":")
    try:
        found = calc_price(Usage(input_tokens=1, output_tokens=1), model_ref=name, provider_id=_NAMES.get(host, host))
    except (LookupError, ValueError):
        return None
    return found.model.context_window
