"""What a model costs: the configuration's own price, nothing for local models, else genai-prices (offline, loaded at first use)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
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
    """The price of genai-prices for a small call, in US dollars per million tokens.

    Taken as calculated and not read off its table, since prices may depend on date and size.
    """
    from genai_prices import Usage, calc_price

    name = model.rsplit("/", 1)[-1] if host == "fireworks" else model

    def dollars(usage: Usage) -> float:
        return float(calc_price(usage, model_ref=name, provider_id=_NAMES.get(host, host)).total_price) * 1e6 / _SAMPLE

    try:
        fresh = dollars(Usage(input_tokens=_SAMPLE, output_tokens=0))
        made = dollars(Usage(input_tokens=0, output_tokens=_SAMPLE))
        cached = dollars(Usage(input_tokens=_SAMPLE, cache_read_tokens=_SAMPLE, output_tokens=0))
        stored = dollars(Usage(input_tokens=_SAMPLE, cache_write_tokens=_SAMPLE, output_tokens=0))
    except (LookupError, ValueError):
        return None
    return Price(fresh, made, cached, stored)


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
