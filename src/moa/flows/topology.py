"""How a mixture is put together from its parts: the one place that turns layers, an aggregator and a way to combine into a flow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeAlias

from moa.core.agents import Agent
from moa.core.errors import ConfigError
from moa.core.flow import Combine, Flow
from moa.core.types import Conversation, Reply
from moa.flows.adaptive import SURE, adaptive
from moa.flows.agreement import comparable
from moa.flows.answers import Kind
from moa.flows.best_of import best_of
from moa.flows.check import Verifier
from moa.flows.combine import select, synthesise
from moa.flows.consortium import consortium
from moa.flows.council import council, seated
from moa.flows.debate import debate
from moa.flows.fields import by_field
from moa.flows.fusion import fusion
from moa.flows.guard import anchored
from moa.flows.layered import layered
from moa.flows.leave_one_out import telling
from moa.flows.medoid import medoid
from moa.flows.members import Member
from moa.flows.pool import Pool, pool
from moa.flows.rank import Count, Way, rank
from moa.flows.refine import refine
from moa.flows.sift import sifted, stays, worth_asking
from moa.flows.sparse import sparse
from moa.flows.tree import tree
from moa.flows.vote import by_vote, closing, vote
from moa.flows.weigh import Weights, weighted

MakeFlow: TypeAlias = Callable[[Conversation], Flow[Reply]]
Shape: TypeAlias = Literal["layered", "sparse", "tree", "debate", "refine", "consortium"]
ASK_NOBODY = ("vote", "fields", "medoid", "best", "pool")
"""Ways to combine that make no call: they need no aggregator."""
_DONE = {"select": "picked", "fusion": "written", "rank": "judged"}


@dataclass(frozen=True, slots=True)
class Judging:
    """Who judges (nobody: the aggregator), how ranks are asked for and counted, what verifies, how probabilities are pooled,
    whether the best proposal is an anchor of the answer, whether who stands far outside is sifted out, whether the reply tells on
    whom it hangs, and whom to trust (votes are weighed by it; elsewhere those whose word is worth nothing are left out)."""

    judges: tuple[Agent, ...] = ()
    way: Way = "pairwise"
    count: Count = "copeland"
    verifier: Verifier | None = None
    pool: Pool = Pool()
    anchor: bool = False
    sift: bool = False
    leave_one_out: bool = False
    trust: Weights | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Who reads whom. `keep` is of "sparse", `group` (members of one) of "tree", `confidence` of "consortium"; `residual`
    layers read what older ones said, too. A vote asks `batch` at a time (0: all at once) until it is decided, with a chance of
    `sure`."""

    shape: Shape = "layered"
    keep: int = 2
    group: int = 3
    confidence: float = 0.8
    residual: bool = False
    batch: int = 0
    sure: float = SURE


def combiner(
    how: str, aggregator: Member | None, kind: Kind = "auto", window: int | None = None, judging: Judging | None = None
) -> Combine:
    """The way to combine that a name stands for.

    Raises:
        ConfigError: there is no such way, or it needs an aggregator (or a judge that is an agent) and has none.
    """
    judging = judging or Judging()
    judges = judges_of(judging, aggregator)
    if how == "vote":
        return by_vote(kind) if judging.trust is None else weighted(judging.trust, kind)
    if how == "fields":
        return by_field()
    if how == "medoid":
        return medoid()
    if how == "pool":
        return pool(judging.pool)
    if how == "best":
        if judging.verifier is None:
            raise ConfigError('verify: combine = "best" needs to know what a right answer looks like')
        return best_of(judging.verifier, kind)
    if how == "rank" and judges:
        return rank(judges, judging.way, judging.count, kind)
    if aggregator is None:
        raise ConfigError(f'aggregator: one is needed for combine = "{how}"; {", ".join(ASK_NOBODY)} do without')
    if how == "synthesise":
        return synthesise(aggregator, window, kind)
    if how == "council" and judges:
        return council(judges, aggregator)
    if how in ("select", "fusion", "rank") and not isinstance(aggregator, Agent):
        raise ConfigError(f"aggregator: {how} is {_DONE[how]} by an agent, not a mixture")
    if how in ("select", "fusion") and isinstance(aggregator, Agent):
        return select(aggregator, kind) if how == "select" else fusion(aggregator, judges[0], kind)
    known = '"synthesise", "select", "rank", "council", "fusion" (these by agents), "vote", "fields", "medoid", "best", "pool"'
    raise ConfigError(f"combine: {how!r} is none of {known}")


def judges_of(judging: Judging, aggregator: Member | None) -> tuple[Agent, ...]:
    """Who judges: those named, else the aggregator, where that is an agent."""
    return judging.judges or ((aggregator,) if isinstance(aggregator, Agent) else ())


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
    layout: Layout | None = None,
    judging: Judging | None = None,
) -> MakeFlow:
    """The flow of `layers`, under the rules of Ask; a vote of agents stops asking as soon as it is decided.

    Where they are rounds of the same members ("debate", "refine", "consortium"), there are as many as layers.

    Raises:
        ConfigError: the parts do not fit together; names the place.
    """
    layout, judging = layout or Layout(), judging or Judging()
    if not layers or not all(layers):
        raise ConfigError("layers: a mixture has at least one layer, and a layer at least one agent")
    fewest = min(map(len, layers))
    if layout.shape == "tree":  # the rules hold within each group
        fewest = len(layers[0]) % layout.group or min(layout.group, len(layers[0]))
    of = "group" if layout.shape == "tree" else "layer"
    for name, number in (("need", need), ("least", least)):
        if number is not None and (not isinstance(number, int) or not 1 <= number <= fewest):
            raise ConfigError(f"{name}: {number!r} replies cannot come from a {of} of {fewest}; take 1 to {fewest}")
    if need is not None and need < least and grace == 0:
        raise ConfigError(
            f"need: a layer that closes at {need} of {least} replies has too few; take {least} or more, or a grace"
        )
    if window is not None and (not isinstance(window, int) or window < 2 or how != "synthesise"):
        raise ConfigError(f'window: {window!r} is no number of references from 2 up, read by combine = "synthesise"')
    if how == "council" and not judging.judges:
        peers = worth_asking(layers[0], judging.trust) or layers[0]
        judging = replace(judging, judges=tuple(member for member in peers if isinstance(member, Agent)))
    if how == "council" and (judges := judges_of(judging, aggregator)):
        read = worth_asking(layers[-1], judging.trust) or layers[-1]
        seated(judges, read, distrusted=len(layers[-1]) - len(read))
    plain = layout == Layout() and not judging.anchor and not judging.sift and not judging.leave_one_out
    agents = [member for member in layers[0] if isinstance(member, Agent)]
    if how == "vote" and layers == [agents] and need is None and least == 1 and plain:
        return partial(vote, agents=agents, kind=kind, weights=judging.trust)
    if layout.batch:
        if how != "vote" or layers != [agents] or need is not None or least != 1 or judging != Judging():
            raise ConfigError(
                "batch: only a plain vote of one layer of agents, without verify, guard, sift or weights, is taken a few at a time"
            )
        return partial(adaptive, agents=agents, batch=layout.batch, kind=kind, sure=layout.sure)
    combine = how if callable(how) else combiner(how, aggregator, kind, window, judging)
    if judging.anchor:
        judge = (
            None if judging.verifier and not judges_of(judging, aggregator) else _judge(judging, aggregator, "guard")
        )
        combine = anchored(combine, judge, judging.verifier, kind)
    # who reads all is not to be crowded out, nor is the middle to be where the copies are
    reads = how == "medoid" or not (callable(how) or how in ASK_NOBODY)
    trust = None if how == "vote" else judging.trust  # a vote weighs all
    if judging.sift or trust or reads:  # outermost, so that who is left out is no anchor either
        combine = sifted(combine, outliers=judging.sift, trust=trust)
    if judging.leave_one_out:
        if layout.shape in ("tree", "refine"):
            raise ConfigError(f'leave_one_out: topology = "{layout.shape}" combines more than once; leave it out')
        combine = telling(combine, kind)
    if need is not None and judging.trust is not None:  # who is worth nothing is none of those that are needed
        idle = max(len(layer) - len(worth_asking(layer, judging.trust)) for layer in layers)
        need = min(need + idle, fewest)
    rules: dict[str, Any] = {"need": need, "grace": grace, "least": least}
    alone = layout.shape == "layered" and not layout.residual and all(isinstance(one, Agent) for one in layers[-1])
    all_heard = need is not None or judging.anchor or judging.leave_one_out
    if how == "vote" and alone and not all_heard:
        rules["until"] = closing(kind, judging.trust, least, *([stays] if judging.sift else []))
    return _laid_out(layout, layers, aggregator, combine, kind, judging, rules)


def _laid_out(
    layout: Layout,
    layers: list[list[Member]],
    aggregator: Member | None,
    combine: Combine,
    kind: Kind,
    judging: Judging,
    rules: dict[str, Any],
) -> MakeFlow:
    shape, first, rounds, trust = layout.shape, layers[0], len(layers), judging.trust
    if shape == "layered":
        return partial(layered, layers=layers, combine=combine, residual=layout.residual, trust=trust, **rules)
    if shape == "sparse":
        judge = _judge(judging, aggregator, "topology")
        return partial(sparse, layers=layers, combine=combine, judge=judge, keep=layout.keep, trust=trust, **rules)
    if any(layer != first for layer in layers):
        raise ConfigError(f'layers: topology = "{shape}" asks the same members in every round; write them as proposers')
    if shape == "tree":
        if rounds > 1:
            raise ConfigError('rounds: topology = "tree" has one layer, in groups')
        groups = [first[at : at + layout.group] for at in range(0, len(first), layout.group)]
        # what a group says has no one author any more, so who is not trusted is left out before
        heard = [group for group in groups if worth_asking(group, trust)]
        return partial(tree, groups=heard or groups, combine=combine, **rules)
    if shape == "consortium":
        comparable(first, "proposers")
        return partial(
            consortium,
            members=first,
            combine=combine,
            confidence=layout.confidence,
            rounds=rounds,
            kind=kind,
            trust=trust,
            **rules,
        )
    if shape == "debate":
        agents = [member for member in first if isinstance(member, Agent)]
        if len(agents) < len(first):
            raise ConfigError('proposers: topology = "debate" is among agents; one of them is a mixture')
        return partial(debate, agents=agents, combine=combine, rounds=rounds, kind=kind, trust=trust, **rules)
    author = first[0] if len(first) == 1 else partial(layered, layers=[first], combine=combine, trust=trust, **rules)
    reviser = aggregator if isinstance(aggregator, Agent) else first[0]
    if not isinstance(reviser, Agent):
        raise ConfigError('aggregator: topology = "refine" needs an agent that revises the answer')
    critic = _judge(judging, reviser, "topology")
    guard = partial(
        anchored, judge=critic, verifier=judging.verifier, kind=kind, old="the answer before", new="the revision"
    )
    return partial(
        refine, author=author, reviser=reviser, critic=critic, rounds=rounds, guard=guard if judging.anchor else None
    )


def _judge(judging: Judging, aggregator: Member | None, what: str) -> Agent:
    """The first of the judges; a guard with a verifier needs none, but may have one.

    Raises:
        ConfigError: there is none.
    """
    judges = judges_of(judging, aggregator)
    if not judges:
        raise ConfigError(f"judges: {what} needs an agent that judges, and there is no aggregator that could")
    return judges[0]
