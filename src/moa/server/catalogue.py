"""The models this server has: its mixtures, as `moa/<name>`, and the configured agents, under their own names."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from moa.config.build import Rig
from moa.config.choosing import Told
from moa.config.flows import agent_of, default_name, flow_of
from moa.config.spec import Mixture as Spec
from moa.core.errors import ConfigError
from moa.core.ports import Sink
from moa.flows.alone import alone
from moa.flows.topology import MakeFlow
from moa.mixture import Mixture
from moa.server.asked import Asked, Options
from moa.server.live import Live
from moa.server.refusals import Rejection, unavailable

PREFIX = "moa/"
DEFAULT = ("moa", "moa/default")
MOST_KEPT, MOST_LAYERS, MOST_CALLS = 256, 10, 64


class Catalogue:
    """What can be asked of one configuration. Mixtures are made once and share one rig; `sinks` are told of all their runs."""

    def __init__(self, rig: Rig, sinks: tuple[Sink, ...] = ()) -> None:
        self.rig = rig
        self.live = Live()
        self._sinks = (self.live.add, *sinks)
        self._made: OrderedDict[object, Mixture] = OrderedDict()
        spec = rig.config.spec
        self._all = (*(f"{PREFIX}{name}" for name in spec.mixtures), *spec.agents)

    @property
    def ids(self) -> tuple[str, ...]:
        """The models that can be called now: those with a key that is there, or none."""
        return tuple(model for model in self._all if self._callable(model))

    def load(self) -> None:
        """Import what the first answer will need; from any thread."""
        self.rig.wires.load(agent.model for agent in self.rig.config.spec.agents.values())

    def _callable(self, model: str) -> bool:
        try:
            self.mixture(model).check()
        except ConfigError:
            return False
        return True

    def known(self, model: str) -> bool:
        """Whether there is such a model, callable or not."""
        return model in DEFAULT or model in self._all

    def is_mixture(self, model: str) -> bool:
        """Whether a model's id is that of a mixture."""
        return model in DEFAULT or model.startswith(PREFIX)

    def name(self, model: str) -> str:
        """A model's name without prefix; of the default one its own."""
        if model in DEFAULT and model not in self._all:
            return default_name(self.rig.config)
        return model.removeprefix(PREFIX)

    def asked(self, asked: Asked) -> Mixture:
        """The mixture a request is for, changed as its options say.

        Raises:
            Rejection: there is none, or it cannot be changed so.
        """
        return self.mixture(asked.model, asked.options)

    def background(self, asked: Asked) -> Mixture:
        """Who answers what a front end asks by itself: the agent configured for it, else the mixture's aggregator alone; behind
        the mixture's gate, and within its limits."""
        if not (self.known(asked.model) and self.is_mixture(asked.model)):
            return self.asked(asked)
        config, name = self.rig.config, self.name(asked.model)
        own = config.spec.mixtures[name]
        agent = config.spec.server.background or own.aggregator
        if agent is None:
            return self.asked(asked)

        def make() -> Mixture:
            alone = own.model_copy(update={"aggregator": agent, "router": None})
            flow = flow_of(config, name, spec=alone, told=Told("solo"))
            return self._on(name, flow, own.deadline, own.max_cost)

        return self._kept((asked.model, "background"), make)

    def mixture(self, model: str, options: Options | None = None) -> Mixture:
        """The mixture behind a model's id; see `asked`."""
        options = options or Options()
        if not self.known(model):
            raise unknown(model)
        told = options.told.within(self.rig.config.spec)
        return self._kept((model, options.shape, told), partial(self._make, model, options, told))

    def _kept(self, key: object, make: Callable[[], Mixture]) -> Mixture:
        """The mixture of that key, made where it is not yet there; the ones that were used last are kept."""
        if key not in self._made:
            self._made[key] = make()
            while len(self._made) > MOST_KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return self._made[key]

    def _make(self, model: str, options: Options, told: Told) -> Mixture:
        config, name = self.rig.config, self.name(model)
        if not self.is_mixture(model):
            if options.reshapes or told.mode is not None:
                raise _wrong("moa", f"'{_short(model)}' is a single model: it has no proposers, aggregator or layers.")
            return self._on(name, self._alone(name), None, None)
        spec = config.spec.mixtures[name]
        if told.mode == "solo" and (options.proposers or options.layers):
            raise _wrong(
                "moa.mode", "moa.mode: 'solo' asks the aggregator alone: it has no use for proposers or layers."
            )
        changed = self._changed(spec, options)
        try:
            flow = flow_of(config, name, spec=changed, told=told)
        except ConfigError as error:
            here = f"{config.where(f'mixtures.{name}')}."
            if (changed is spec and told.mode is None) or not str(error).startswith(here):
                raise
            words = _without_files(str(error).removeprefix(here), spec)
            raise _wrong("moa.mode" if changed is spec else "moa", words) from None
        return self._on(name, flow, spec.deadline, spec.max_cost)

    def _on(self, name: str, flow: MakeFlow, deadline: float | None, max_cost: float | None) -> Mixture:
        return Mixture.of_flow(flow, name=name, deadline=deadline, max_cost=max_cost, keep=True, sinks=self._sinks).on(
            self.rig
        )

    def _check(self, place: str, name: str) -> None:
        """See that an agent that a request names can be called."""
        try:
            self.mixture(name).check()
        except ConfigError as error:
            raise unavailable(_short(name), place, "agent") from error

    def _alone(self, name: str) -> MakeFlow:
        """One agent by itself."""
        return partial(alone, member=agent_of(name, self.rig.config.spec.agents[name]))

    def _changed(self, spec: Spec, options: Options) -> Spec:
        """The same mixture with other members, all of them configured agents."""
        named = [(f"moa.proposers[{n}]", name) for n, name in enumerate(options.proposers)]
        for place, name in (*named, ("moa.aggregator", options.aggregator)):
            if name and name not in self.rig.config.spec.agents:
                raise _wrong(place, f"{place}: no agent '{_short(name)}' is configured.")
            if name:
                self._check(place, name)
        if spec.router and options.reshapes:
            raise _wrong(
                "moa", "moa: the router of this mixture chooses who answers; it has no proposers, aggregator or layers."
            )
        changed: dict[str, object] = {}
        if options.proposers:
            changed |= {"layers": (), "agent": None, "proposers": options.proposers, "need": None, "least": 1}
        if options.layers:
            if not 0 < options.layers <= MOST_LAYERS:
                raise _wrong("moa.layers", f"moa.layers: 1 to {MOST_LAYERS} layers.")
            if not options.proposers and not spec.proposers:
                has = "layers of different agents" if spec.layers else "samples of one agent"
                raise _wrong("moa.layers", f"moa.layers: this mixture has {has}; name the proposers, too.")
            changed["rounds"] = options.layers
        wide = len(options.proposers or spec.proposers) * (options.layers or spec.rounds)
        if changed and wide > MOST_CALLS:
            raise _wrong("moa.layers", f"moa.layers: {wide} calls are more than {MOST_CALLS}.")
        if options.aggregator:
            if spec.aggregator is None:
                raise _wrong(
                    "moa.aggregator", f'moa.aggregator: with combine = "{spec.combine}" no aggregator has a say here.'
                )
            changed["aggregator"] = options.aggregator
        return spec.model_copy(update=changed) if changed else spec


def unknown(model: str) -> Rejection:
    """The answer to a request for a model that there is not, or not for the key that asks."""
    words = f"The model '{_short(model)}' does not exist or you do not have access to it."
    return Rejection(words, 404, code="model_not_found", param="model")


def _wrong(param: str, message: str) -> Rejection:
    return Rejection(message, param=param, code="invalid_value")


def _without_files(words: str, spec: Spec) -> str:
    """What is wrong with a mixture, without the names of its files."""
    for path in filter(None, (spec.weights, spec.pool, spec.router)):
        words = words.replace(f"{path}: ", "").replace(path, "its file")
    return words


def _short(text: str) -> str:
    """A name as it may stand in an error: one line, not too long."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:80])
