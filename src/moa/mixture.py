"""A mixture: a named, configured way from a conversation to an answer. To its users it is just a model."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from moa.core.agents import Agent
from moa.core.answer import Answer
from moa.core.conversation import Question, conversation_of
from moa.core.errors import ConfigError, MoaError
from moa.core.events import Event
from moa.core.flow import Combine, Flow
from moa.core.money import Account
from moa.core.plan import Plan, plan
from moa.core.ports import Provider, Sink
from moa.core.types import Conversation, Form, Function, Reply, Sampling

if TYPE_CHECKING:
    from moa.config.build import Rig
    from moa.config.choosing import Told
    from moa.config.intake import Intake
    from moa.engine.watch import Order, Watching
    from moa.flows.answers import Kind
    from moa.flows.members import Member
    from moa.flows.modes import Mode
    from moa.flows.topology import MakeFlow


class Wanted(TypedDict, total=False):
    """What may be said with a question.

    `deadline` is in seconds, `max_cost` in US dollars. `payer` is who pays: `Account("team a", 5.0)` never spends more than
    5 dollars a day, whatever asks. `tenant` is in whose name it is asked, where that is not the payer's: whose cache it uses, and
    whose the run is.
    `form` (tools, a schema …) and `sampling` are those of the call whose text is the answer: the aggregator's.
    `mode` is how much of a configured mixture works ("full", "solo": its aggregator alone, "auto": a cheap start, and the rest
    only where that disagrees); `tag` is what its routes know the question by.
    """

    deadline: float | None
    max_cost: float | None
    payer: Account | None
    tenant: str
    form: Form
    sampling: Sampling | None
    mode: Mode | None
    tag: str


class Mixture:
    """A mixture of agents: `layers` of proposers, each layer reading the one before, and an `aggregator`.

    Members are Agents, models by name ("groq:llama-3.3-70b-versatile"), async functions (docs/parts.md), or mixtures. `combine`
    is "synthesise" (the aggregator writes the answer), "select" (it picks one) or "vote" (no aggregator; `answers` says of what
    kind they are: "auto", "number", "choice", "json", "literal" or "text"), or a function of your own. `need` replies close a layer
    early, after `grace` more seconds (None: as long as nearly all calls of those still out take); with fewer than `least` it fails.
    The aggregator reads all references at once, or `window` at a time.
    `deadline` is in seconds, `max_cost` in US dollars per question; of a mixture inside another, those of the outermost
    hold. `providers` are your own, by host name. With `keep`, runs are kept in the store.

    Methods: Wang et al., arXiv 2406.04692 (layers and aggregate-and-synthesize).

    Raises:
        ConfigError: a member is not of these kinds, or there is neither an aggregator nor a way to do without.
    """

    def __init__(
        self,
        layers: Sequence[Sequence[Agent | str | Mixture | Function]],
        aggregator: Agent | str | Mixture | Function | None = None,
        *,
        name: str = "mixture",
        combine: str | Combine = "synthesise",
        answers: Kind = "auto",
        need: int | None = None,
        grace: float | None = 0.0,
        least: int = 1,
        window: int | None = None,
        deadline: float | None = None,
        max_cost: float | None = None,
        providers: Mapping[str, Provider] | None = None,
        sinks: Sequence[Sink] = (),
        keep: bool = False,
    ) -> None:
        from moa.flows.topology import topology

        members = _members(layers)
        chosen = None if aggregator is None else _member(aggregator, "aggregator")
        flow = topology(members, chosen, combine, answers, need=need, grace=grace, least=least, window=window)
        everyone = (*(member for layer in members for member in layer), *([chosen] if chosen else []))
        _see_names(everyone)
        inner = [one for one in everyone if isinstance(one, Mixture)]
        own = {host: provider for one in inner for host, provider in one._own.items()} | dict(providers or {})
        self._set(name, flow, deadline, max_cost, keep, own, sinks, answers)

    @classmethod
    def from_config(
        cls,
        name: str | None = None,
        *,
        config: str | Path | None = None,
        flags: Mapping[str, Any] | None = None,
        mode: Mode | None = None,
        tag: str = "",
        leave_one_out: bool = False,
        sinks: Sequence[Sink] = (),
    ) -> Mixture:
        """The mixture of that name in the configuration (None, or "default" where none is called so: the default one).

        `mode` and `tag` are those of every question that names none of its own; see `ask`. With `leave_one_out` each answer's notes
        tell on whose proposals it hangs (docs/methods.md).

        Raises:
            ConfigError: the configuration is wrong; names the file, the place and the nearest right name.
        """
        from moa.config.build import Rig
        from moa.config.choosing import Told
        from moa.config.find import load_here
        from moa.config.flows import flow_of, named
        from moa.flows.modes import mode_of

        loaded = load_here(file=Path(config) if config else None, flags=flags)
        chosen = named(loaded, name)
        own = Told(mode_of(mode), tag, leave_one_out)
        flow = flow_of(loaded, chosen, told=own)
        spec = loaded.spec.mixtures[chosen]
        mixture = cls.of_flow(
            flow, name=chosen, deadline=spec.deadline, max_cost=spec.max_cost, keep=True, sinks=sinks
        ).on(Rig(loaded))
        mixture._as_told = lambda told: flow_of(
            loaded, chosen, told=replace(own, mode=told.mode or own.mode, tag=told.tag or own.tag)
        )
        return mixture

    @classmethod
    def of_flow(
        cls,
        flow: MakeFlow,
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
        mixture._set(name, flow, deadline, max_cost, keep, dict(providers or {}), sinks)
        return mixture

    def _set(
        self,
        name: str,
        flow: MakeFlow,
        deadline: float | None,
        max_cost: float | None,
        keep: bool,
        own: dict[str, Provider],
        sinks: Sequence[Sink],
        answers: Kind | None = None,
    ) -> None:
        self.name, self.deadline, self.max_cost = name, deadline, max_cost
        self._flow, self._keep, self._own, self._sinks = flow, keep, own, tuple(sinks)
        self._answers = answers
        self._made: Rig | None = None
        self._making = threading.Lock()
        self._as_told: Callable[[Told], MakeFlow] | None = None
        self._intakes: dict[Told, Intake] = {}

    def on(self, rig: Rig) -> Mixture:
        """The same mixture, run on a rig that others may share."""
        self._made = rig
        return self

    def __call__(self, conversation: Conversation) -> Flow[Reply]:
        """The flow this mixture makes of a conversation; so a mixture can stand in a layer of another."""
        return self._flow(conversation)

    @property
    def rig(self) -> Rig:
        """What it runs on: providers, prices, store."""
        with self._making:  # threads may ask at once, and all must run on the same one
            if self._made is None:
                from moa.config.build import Rig
                from moa.config.load import load

                self._made = Rig(load(flags={} if self._keep else {"store": {"keep": False}}), own=self._own)
            return self._made

    async def ask(self, question: Question, *, sinks: Sequence[Sink] = (), **wanted: Unpack[Wanted]) -> Answer:
        """The answer to a question: a text, named parts (`{"question": …, "labs": …}`), a Message, or OpenAI-shaped messages.

        What else may be said with it is in Wanted: `deadline`, `max_cost`, `payer`, `form`, `sampling`, `mode`, `tag` …

        Raises:
            MoaError: there is no answer; ConfigError before any call was made.
        """
        from moa.engine.watch import run

        events: list[Event] = []
        order = self._order(question, wanted, deltas="none", sinks=(*sinks, events.append))
        async with self._in_use(order.accounts):
            reply = await run(order)
        return Answer(reply.text, tuple(events))

    def ask_sync(self, question: Question, **wanted: Unpack[Wanted]) -> Answer:
        """`ask` for code without an event loop."""
        import asyncio

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.ask(question, **wanted))
        raise ConfigError("ask_sync was called inside a running event loop; await mixture.ask(…) there")

    @asynccontextmanager
    async def watch(
        self, question: Question, *, proposers: bool = False, **wanted: Unpack[Wanted]
    ) -> AsyncIterator[Watching]:
        """The events of a run as they happen; `await events.reply()` gives its answer. Leaving early cancels every call.

        The answer is streamed; with `proposers`, what the others say is streamed too. Else see `ask`.
        """
        from moa.engine.watch import watch

        order = self._order(question, wanted, deltas="all" if proposers else "final", sinks=())
        async with self._in_use(order.accounts), watch(order) as watching:
            yield watching

    def plan(self, question: Question = "What is 347 + 85?") -> Plan:
        """The steps that would run, how many calls, and what they cost at most, over all routes it has. No call is made."""
        return plan(self._flow, conversation_of(question), self.rig.price, routes=True)

    def check(self, question: Question = "What is 347 + 85?") -> None:
        """See that every model of it can be called. No call is made.

        Raises:
            ConfigError: a key, a file or a host is missing; names it.
        """
        self._taking().check(conversation_of(question))

    async def aclose(self) -> None:
        """Close the connections of this event loop and write what is still to be stored."""
        if self._made is not None:
            await self._made.aclose()

    async def __aenter__(self) -> Mixture:
        """Inside `async with` connections are kept between questions."""
        self.rig.hold()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.rig.release()

    @asynccontextmanager
    async def _in_use(self, accounts: tuple[Account, ...]) -> AsyncIterator[None]:
        """While a question is answered and `accounts` pay. The last to leave an event loop closes its connections."""
        from moa.config.budget import ended

        self.rig.hold()
        try:
            yield
        finally:
            if accounts:
                self.rig.ledger.forget(ended(accounts))
            try:
                await self.rig.release()
            except MoaError as error:  # the answer was paid for: it is not lost with its record
                logging.getLogger("moa").warning("%s", error)

    def _taking(self, mode: str | None = None, tag: str = "") -> Intake:
        from moa.config.choosing import Told
        from moa.config.intake import Intake
        from moa.flows.modes import mode_of

        if (mode or tag) and self._as_told is None:
            raise ConfigError("mode and tag are for mixtures of a configuration; this one was made in code")
        told = Told(mode_of(mode), tag).within(self.rig.config.spec)
        if told not in self._intakes:
            flow = self._flow if self._as_told is None or told == Told() else self._as_told(told)
            self._intakes[told] = Intake(
                self.rig, self.name, flow, keep=self._keep, sinks=self._sinks, answers=self._answers
            )
        return self._intakes[told]

    def _order(self, question: Question, wanted: Wanted, *, deltas: str, sinks: Sequence[Sink]) -> Order:
        rest: dict[str, Any] = {**wanted}
        deadline, max_cost = rest.pop("deadline", None), rest.pop("max_cost", None)
        return self._taking(rest.pop("mode", None), rest.pop("tag", "")).order(
            conversation_of(question),
            deadline=self.deadline if deadline is None else deadline,
            max_cost=self.max_cost if max_cost is None else max_cost,
            deltas=deltas,
            sinks=tuple(sinks),
            **rest,
        )


def _members(layers: Sequence[Sequence[Agent | str | Mixture | Function]]) -> list[list[Member]]:
    if not isinstance(layers, list | tuple):
        raise ConfigError(f"layers: a list of layers is needed, not {type(layers).__name__}")
    for n, layer in enumerate(layers):
        if not isinstance(layer, list | tuple):
            raise ConfigError(f"layers[{n}]: a layer is a list of agents, as in layers=[[{layer!r}, …]]")
    return [[_member(member, f"layers[{n}][{m}]") for m, member in enumerate(layer)] for n, layer in enumerate(layers)]


def _member(member: Agent | str | Mixture | Function, where: str) -> Agent | Mixture:
    if isinstance(member, Agent | Mixture):
        return member
    if not isinstance(member, str) and not callable(member):
        raise ConfigError(
            f'{where}: an Agent, a Mixture, "host:model" or an async function is needed, not {type(member).__name__}'
        )
    try:
        return Agent(member)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _see_names(members: Iterable[Member]) -> None:
    """See that no two functions have one name: calls are told apart by it.

    Raises:
        ConfigError: two have.
    """
    known: dict[str, object] = {}
    for agent in (member for member in members if isinstance(member, Agent)):
        if callable(agent.model) and known.setdefault(agent.name, agent.model) is not agent.model:
            raise ConfigError(f"layers: two functions are called {agent.name}; Agent(…, name=…) tells them apart")
