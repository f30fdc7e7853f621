"""Who works on a question of a mixture, as its spec says: its mode, its routes, its classifier, its learnt router."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from moa.config.learnt import learnt
from moa.config.routes import Route
from moa.config.spec import Mixture, Spec
from moa.core.agents import Agent
from moa.core.errors import ConfigError
from moa.flows.alone import alone
from moa.flows.classify import Classifier, classified
from moa.flows.members import Member
from moa.flows.modes import Mode
from moa.flows.route import Rule, routed
from moa.flows.router import Router, by_router
from moa.flows.topology import MakeFlow

Find = Callable[[str, str], Member]
"""The member of a name, which stands at a place of the mixture."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the caller says of a question: how much of the mixture is to work (None: as configured), its tag, and whether the answer
    is to tell on whom it hangs, also where that is not configured."""

    mode: Mode | None = None
    tag: str = ""
    leave_one_out: bool = False

    def within(self, spec: Spec) -> Told:
        """The same, without a tag that no route looks at: there are only so many that make a difference."""
        if not self.tag or any(self.tag == route.tag for mixture in spec.mixtures.values() for route in mixture.routes):
            return self
        return replace(self, tag="")


UNTOLD = Told()


def mode_in(spec: Mixture, told: Told) -> Mode:
    """How much of a mixture works."""
    return told.mode or spec.mode or ("auto" if spec.first else "full")


def members_in(spec: Mixture) -> list[str]:
    """The names of all whom a mixture may ask for an answer: agents and mixtures.

    Raises:
        ConfigError: its router cannot be read.
    """
    routed_to = learnt("router", spec.router, Router).agents if spec.router else ()
    layers = (name for layer in spec.layers for name in layer)
    single = (name for name in (spec.agent, spec.aggregator) if name is not None)
    return [*spec.proposers, *layers, *single, *spec.first, *(route.to for route in spec.routes), *routed_to]


def telling_in(spec: Mixture, told: Told, mode: Mode) -> Mixture:
    """The same, to tell on whom its answer hangs where the caller wants that.

    Raises:
        ConfigError: nothing is combined.
    """
    if told.leave_one_out and (mode == "solo" or spec.router):
        raise ConfigError("leave_one_out: one agent answers, so there is nobody to leave out")
    return spec.model_copy(update={"leave_one_out": True}) if told.leave_one_out else spec


def chosen(spec: Mixture, member: Find, tag: str, whole: Callable[[str], MakeFlow]) -> MakeFlow:
    """What answers a question of that tag: where the first route leads whose conditions hold, else the `whole` for its category.

    Raises:
        ConfigError: a name stands for nothing; names the place.
    """
    rules = [_rule(route, member(route.to, f"routes[{n}].to")) for n, route in enumerate(spec.routes)]
    if spec.classifier is None:
        return routed(rules, whole(""), tag)
    agent = member(spec.classifier.agent, "classifier.agent")
    if not isinstance(agent, Agent):
        raise ConfigError("classifier.agent: a classifier is an agent, not a mixture")
    before = next((n for n, rule in enumerate(rules) if rule.category is not None), len(rules))
    flows = {
        category: routed(rules[before:], whole(category), tag, category)
        for category in ("", *spec.classifier.categories)
    }
    sorting = partial(classified, classifier=Classifier(agent, spec.classifier.categories), flows=flows)
    return routed(rules[:before], sorting, tag)


def by_learnt_router(spec: Mixture, member: Find, mode: Mode) -> MakeFlow:
    """The agent or mixture that the router of a mixture chooses; its best single one in mode "solo".

    Raises:
        ConfigError: the file is no router, or a name in it stands for nothing; names the place.
    """
    router = learnt("router", spec.router or "", Router)
    members = {name: by_itself(member(name, f"router ({spec.router})")) for name in router.agents}
    if mode == "solo":
        return members[router.best]
    if mode == "auto":
        raise ConfigError('mode: a router asks one already; "auto" is of mixtures with several')
    if (router.reads == "words") == (spec.embedder is not None):
        reads = "only words, so leave it out" if router.reads == "words" else "embeddings: name the model they are of"
        raise ConfigError(f"embedder: {spec.router} reads {reads}")
    embedder = Agent(spec.embedder, name="embedder", max_tokens=1) if spec.embedder else None
    return partial(by_router, router=router, members=members, embedder=embedder)


def by_itself(member: Member) -> MakeFlow:
    """A member as a flow: an agent alone, a mixture as it is."""
    return partial(alone, member=member) if isinstance(member, Agent) else member


def _rule(route: Route, to: Member) -> Rule:
    return Rule(by_itself(to), **route.model_dump(exclude={"to"}), name=route.to)
