"""What is meant by the name of a mixture, and the flow that its spec makes."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import partial

import msgspec

from moa.config.checks import Gate as GateSpec
from moa.config.choosing import UNTOLD, Find, Told, by_learnt_router, chosen, members_in, mode_in, telling_in
from moa.config.learnt import pool_of, weights_of
from moa.config.load import Config, nearest
from moa.config.schema import problem_of
from moa.config.spec import Agent as AgentSpec
from moa.config.spec import Mixture as MixtureSpec
from moa.config.verify import verifier_of
from moa.core.agents import FUNCTIONS, Agent
from moa.core.errors import ConfigError
from moa.flows.agreement import comparable
from moa.flows.alone import alone
from moa.flows.answers import Kind
from moa.flows.escalate import escalate
from moa.flows.gate import Gate, gated
from moa.flows.members import Member
from moa.flows.modes import Mode, first_of
from moa.flows.pool import Pool
from moa.flows.sift import worth_asking
from moa.flows.topology import ASK_NOBODY, Judging, Layout, MakeFlow, combiner, topology

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


def kind_of(config: Config, name: str) -> Kind:
    """Of what kind the answers of a mixture are; "auto" where there is none of that name."""
    spec = config.spec.mixtures.get(name)
    return "auto" if spec is None else _kind_in(spec)


def _kind_in(spec: MixtureSpec) -> Kind:
    return "json" if spec.combine == "fields" else spec.answers


def behind_gate(config: Config, name: str) -> bool:
    """Whether the mixture of that name has a gate, or one that it may call in has; not, where there is none of that name."""
    found, names = set[str](), [name]
    while names:
        one = names.pop()
        spec = None if one in found else config.spec.mixtures.get(one)
        found.add(one)
        if spec is not None and spec.gate is not None:
            return True
        names += [] if spec is None else members_in(spec)
    return False


def flow_of(
    config: Config, name: str, above: tuple[str, ...] = (), spec: MixtureSpec | None = None, told: Told = UNTOLD
) -> MakeFlow:
    """What turns a conversation into the flow of a mixture, or of the same mixture with another `spec`, as the caller has `told`.

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
    as_paper = spec.prompt is not None

    def member(text: str, place: str) -> Member:
        if text not in known:
            try:
                found = _member(config, text, f"mixtures.{name}.{place}", (*above, name), told.tag)
                known[text] = replace(found, framing="paper") if as_paper and isinstance(found, Agent) else found
            except ConfigError as error:
                raise _Placed(str(error)) from None
        return known[text]

    where, mode = config.where(f"mixtures.{name}"), mode_in(spec, told)
    try:
        spec = telling_in(spec, told, mode)
        if mode == "solo" and not spec.router:
            made = _solo(spec, member)
        else:
            made = chosen(spec, member, told.tag, partial(_whole, spec, member, mode))
    except _Placed as error:
        raise ConfigError(str(error)) from None
    except ConfigError as error:
        raise ConfigError(f"{where}.{error}") from None
    return gated(made, _gate(spec.gate, where)) if spec.gate else made


class _Placed(ConfigError):
    """One that names its place already."""


def _solo(spec: MixtureSpec, member: Find) -> MakeFlow:
    if spec.aggregator is None:
        raise ConfigError("mode: 'solo' asks the aggregator alone, and this mixture has none")
    return partial(alone, member=member(spec.aggregator, "aggregator"))


def _whole(spec: MixtureSpec, member: Find, mode: Mode, category: str) -> MakeFlow:
    """What a mixture is made of, for questions of a category (empty: unknown)."""
    try:
        return _within(spec, member, mode, category)
    except ConfigError as error:
        if not category or isinstance(error, _Placed):
            raise
        raise ConfigError(f"{error} (on questions of category {category!r})") from None


def _within(spec: MixtureSpec, member: Find, mode: Mode, category: str) -> MakeFlow:
    if spec.router:
        return by_learnt_router(spec, member, mode)
    layers = _layers(spec, member)
    everyone = [one for layer in layers for one in layer]
    weights = None if spec.weights is None else weights_of(spec.weights, everyone)
    pool = Pool() if spec.pool is None else pool_of(spec.pool, everyone)
    trust = None if weights is None else weights.within(category)
    judging = replace(_judging(spec, member), trust=trust, pool=pool)
    made = topology(
        layers,
        member(spec.aggregator, "aggregator") if spec.aggregator else None,
        spec.combine,
        spec.answers,
        need=spec.need,
        grace=None if spec.grace == "learnt" else spec.grace,
        least=spec.least,
        window=spec.window,
        layout=Layout(spec.topology, spec.keep, spec.group, spec.confidence, spec.residual, spec.batch or 0, spec.sure),
        judging=judging,
    )
    return _with_first(spec, member, layers[0], judging, made) if mode == "auto" else made


def _gate(spec: GateSpec, where: str) -> Gate:
    names = [one.removeprefix("env:") for one in spec.secrets]
    if missing := [name for name in names if not os.environ.get(name)]:
        raise ConfigError(f"{where}.gate.secrets: {missing[0]} is not set in the environment")
    for host in spec.hosts:
        if not re.fullmatch(r"[\w-]+(?:\.[\w-]+)*|[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:.]*", host, re.IGNORECASE):
            raise ConfigError(f"{where}.gate.hosts: {host!r} is no host{_host_in(host)}")
    try:
        return Gate(tuple(os.environ[name] for name in names), spec.hosts)
    except ConfigError as error:
        raise ConfigError(f"{where}.gate.{error}") from None


def _host_in(text: str) -> str:
    if text.startswith("*."):
        return f': each is named by itself, say "{text[2:]}", "www.{text[2:]}"'
    found = re.search(r"(?:^|//)([\w-]+(?:\.[\w-]+)+)", text)
    return f': write "{found[1].lower()}"' if found else ': write one as "python.org"'


def _with_first(spec: MixtureSpec, member: Find, layer: list[Member], judging: Judging, made: MakeFlow) -> MakeFlow:
    """The first of a mixture before it; who is worth nothing is none of them, and without two that could agree there are none."""
    named = [member(text, f"first[{n}]") for n, text in enumerate(spec.first)]
    asked, verifier = worth_asking(named or layer, judging.trust), judging.verifier
    if verifier is None and len(asked) < min(len(named or layer), 2):
        return made
    first = asked if named else first_of(asked, checked=verifier is not None)
    comparable(first, "first", all_of_them=True)
    kind = _kind_in(spec)
    combine = combiner(spec.combine, None, kind, judging=judging) if spec.combine in ASK_NOBODY else None
    return partial(escalate, first=first, full=made, agree=spec.agree, kind=kind, verifier=verifier, combine=combine)


def _judging(spec: MixtureSpec, member: Find) -> Judging:
    judges = [member(text, f"judges[{n}]") for n, text in enumerate(spec.judges)]
    agents = tuple(judge for judge in judges if isinstance(judge, Agent))
    if len(agents) < len(judges):
        raise ConfigError("judges: a judge is an agent, not a mixture")
    verifier = verifier_of(spec.verify) if spec.verify else None
    return Judging(
        agents,
        spec.ranking,
        spec.ballots,
        verifier,
        anchor=spec.guard == "anchor",
        sift=spec.sift,
        leave_one_out=spec.leave_one_out,
    )


def _layers(spec: MixtureSpec, member: Find) -> list[list[Member]]:
    """The members of each layer; `proposers` with `rounds`, and `agent` with `samples`, write them shortly."""
    if spec.layers:
        return [
            [member(text, f"layers[{n}][{m}]") for m, text in enumerate(layer)] for n, layer in enumerate(spec.layers)
        ]
    if spec.agent:
        return [[member(spec.agent, "agent")] * spec.samples]
    return [[member(text, f"proposers[{m}]") for m, text in enumerate(spec.proposers)]] * spec.rounds


def _member(config: Config, text: str, path: str, above: tuple[str, ...], tag: str) -> Member:
    spec = config.spec
    if text in spec.agents or ":" in text:
        try:
            return agent_of(text, spec.agents.get(text))
        except ConfigError as error:
            raise ConfigError(
                f"{config.where(f'agents.{text}') if text in spec.agents else config.where(path)}: {error}"
            ) from None
    if text in spec.mixtures:
        return flow_of(config, text, above, told=Told(tag=tag))
    raise ConfigError(f'{config.where(path)}: no agent "{text}"{nearest(text, [*spec.agents, *spec.mixtures])}')


def agent_of(name: str, spec: AgentSpec | None) -> Agent:
    """The agent of that name; without a spec, the model of that name.

    Raises:
        ConfigError: its view or its schema cannot be one, or it would be a function.
    """
    models = (name,) if spec is None else (spec.model, *spec.fallback)
    if any(model.partition(":")[0] == FUNCTIONS for model in models):
        raise ConfigError("an agent that is a function is made in Python: Agent(function) (docs/parts.md)")
    if spec is None:
        return Agent(name)
    agent = Agent(name=name, **spec.model_dump(exclude={"timeout"}, by_alias=True))
    if agent.schema:
        try:
            problem_of(str(agent.schema))
        except (ConfigError, msgspec.DecodeError) as error:
            raise ConfigError(f"schema: {error}") from None
    return agent


def _no_mixture(name: str, config: Config) -> str:
    return f'no mixture "{name}"{nearest(name, config.spec.mixtures)}; there are {", ".join(config.spec.mixtures)}'
