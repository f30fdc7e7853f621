"""How a mixture is put together from its parts: the one place that turns layers, an aggregator and a way to combine into a flow."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from moa.core.agents import Agent
from moa.core.errors import ConfigError
from moa.core.flow import Combine, Flow
from moa.core.types import Conversation, Reply
from moa.flows.answers import Kind
from moa.flows.combine import select, synthesise
from moa.flows.layered import layered
from moa.flows.members import Member
from moa.flows.vote import by_vote, vote

MakeFlow: TypeAlias = Callable[[Conversation], Flow[Reply]]


def combiner(how: str, aggregator: Member | None, kind: Kind = "auto", window: int | None = None) -> Combine:
    """The aggregator that "synthesise", "select" or "vote" stands for.

    Raises:
        ConfigError: there is no such way, or it needs an aggregator (or a judge that is an agent) and has none.
    """
    if how == "vote":
        return by_vote(kind)
    if aggregator is None:
        raise ConfigError('aggregator: one is needed to synthesise or select; combine = "vote" does without')
    if how == "synthesise":
        return synthesise(aggregator, window)
    if how == "select" and isinstance(aggregator, Agent):
        return select(aggregator)
    raise ConfigError(f'combine: {how!r} is none of "synthesise", "select" (by an agent) and "vote"')


def topology(
    layers: list[list[Member]],
    aggregator: Member | None,
    how: str | Combine,
    kind: Kind = "auto",
    *,
    need: int | None = None,
    grace: float | None = 0.0,
    least: int = 1,
    window: int | None = None,
) -> MakeFlow:
    """The flow of `layers`, under the rules of Ask; a vote over one layer of agents stops asking as soon as it is decided.

    Raises:
        ConfigError: the parts do not fit together; names the place.
    """
    if not layers or not all(layers):
        raise ConfigError("layers: a mixture has at least one layer, and a layer at least one agent")
    fewest = min(map(len, layers))
    for name, number in (("need", need), ("least", least)):
        if number is not None and (not isinstance(number, int) or not 1 <= number <= fewest):
            raise ConfigError(f"{name}: {number!r} replies cannot come from a layer of {fewest}; take 1 to {fewest}")
    if window is not None and (not isinstance(window, int) or window < 2 or how != "synthesise"):
        raise ConfigError(f'window: {window!r} is no number of references from 2 up, read by combine = "synthesise"')
    agents = [member for member in layers[0] if isinstance(member, Agent)]
    if how == "vote" and layers == [agents] and need is None and least == 1:
        return partial(vote, agents=agents, kind=kind)
    combine = how if callable(how) else combiner(how, aggregator, kind, window)
    return partial(layered, layers=layers, combine=combine, need=need, grace=grace, least=least)
