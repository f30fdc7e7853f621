"""A host's name -> a Provider: whatever answers over HTTP here, everything else by `registry.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from moa.config.load import nearest
from moa.config.registry import find, names
from moa.config.spec import Spec
from moa.core.agents import FUNCTIONS
from moa.core.errors import ConfigError
from moa.core.ports import Provider
from moa.providers.hosts import HOSTS, Host, custom, key_of, located

if TYPE_CHECKING:
    from moa.providers._http import Transport

FREE_HOSTS = ("builtin", "local", "fake", "function")


@runtime_checkable
class Checked(Protocol):
    """A provider that can tell, without a call, whether it has a model."""

    def check(self, model: str) -> None:
        """Raise ConfigError where it has not."""
        ...


class Wires:
    """The providers of one configuration, each made at its first use. `own` are providers registered in code."""

    def __init__(self, spec: Spec, environ: Mapping[str, str], own: Mapping[str, Provider] | None = None) -> None:
        self._spec = spec
        self._environ = environ
        self._made: dict[str, Provider] = dict(own or {})
        self._free: dict[str, bool] = {}
        self._transport: Transport | None = None

    def wire(self, name: str) -> Provider:
        """The provider of a host, without any wrap.

        Raises:
            ConfigError: there is no such host, or its key is missing.
        """
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def check(self, model: str, where: str) -> None:
        """See that a model ("host:model") can be called, without calling it.

        Raises:
            ConfigError: no such host, no key, no such file; begins with `where`.
        """
        name, _, rest = model.partition(":")
        try:
            if not rest:
                raise ConfigError(f'{model!r} is no model; write "host:model"')
            wire = self.wire(name)
            if isinstance(wire, Checked):
                wire.check(rest)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None

    def load(self, models: Iterable[str]) -> None:
        """Import what calls of these models ("host:model") will need, the slowest of all imports; from any thread."""
        if any(model.partition(":")[0] in (*self._spec.hosts, *HOSTS) for model in models):
            import moa.providers.remote  # noqa: F401

    def is_free(self, name: str) -> bool:
        """Whether a host costs nothing: it runs on this machine."""
        if name not in self._free:
            self._free[name] = name in FREE_HOSTS or self._is_local(name)
        return self._free[name]

    def _is_local(self, name: str) -> bool:
        try:
            return self.host(name).local
        except ConfigError:
            return False

    def host(self, name: str) -> Host:
        """The address and quirks of a host.

        Raises:
            ConfigError: there is no such host.
        """
        own = self._spec.hosts.get(name)
        if own is not None and own.base_url is None and name not in HOSTS:
            raise ConfigError(f"hosts.{name}: a base_url is needed, as moa knows no host of this name")
        key = own.key.removeprefix("env:") if own is not None and own.key else None
        if own is not None and own.base_url is not None:
            wire = own.wire or (HOSTS[name].wire if name in HOSTS else "chat")
            return custom(name, own.base_url, key, wire, like=HOSTS.get(name))
        if name in HOSTS:
            host = located(HOSTS[name], self._environ)
            wire = own.wire if own is not None and own.wire else host.wire
            return replace(host, wire=wire, key_env=(key,) if key else host.key_env)
        known = [*self._spec.hosts, *HOSTS, *names(), *self._made]
        raise ConfigError(f'no host "{name}"{nearest(name, known)}; hosts are {", ".join(dict.fromkeys(known))}')

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        if self._transport is not None:
            await self._transport.aclose()

    def _make(self, name: str) -> Provider:
        known = name in self._spec.hosts or name in HOSTS  # functions are sent to no host, whatever its name
        if (not known or name == FUNCTIONS) and (factory := find(name)):
            made: Provider = factory()
            return made
        host = self.host(name)
        key = key_of(host, self._environ)
        own = self._spec.hosts.get(name)
        if key is None and host.key_env and not (host.local and (own is None or own.base_url is None)):
            raise ConfigError(f"{name} needs a key: set {' or '.join(host.key_env)} in the environment")
        return self._remote(host, key)

    def _remote(self, host: Host, key: str | None) -> Provider:
        from moa.providers._http import Aiohttp
        from moa.providers.remote import Remote

        if self._transport is None:
            self._transport = Aiohttp()
        return Remote(host, self._transport, key)
