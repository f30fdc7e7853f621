"""A mixture: a named, configured way from a conversation to an answer. To its users it is just a model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moa.core.agents import Agent
from moa.core.answer import Answer
from moa.core.conversation import Question, conversation_of
from moa.core.errors import BudgetExceeded, ConfigError, Overloaded
from moa.core.events import Event
from moa.core.flow import Combine, Flow
from moa.core.plan import CAPS, Plan, bounded, plan
from moa.core.ports import Provider, Sink
from moa.core.types import Conversation, Reply

if TYPE_CHECKING:
    from moa.config.build import Rig
    from moa.engine.watch import Watching


class Mixture:
    """A mixture of agents: `layers` of proposers, each layer reading the one before, and an `aggregator`.

    Members are Agents, models by name ("groq:llama-3.3-70b-versatile"), or mixtures. `combine` is "synthesise" (the
    aggregator writes the answer), "select" (it picks one) or "vote" (no aggregator), or a function of your own. `need`
    replies close a layer early, after `grace` more seconds; with fewer than `least` it fails. `deadline` is in seconds,
    `max_cost` in US dollars per question. `providers` are your own, by host name. With `keep`, runs are kept in the store.

    Methods: Wang et al., arXiv 2406.04692 (layers and aggregate-and-synthesize).

    Raises:
        ConfigError: a member is not of these kinds, or there is neither an aggregator nor a way to do without.
    """

    def __init__(
        self,
        layers: Sequence[Sequence[Agent | str | Mixture]],
        aggregator: Agent | str | Mixture | None = None,
        *,
        name: str = "mixture",
        combine: str | Combine = "synthesise",
        need: int | None = None,
        grace: float = 0.0,
        least: int = 1,
        deadline: float | None = None,
        max_cost: float | None = None,
        providers: Mapping[str, Provider] | None = None,
        sinks: Sequence[Sink] = (),
        keep: bool = False,
    ) -> None:
        from moa.flows.layered import layered

        members = [
            [_member(member, f"layers[{n}][{m}]") for m, member in enumerate(layer)] for n, layer in enumerate(layers)
        ]
        if not members or not all(members):
            raise ConfigError("layers: a mixture has at least one layer, and a layer at least one agent")
        chosen = _combine(combine, aggregator)
        rules = {"need": need, "grace": grace, "least": least}
        self._set(name, lambda conversation: layered(conversation, members, chosen, **rules), deadline, max_cost, keep)
        self._own, self._sinks = dict(providers or {}), tuple(sinks)

    @classmethod
    def from_config(
        cls,
        name: str | None = None,
        *,
        config: str | Path | None = None,
        flags: Mapping[str, Any] | None = None,
        sinks: Sequence[Sink] = (),
    ) -> Mixture:
        """The mixture of that name in the configuration (None: its default).

        Raises:
            ConfigError: the configuration is wrong; names the file, the place and the nearest right name.
        """
        from moa.config.build import Rig, default_name, flow_of
        from moa.config.find import load_here

        loaded = load_here(file=Path(config) if config else None, flags=flags)
        chosen = name or default_name(loaded)
        flow = flow_of(loaded, chosen)
        spec = loaded.spec.mixtures[chosen]
        return cls.of_flow(
            flow, name=chosen, deadline=spec.deadline, max_cost=spec.max_cost, keep=True, sinks=sinks
        )._on(Rig(loaded))

    @classmethod
    def of_flow(
        cls,
        flow: Callable[[Conversation], Flow[Reply]],
        *,
        name: str = "mixture",
        deadline: float | None = None,
        max_cost: float | None = None,
        providers: Mapping[str, Provider] | None = None,
        sinks: Sequence[Sink] = (),
        keep: bool = False,
    ) -> Mixture:
        """A mixture of a flow of your own (docs/flows.md)."""
        mixture = cls.__new__(cls)
        mixture._set(name, flow, deadline, max_cost, keep)
        mixture._own, mixture._sinks = dict(providers or {}), tuple(sinks)
        return mixture

    def _set(
        self,
        name: str,
        flow: Callable[[Conversation], Flow[Reply]],
        deadline: float | None,
        max_cost: float | None,
        keep: bool,
    ) -> None:
        self.name, self.deadline, self.max_cost = name, deadline, max_cost
        self._flow, self._keep = flow, keep
        self._made: Rig | None = None
        self._checked = self._opened = self._entered = False
        self._running = 0

    def _on(self, rig: Rig) -> Mixture:
        self._made = rig
        return self

    def __call__(self, conversation: Conversation) -> Flow[Reply]:
        """The flow this mixture makes of a conversation; so a mixture can stand in a layer of another."""
        return self._flow(conversation)

    @property
    def rig(self) -> Rig:
        """What it runs on: providers, prices, store."""
        if self._made is None:
            from moa.config.build import Rig
            from moa.config.load import load

            self._made = Rig(load(), own=self._own)
        return self._made

    async def ask(
        self,
        question: Question,
        *,
        deadline: float | None = None,
        max_cost: float | None = None,
        sinks: Sequence[Sink] = (),
    ) -> Answer:
        """The answer to a question: a text, a Message, or OpenAI-shaped messages. `deadline` in seconds, `max_cost` in dollars.

        Raises:
            MoaError: there is no answer; ConfigError before any call was made.
        """
        from moa.engine.watch import run

        events: list[Event] = []
        order = self._order(question, deadline, max_cost, "none", (*sinks, events.append))
        async with self._in_use():
            reply = await run(order)
        return Answer(reply.text, tuple(events))

    def ask_sync(self, question: Question, *, deadline: float | None = None, max_cost: float | None = None) -> Answer:
        """`ask` for code without an event loop."""
        import asyncio

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.ask(question, deadline=deadline, max_cost=max_cost))
        raise ConfigError("ask_sync was called inside a running event loop; await mixture.ask(…) there")

    @asynccontextmanager
    async def watch(
        self,
        question: Question,
        *,
        deadline: float | None = None,
        max_cost: float | None = None,
        proposers: bool = False,
    ) -> AsyncIterator[Watching]:
        """The events of a run as they happen; `await events.reply()` gives its answer. Leaving early cancels every call.

        The answer is streamed; with `proposers`, what the others say is streamed too.
        """
        from moa.engine.watch import watch

        order = self._order(question, deadline, max_cost, "all" if proposers else "final", ())
        async with self._in_use(), watch(order) as watching:
            yield watching

    def plan(self, question: Question = "What is 347 + 85?") -> Plan:
        """The steps that would run, how many calls, and what they cost at most. No call is made."""
        return plan(self._flow, conversation_of(question), self.rig.price)

    async def aclose(self) -> None:
        """Close the connections of this event loop and write what is still to be stored."""
        if self._made is not None:
            await self._made.aclose()

    async def __aenter__(self) -> Mixture:
        """Inside `async with` connections are kept between questions."""
        self._entered = True
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._entered = False
        await self.aclose()

    @asynccontextmanager
    async def _in_use(self) -> AsyncIterator[None]:
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            if not self._running and not self._entered:
                await self.aclose()

    def _order(
        self, question: Question, deadline: float | None, max_cost: float | None, deltas: str, sinks: tuple[Sink, ...]
    ) -> Any:
        from moa.engine.watch import Order

        conversation = conversation_of(question)
        deadline = self.deadline if deadline is None else deadline
        if deadline is not None and not deadline > 0:
            raise ConfigError(f"deadline: {deadline!r} is not above 0 seconds")
        if not self._checked:
            self._check(conversation)
        store = self.rig.store if self._keep else None
        if store is not None and not self._opened:
            store.check()
            self._opened = True
        if store is not None and store.full:
            raise Overloaded(
                "the store cannot keep up, so no new run is started; try again, or run with [store] keep = false"
            )
        return Order(
            flow=self._affordable(conversation, self.max_cost if max_cost is None else max_cost),
            conversation=conversation,
            provider=self.rig,
            mixture=self.name,
            deadline=deadline,
            deltas=deltas,
            sinks=(*self._sinks, *((store.add,) if store else ()), *sinks),
            price=self.rig.price,
        )

    def _check(self, conversation: Conversation) -> None:
        """See that every model can be called: a missing key or file is an error before any call."""
        calls = [call for step in plan(self._flow, conversation, lambda model: None).steps for call in step.calls]
        for agent, model in dict.fromkeys((call.agent, call.model) for call in calls):
            config = self.rig.config
            where = config.where(f"agents.{agent}.model") if agent in config.spec.agents else f"agent {agent}"
            self.rig.wires.check(model, where)
        self._checked = True

    def _affordable(self, conversation: Conversation, max_cost: float | None) -> Callable[[Conversation], Flow[Reply]]:
        """The flow, with as few output tokens per call as it takes to stay under `max_cost` in the worst case.

        Raises:
            BudgetExceeded: 1,024 tokens a call are still too many.
            ConfigError: a price is unknown.
        """
        if max_cost is None:
            return self._flow
        for max_tokens in CAPS:
            flow = _Bounded(self._flow, max_tokens)
            planned = plan(flow, conversation, self.rig.price)
            if planned.worst_cost is None:
                raise ConfigError(
                    f"max cost: no price is known for {', '.join(planned.unpriced)}; write it under [prices]"
                )
            if planned.worst_cost * self.rig.config.spec.limits.attempts <= max_cost:
                return flow
        raise BudgetExceeded(
            f"{self.name} may cost ${planned.worst_cost:.4f} for this question even at {CAPS[-1]} tokens a call, more than "
            f"${max_cost:.4f}; allow more, or take a smaller mixture"
        )


@dataclass(frozen=True, slots=True)
class _Bounded:
    """A flow whose calls write at most `max_tokens`."""

    flow: Callable[[Conversation], Flow[Reply]]
    max_tokens: int

    def __call__(self, conversation: Conversation) -> Flow[Reply]:
        return bounded(self.flow(conversation), self.max_tokens)


def _member(member: Agent | str | Mixture, where: str) -> Agent | Mixture:
    if isinstance(member, str):
        return Agent(member)
    if isinstance(member, Agent | Mixture):
        return member
    raise ConfigError(f'{where}: an Agent, a Mixture or "host:model" is needed, not {type(member).__name__}')


def _combine(combine: str | Combine, aggregator: Agent | str | Mixture | None) -> Combine:
    from moa.flows.combine import select, synthesise
    from moa.flows.vote import by_vote

    if callable(combine):
        return combine
    if combine == "vote":
        return by_vote()
    if aggregator is None:
        raise ConfigError('aggregator: one is needed to synthesise or select; combine="vote" does without')
    member = _member(aggregator, "aggregator")
    if combine == "synthesise":
        return synthesise(member)
    if combine == "select" and isinstance(member, Agent):
        return select(member)
    raise ConfigError(f'combine: {combine!r} is none of "synthesise", "select" (by an Agent) and "vote"')
