"""What is meant by the name of a mixture, and the flow that its spec makes."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from moa.config.load import Config, nearest
from moa.config.schema import problem_of
from moa.config.spec import Agent as AgentSpec
from moa.config.spec import Gate as GateSpec
from moa.config.spec import Mixture as MixtureSpec
from moa.config.spec import Route, Verify
from moa.core.agents import Agent
from moa.core.errors import ConfigError
from moa.flows.alone import alone
from moa.flows.best_of import Verifier, matching, obeying, within
from moa.flows.escalate import escalate
from moa.flows.gate import Gate, gated
from moa.flows.members import Member
from moa.flows.pool import Pool
from moa.flows.route import Rule, routed
from moa.flows.topology import Judging, Layout, MakeFlow, topology
from moa.flows.weigh import Weights, weighted

T = TypeVar("T")
MOST_NESTED = 4
"""How deep mixtures may stand inside mixtures."""


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


def flow_of(config: Config, name: str, above: tuple[str, ...] = (), spec: MixtureSpec | None = None) -> MakeFlow:
    """What turns a conversation into the flow of a mixture, or of the same mixture with another `spec`.

    Raises:
        ConfigError: no such mixture, or a name inside it stands for nothing, or mixtures nest too deep or in a circle.
    """
    spec = spec or config.spec.mixtures.get(name)
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
    where = config.where(f"mixtures.{name}")
    try:
        weights = learnt("weights", spec.weights, Weights) if spec.weights else None
        made = topology(
            layers,
            aggregator,
            weighted(weights, spec.answers) if weights and spec.combine == "vote" else spec.combine,
            spec.answers,
            need=spec.need,
            grace=None if spec.grace == "learnt" else spec.grace,
            least=spec.least,
            window=spec.window,
            layout=Layout(spec.topology, spec.keep, spec.group, spec.confidence, spec.residual),
            judging=replace(_judging(spec, member), trust=None if spec.combine == "vote" else weights),
        )
        made = _with_first(spec, member, made)
    except ConfigError as error:
        raise ConfigError(f"{where}.{error}") from None
    if spec.routes:
        rules = [_rule(route, member(route.to, f"routes[{n}].to")) for n, route in enumerate(spec.routes)]
        made = routed(rules, made)
    return gated(made, _gate(spec.gate, where)) if spec.gate else made


def _gate(spec: GateSpec, where: str) -> Gate:
    names = [one.removeprefix("env:") for one in spec.secrets]
    if missing := [name for name in names if not os.environ.get(name)]:
        raise ConfigError(f"{where}.gate.secrets: {missing[0]} is not set in the environment")
    return Gate(tuple(os.environ[name] for name in names), spec.hosts)


def _with_first(spec: MixtureSpec, member: Callable[[str, str], Member], made: MakeFlow) -> MakeFlow:
    if not spec.first:
        return made
    first = [member(text, f"first[{n}]") for n, text in enumerate(spec.first)]
    verifier = verifier_of(spec.verify) if spec.verify else None
    return partial(escalate, first=first, full=made, agree=spec.agree, kind=spec.answers, verifier=verifier)


def _rule(route: Route, to: Member) -> Rule:
    made = partial(alone, member=to) if isinstance(to, Agent) else to
    return Rule(made, **route.model_dump(exclude={"to"}))


def _judging(spec: MixtureSpec, member: Callable[[str, str], Member]) -> Judging:
    judges = [member(text, f"judges[{n}]") for n, text in enumerate(spec.judges)]
    agents = tuple(judge for judge in judges if isinstance(judge, Agent))
    if len(agents) < len(judges):
        raise ConfigError("judges: a judge is an agent, not a mixture")
    verifier = verifier_of(spec.verify) if spec.verify else None
    pool = learnt("pool", spec.pool, Pool) if spec.pool else Pool()
    return Judging(agents, spec.ranking, spec.ballots, verifier, pool, spec.guard == "anchor", spec.sift)


def learnt(name: str, path: str, kind: type[T]) -> T:
    """What was learnt, from a file: the JSON of Weights, or of a Pool.

    Raises:
        ConfigError: it cannot be read, or is none.
    """
    try:
        return msgspec.json.decode(Path(path).expanduser().read_bytes(), type=kind)
    except OSError as error:
        raise ConfigError(f"{name}: {path}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise ConfigError(f"{name}: {path}: {error}") from None


def verifier_of(spec: Verify) -> Verifier:
    """What a configuration says of a right answer, as code.

    Raises:
        ConfigError: it cannot be used; names the place.
    """
    if spec.pattern is not None:
        try:
            return matching(spec.pattern)
        except re.error as error:
            raise ConfigError(f"verify.pattern: no regular expression ({error})") from None
    if spec.number is not None:
        return within(*spec.number)
    if spec.schema_ is not None:
        try:
            return obeying(problem_of(spec.schema_))
        except (ConfigError, msgspec.DecodeError) as error:
            raise ConfigError(f"verify.schema: {error}") from None
    module, _, name = (spec.function or "").partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f'verify.function: {spec.function!r} is no "package.module:function" ({error})') from None
    if not callable(found):
        raise ConfigError(f"verify.function: {spec.function!r} cannot be called")
    verifier: Verifier = found
    return verifier


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
        return agent_of(text, spec.agents.get(text))
    if text in spec.mixtures:
        return flow_of(config, text, above)
    raise ConfigError(f'{config.where(path)}: no agent "{text}"{nearest(text, [*spec.agents, *spec.mixtures])}')


def agent_of(name: str, spec: AgentSpec | None) -> Agent:
    """The agent of that name; without a spec, the model of that name."""
    if spec is None:
        return Agent(name)
    settings = spec.model_dump(exclude={"timeout"})
    return Agent(name=name, **settings)


def _no_mixture(name: str, config: Config) -> str:
    return f'no mixture "{name}"{nearest(name, config.spec.mixtures)}; there are {", ".join(config.spec.mixtures)}'
