"""Spec -> objects: agents, flows, and the onion of wraps around every wire.

The order of the wraps, outermost first, and why:
    obey       an agent's own schema, outermost: whatever answers is held to it
    cache      before everything else: a known answer costs nothing, not even a place
    fallback   chooses the model, and with it the host; each model has attempts of its own
    continued  outside the attempts, which never try again once text was passed on; this is no second text but the rest
    attempts   one owner of retries and hedges; each attempt waits for a place and has a timeout of its own
    circuit    each attempt passes it, so that a second one is not sent where the first has shown that it is no use
    budget     each attempt reserves and settles its own money; before the place, so that nobody holds one without
    limit      so many at once per endpoint (so many models at a time on a small machine); who waits here is not yet timed
    timeout    one attempt, the wire only
    fit        what the model can take; behind the attempts, since what it refuses is learnt from one
    wire       providers/
State shared by calls is made here: places and allowances per host, pace, gate and profile per model.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moa.config.hosts import Wires
from moa.config.load import Config, xdg
from moa.config.prices import price_of
from moa.config.profiles import Profiles
from moa.config.schema import problem_of
from moa.config.shipped import in_turns
from moa.config.spec import Host
from moa.config.spec import Store as StoreSpec
from moa.core.ports import Provider, Scope
from moa.core.prices import Price
from moa.core.types import Reply, Request
from moa.stores.ledger import SqliteLedger
from moa.stores.sqlite import Sqlite
from moa.wrap.advice import Advice
from moa.wrap.attempts import Attempts
from moa.wrap.budget import Budget
from moa.wrap.cache import Cache, Kept
from moa.wrap.circuit import Circuit, Gates
from moa.wrap.continued import Continued
from moa.wrap.fallback import Fallback
from moa.wrap.fit import Fit, Learnt
from moa.wrap.limit import Limit, Places
from moa.wrap.obey import Obey
from moa.wrap.pace import Allowance, Paces
from moa.wrap.sizes import Sizes
from moa.wrap.timeout import Timeout
from moa.wrap.turns import Machine, Turns

WRITING = 0.05
"""Seconds that a mixture's end waits for the disk: less than a deadline may be passed by. What is late is written all the same."""


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
        self.timeout = config.spec.limits.timeout
        self.paces, self.sizes = Paces(), Sizes()
        self.profiles = Profiles(config.spec.profiles, config.spec.hosts)
        self._gates, self._learnt = Gates(), Learnt()
        self.advice = Advice()
        self._held: Counter[asyncio.AbstractEventLoop] = Counter()
        self._shared: dict[str, _Shared] = {}
        self._prices: dict[str, Price | None] = {}
        self._onions: dict[tuple[str, float], Provider] = {}
        self._store: Sqlite | None = None
        self._ledger: SqliteLedger | None = None
        self._top: Provider = Fallback(_Routed(self), self.context)
        if config.spec.cache.exact:
            self._top = Cache(self._top, Kept(config.spec.cache.size))
        self._top = Obey(self._top, problem_of)

    def send(self, request: Request, scope: Scope) -> Coroutine[Any, Any, Reply]:
        """See Provider. (What only hands on is no coroutine of its own: each in flight is held in memory.)"""
        return self._top.send(request, scope)

    def context(self, model: str) -> int | None:
        """The most tokens of a request to a model and its answer together, as moa estimates them; None where nobody knows."""
        free = self.wires.is_free(model.partition(":")[0])
        context = self.profiles[model].context if free else self.profiles.context(model)
        return None if context is None else int(context / self.sizes.of(model))

    @property
    def store(self) -> Sqlite | None:
        """Where runs are kept; None where the configuration says not to."""
        if self._store is None and self.config.spec.store.keep:
            self._store = open_store(self.config.spec.store, self.environ)
        return self._store

    @property
    def ledger(self) -> SqliteLedger:
        """Where money is kept: in a file beside the runs, which is made by the first attempt that is to be written down."""
        if self._ledger is None:
            self._ledger = open_ledger(self.config.spec.store, self.environ)
        return self._ledger

    def price(self, model: str) -> Price | None:
        """What a model costs in US dollars per million tokens; None where nobody knows."""
        if model not in self._prices:
            host = model.partition(":")[0]
            self._prices[model] = price_of(self.config.spec.prices, (host,) if self.wires.is_free(host) else ())(model)
        return self._prices[model]

    def nearly_all(self, model: str) -> float | None:
        """The seconds within which 95 of 100 calls of a model end; None while nobody knows."""
        return self.paces[model].percentile(0.95)

    def hold(self) -> None:
        """Keep the connections of the running event loop until they are released as often."""
        self._held[asyncio.get_running_loop()] += 1

    async def release(self) -> None:
        """Let go of them: the last one closes them, whichever of the mixtures on this rig it is.

        Raises:
            StoreFailed: see `aclose`.
        """
        loop = asyncio.get_running_loop()
        self._held[loop] -= 1
        if not self._held[loop]:
            del self._held[loop]
            await self.aclose()

    async def aclose(self) -> None:
        """Close the connections of the running event loop and write what is not written yet, where that is quick.

        Raises:
            StoreFailed: something cannot be written now; it stays queued.
        """
        await self.wires.aclose()
        for kept in (self._store, self._ledger):
            if kept is not None:
                await kept.flushed(WRITING)

    def _onion(self, host: str, timeout: float) -> Provider:
        limits, shared = self.config.spec.limits, self._shared_by(host)
        onion: Provider = Fit(self.wires.wire(host), self.profiles.__getitem__, self._learnt, self.sizes, self.context)
        onion = Timeout(onion, timeout, *shared.silences, self.paces)
        onion = Turns(onion, shared.machine) if shared.machine else Limit(onion, shared.places)
        onion = Budget(onion, self.ledger, self.price, self.context)
        onion = Circuit(onion, self._gates, limits.failures, limits.rest)
        onion = Attempts(
            onion,
            limits.attempts,
            retries=shared.retries,
            paces=self.paces,
            hedges=shared.hedges,
            percentile=limits.hedge_at,
        )
        self._onions[host, timeout] = Continued(onion, self.profiles.__getitem__)
        return self._onions[host, timeout]

    def _shared_by(self, host: str) -> _Shared:
        """What all onions of a host share. Local servers are neither hedged nor hurried: they would only be slower."""
        if host not in self._shared:
            limits, own = self.config.spec.limits, self.config.spec.hosts.get(host)
            at_once = own.at_once if own and own.at_once else limits.at_once
            remote = not self.wires.is_free(host)
            first = limits.first_token if remote or "first_token" in limits.model_fields_set else None
            between = limits.between_tokens if remote or "between_tokens" in limits.model_fields_set else None
            hedged = limits.hedges > 0 and (remote or "hedges" in limits.model_fields_set)
            self._shared[host] = _Shared(
                Places(at_once),
                _machine(host, own),
                Allowance(limits.retries),
                Allowance(limits.hedges, saved=0.0) if hedged else None,
                (first, between),
            )
        return self._shared[host]


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the calls of one host share."""

    places: Places
    machine: Machine | None
    retries: Allowance
    hedges: Allowance | None
    silences: tuple[float | None, float | None]
    """Seconds before the first piece of an answer, and between two of them."""


def _machine(host: str, own: Host | None) -> Machine | None:
    """Where models take turns: on a server that holds one, and the models that ship on the cores of this machine."""
    if own and own.one_model:
        return Machine(own.at_once or Machine.at_once)
    return in_turns() if host == "builtin" else None


@dataclass(frozen=True, slots=True)
class _Routed:
    """Hands each request to the onion of the host that its model names."""

    rig: Rig

    def send(self, request: Request, scope: Scope) -> Coroutine[Any, Any, Reply]:
        rig, host = self.rig, request.call.model.partition(":")[0]
        timeout = rig.timeouts.get(request.call.agent, rig.timeout)
        onion = rig._onions.get((host, timeout)) or rig._onion(host, timeout)
        return onion.send(request, scope)


def open_store(spec: StoreSpec, environ: Mapping[str, str]) -> Sqlite:
    """The store of a configuration: its file is made by the first run."""
    return Sqlite(_runs(spec, environ), prompts=spec.prompts, days=spec.days)


def open_ledger(spec: StoreSpec, environ: Mapping[str, str]) -> SqliteLedger:
    """The ledger of a configuration: a file beside its runs."""
    path = _runs(spec, environ)
    return SqliteLedger(path.with_suffix(".ledger.db") if spec.path else path.with_name("ledger.db"), lines=spec.keep)


def keys_path(spec: StoreSpec, environ: Mapping[str, str]) -> Path:
    """Where the keys of the server's users are kept: a file beside the runs."""
    path = _runs(spec, environ)
    return path.with_suffix(".keys.db") if spec.path else path.with_name("keys.db")


def _runs(spec: StoreSpec, environ: Mapping[str, str]) -> Path:
    return Path(spec.path).expanduser() if spec.path else xdg(environ, "data") / "runs.db"
