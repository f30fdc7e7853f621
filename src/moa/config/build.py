"""Spec -> objects: agents, flows, and the onion of wraps around every wire.

The order of the wraps, outermost first, and why:
    cache      before everything: a known answer costs nothing, not even a place
    attempts   one owner of retries; each attempt waits for a place and has a timeout of its own
    limit      so many at once per endpoint; a call that waits for its place is not yet timed
    timeout    one attempt, the wire only
    wire       providers/
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from moa.config.hosts import Wires
from moa.config.load import Config, nearest, xdg
from moa.config.prices import price_of
from moa.config.spec import Agent as AgentSpec
from moa.config.spec import Mixture as MixtureSpec
from moa.config.spec import Store as StoreSpec
from moa.core.agents import Agent
from moa.core.errors import ConfigError
from moa.core.ports import Provider, Scope
from moa.core.prices import Price
from moa.core.types import Reply, Request
from moa.flows.members import Member
from moa.flows.topology import MakeFlow, topology
from moa.stores.sqlite import Sqlite
from moa.wrap.attempts import Attempts
from moa.wrap.cache import Cache, Kept
from moa.wrap.limit import Limit, Places
from moa.wrap.timeout import Timeout

MOST_NESTED = 4
"""How deep mixtures may stand inside mixtures."""


class Rig:
    """What the mixtures of one configuration run on: its wires with their wraps, prices and store.

    It is the Provider that the engine sends to. `own` are providers registered in code, by host name.
    """

    def __init__(
        self, config: Config, environ: Mapping[str, str] | None = None, own: Mapping[str, Provider] | None = None
    ) -> None:
        self.config = config
        self.environ = os.environ if environ is None else environ
        self.wires = Wires(config.spec, self.environ, own)
        self.timeouts = {name: agent.timeout for name, agent in config.spec.agents.items() if agent.timeout is not None}
        self._kept = Kept(config.spec.cache.size)
        self._places: dict[str, Places] = {}
        self._prices: dict[str, Price | None] = {}
        self._onions: dict[tuple[str, float], Provider] = {}
        self._store: Sqlite | None = None

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider: hand the request to the host its model names."""
        host = request.call.model.partition(":")[0]
        timeout = self.timeouts.get(request.call.agent, self.config.spec.limits.timeout)
        onion = self._onions.get((host, timeout)) or self._onion(host, timeout)
        return await onion.send(request, scope)

    @property
    def store(self) -> Sqlite | None:
        """Where runs are kept; None where the configuration says not to."""
        if self._store is None and self.config.spec.store.keep:
            self._store = open_store(self.config.spec.store, self.environ)
        return self._store

    def price(self, model: str) -> Price | None:
        """What a model costs in US dollars per million tokens; None where nobody knows."""
        if model not in self._prices:
            host = model.partition(":")[0]
            self._prices[model] = price_of(self.config.spec.prices, (host,) if self.wires.is_free(host) else ())(model)
        return self._prices[model]

    async def aclose(self) -> None:
        """Close the connections of the running event loop and write what the store has not written yet."""
        await self.wires.aclose()
        if self._store is not None:
            self._store.flush()

    def _onion(self, host: str, timeout: float) -> Provider:
        limits, own = self.config.spec.limits, self.config.spec.hosts.get(host)
        at_once = own.at_once if own and own.at_once else limits.at_once
        places = self._places.setdefault(host, Places(at_once))
        onion: Provider = Attempts(Limit(Timeout(self.wires.wire(host), timeout), places), most=limits.attempts)
        if self.config.spec.cache.exact:
            onion = Cache(onion, self._kept)
        self._onions[host, timeout] = onion
        return onion


def open_store(spec: StoreSpec, environ: Mapping[str, str]) -> Sqlite:
    """The store of a configuration: its file is made by the first run."""
    path = Path(spec.path).expanduser() if spec.path else xdg(environ, "data") / "runs.db"
    return Sqlite(path, prompts=spec.prompts, days=spec.days)


def named(config: Config, name: str | None) -> str:
    """The mixture meant by a name; None, and "default" where no mixture is called so, is the default one."""
    return default_name(config) if name is None or (name == "default" and name not in config.spec.mixtures) else name


def default_name(config: Config) -> str:
    """The mixture that is used where none is named.

    Raises:
        ConfigError: the configuration names one that does not exist.
    """
    mixtures = config.spec.mixtures
    if config.spec.default is not None:
        if config.spec.default not in mixtures:
            raise ConfigError(f"{config.where('default')}: {_no_mixture(config.spec.default, config)}")
        return config.spec.default
    own = [name for source in config.written for name in source.data.get("mixtures", {})]
    if "default" in own or len(set(own)) == 1:
        return "default" if "default" in own else own[0]
    return "auto" if "auto" in mixtures else "builtin"


def flow_of(config: Config, name: str, above: tuple[str, ...] = ()) -> MakeFlow:
    """What turns a conversation into the flow of a mixture.

    Raises:
        ConfigError: no such mixture, or a name inside it stands for nothing, or mixtures nest too deep or in a circle.
    """
    spec = config.spec.mixtures.get(name)
    if spec is None:
        raise ConfigError(_no_mixture(name, config))
    if name in above or len(above) >= MOST_NESTED:
        why = "stands inside itself" if name in above else f"is nested more than {MOST_NESTED} deep"
        raise ConfigError(f"{config.where(f'mixtures.{name}')}: this mixture {why} ({' > '.join((*above, name))})")

    known: dict[str, Member] = {}  # the same name is the same member, so that its samples are numbered

    def member(text: str, place: str) -> Member:
        if text not in known:
            known[text] = _member(config, text, f"mixtures.{name}.{place}", (*above, name))
        return known[text]

    layers = _layers(spec, member)
    aggregator = member(spec.aggregator, "aggregator") if spec.aggregator else None
    try:
        return topology(
            layers, aggregator, spec.combine, spec.answers, need=spec.need, grace=spec.grace, least=spec.least
        )
    except ConfigError as error:
        raise ConfigError(f"{config.where(f'mixtures.{name}')}.{error}") from None


def _layers(spec: MixtureSpec, member: Callable[[str, str], Member]) -> list[list[Member]]:
    """The members of each layer; `proposers` with `rounds`, and `agent` with `samples`, write them shortly."""
    if spec.layers:
        return [
            [member(text, f"layers[{n}][{m}]") for m, text in enumerate(layer)] for n, layer in enumerate(spec.layers)
        ]
    if spec.agent:
        return [[member(spec.agent, "agent")] * spec.samples]
    return [[member(text, f"proposers[{m}]") for m, text in enumerate(spec.proposers)]] * spec.rounds


def _member(config: Config, text: str, path: str, above: tuple[str, ...]) -> Member:
    spec = config.spec
    if text in spec.agents or ":" in text:
        return _agent(text, spec.agents.get(text))
    if text in spec.mixtures:
        return flow_of(config, text, above)
    raise ConfigError(f'{config.where(path)}: no agent "{text}"{nearest(text, [*spec.agents, *spec.mixtures])}')


def _agent(name: str, spec: AgentSpec | None) -> Agent:
    if spec is None:
        return Agent(name)
    settings = spec.model_dump(exclude={"timeout"})
    return Agent(name=name, **settings)


def _no_mixture(name: str, config: Config) -> str:
    return f'no mixture "{name}"{nearest(name, config.spec.mixtures)}; there are {", ".join(config.spec.mixtures)}'
