"""One simulated world per seed: a random mixture, random faults, cancellations and deadlines, on a virtual clock, and what must
hold of it whatever happens.

    I1  every run ends in exactly one terminal event, the last one; every call and step that began has ended, once
    I2  what was sent upstream has ended: nothing runs on, no place stays taken, no task is left
    I3  the ledger holds what was billed, to the cent; what it estimated was really cut short
    I4  spent and reserved money never exceeds a limit, at any instant: of a run, and of a payer's day in a ledger on disk
    I5  an answer or an error comes by the deadline, 100 ms at most after it

The same seed makes the same world: `story` is the same text every time (ids, nonces and times of the wall clock left out).
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clock import run
from moa import Agent, Answer, Mixture
from moa.config.build import Rig
from moa.config.load import load
from moa.core.errors import (
    AuthFailed,
    BadReply,
    BadRequest,
    Cut,
    MoaError,
    OutOfCredit,
    Overloaded,
    ProviderError,
    RateLimited,
    Refused,
    Unreachable,
)
from moa.core.events import (
    TERMINAL,
    CallCancelled,
    CallFailed,
    CallFinished,
    CallStarted,
    Delta,
    Event,
    StepFinished,
    StepStarted,
)
from moa.core.money import Account, Entry
from moa.core.ports import Scope
from moa.core.prices import Price, cost
from moa.core.types import Reply, Request, Usage
from moa.stores.ledger import SqliteLedger

PRICE = Price(input=3.0, output=15.0)
DAY = 86_400.0
MIDNIGHT = 20_000 * DAY
MODELS = tuple(f"m{n}" for n in range(8))


@dataclass
class Upstream:
    """A provider of random manners, which keeps its own bill. `faulty` is the share of calls that go wrong."""

    rng: random.Random
    faulty: float
    slow: float
    started: int = 0
    ended: int = 0
    billed: list[tuple[str, int, int, float]] = field(default_factory=list)  # run, span, attempt, dollars
    short: int = 0
    watch: Callable[[], None] = lambda: None

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider."""
        self.started += 1
        self.watch()
        try:
            return await self._answer(request, scope)
        finally:
            self.ended += 1

    async def _answer(self, request: Request, scope: Scope) -> Reply:
        rng, model = self.rng, request.call.model.partition(":")[2]
        await asyncio.sleep(self.slow * rng.lognormvariate(0.0, 0.8))
        most = request.call.sampling.max_tokens or 64
        words = [f"w{rng.randint(0, 3)}" for _ in range(rng.randint(1, min(most, 12)))]
        text = " ".join(words)
        usage = Usage(sum(len(message.text) for message in request.messages) // 4 + 1, len(words))
        if rng.random() < self.faulty:
            return await self._fault(rng.randrange(12), request, scope, text, usage)
        await self._speak(text, scope)
        self._bill(scope, usage)
        return Reply(text, model, usage=usage)

    async def _speak(self, text: str, scope: Scope, pieces: int | None = None) -> None:
        for piece in text.split(" ")[:pieces]:
            await asyncio.sleep(0.01 * self.slow)
            if scope.want_deltas:
                scope.emit(Delta(piece + " ", "text", scope.attempt, scope.final))

    def _bill(self, scope: Scope, usage: Usage) -> None:
        self.billed.append((scope.run, scope.span, scope.attempt, cost(usage, PRICE)))

    async def _fault(self, which: int, request: Request, scope: Scope, text: str, usage: Usage) -> Reply:
        match which:
            case 0:
                await asyncio.get_running_loop().create_future()
            case 1:
                raise Overloaded("529")
            case 2:
                raise RateLimited("429", retry_after=self.rng.choice((None, 0.0, 2.0, 90.0)))
            case 3:
                await self._speak(text, scope, 1)
                self.short += 1
                raise Cut("cut", partial=text.split(" ")[0])
            case 4:
                self._bill(scope, usage)
                return Reply("  ", usage=usage)
            case 5:
                self._bill(scope, usage)
                return Reply(text, finish="length", usage=usage)
            case 6:
                raise self.rng.choice((BadReply("html"), BadRequest("400"), Refused("no"), Unreachable("refused")))
            case 7:
                raise self.rng.choice((AuthFailed("401"), OutOfCredit("402")))
            case 8:
                raise RuntimeError("a provider with a bug")
            case 9:
                await asyncio.sleep(self.slow * 100)
                self._bill(scope, usage)
                return Reply(text, usage=usage)
            case 10:
                self._bill(scope, usage)
                return Reply("", reasoning="hm", usage=usage)
        raise Unreachable("reset")


class AtOnce(SqliteLedger):
    """A ledger on disk that leases and writes without waiting for a thread: on a virtual clock, time would fly while one works."""

    async def _leased(self, accounts: Sequence[Account], amount: float) -> None:
        self._extend(accounts, amount)

    async def flushed(self, seconds: float) -> None:
        """See Ledger."""
        self.flush()


@dataclass
class World:
    """Everything that one seed makes, and what became of it."""

    seed: int
    problems: list[str] = field(default_factory=list)
    runs: dict[str, list[Event]] = field(default_factory=dict)
    outcomes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        rng = self.rng
        self.upstream = Upstream(
            random.Random(self.seed + 1), rng.choice((0.0, 0.1, 0.5, 0.95)), rng.choice((0.2, 1.0, 5.0))
        )
        limits = {
            "timeout": rng.uniform(2.0, 120.0), "first_token": rng.uniform(1.0, 60.0), "between_tokens": rng.uniform(0.5, 30.0),
            "at_once": rng.choice((1, 2, 8, 64)), "attempts": rng.choice((1, 2)), "hedges": rng.choice((0.0, 0.05)),
            "failures": rng.choice((1, 3, 5)), "rest": rng.uniform(1.0, 60.0),
        }  # fmt: skip
        prices = {f"h:{model}": {"input": PRICE.input, "output": PRICE.output} for model in MODELS}
        flags = {"store": {"keep": False}, "limits": limits, "prices": prices, "cache": {"exact": rng.random() < 0.2}}
        if rng.random() < 0.2:  # one model at a time
            flags["hosts"] = {"h": {"base_url": "https://h.test/v1", "one_model": True}}
        if rng.random() < 0.3:  # a cut answer is continued
            flags["profiles"] = {"h:*": {"prefill": True}}
        self.rig = Rig(load({}, folder=Path("/nonexistent"), flags=flags), {}, {"h": self.upstream})
        self.payer = Account("team", rng.uniform(0.002, 0.2)) if rng.random() < 0.15 else None
        self.midnight = MIDNIGHT - rng.uniform(0.0, 100.0)
        self.folder = tempfile.TemporaryDirectory()
        self.ledger = AtOnce(Path(self.folder.name) / "ledger.db", clock=self._clock, lines=False)
        self.rig._ledger, self.purses = self.ledger, self.ledger.purses
        self.purses.keep = True
        self.upstream.watch = self._never_over_a_limit
        self.mixture = self._mixture()
        self._remember()

    def _clock(self) -> float:
        """The wall clock: midnight comes in the first minutes."""
        return self.midnight + asyncio.get_running_loop().time()

    def _remember(self) -> None:
        """In half of the worlds the models have been asked before, so that slow ones are hedged."""
        hedges = self.rig._shared_by("h").hedges
        if hedges is not None and self.rng.random() < 0.5:
            hedges.saved = 5.0
            for model in MODELS:
                for _ in range(30):
                    self.rig.paces[f"h:{model}"].add(self.upstream.slow * self.rng.uniform(0.2, 1.5))

    def _mixture(self) -> Mixture:
        rng = self.rng

        def agent(model: str) -> Agent:
            fallback = [f"h:{rng.choice(MODELS)}"] if rng.random() < 0.2 else []
            return Agent(f"h:{model}", name=model, max_tokens=rng.choice((8, 64)), fallback=fallback)

        layers = [[agent(rng.choice(MODELS)) for _ in range(rng.randint(1, 6))] for _ in range(rng.randint(1, 3))]
        fewest = min(map(len, layers))
        rules: dict[str, Any] = {"sinks": (self._keep,)}
        if rng.random() < 0.5:
            rules |= {"need": rng.randint(1, fewest), "grace": rng.choice((None, 0.0, 0.5)), "least": 1}
        if rng.random() < 0.2:
            return Mixture(layers, combine="vote", **rules).on(self.rig)
        combine = rng.choice(("synthesise", "select"))
        return Mixture(layers, agent(rng.choice(MODELS)), combine=combine, **rules).on(self.rig)

    def _keep(self, event: Event) -> None:
        self.runs.setdefault(event.run, []).append(event)

    async def _one(self, number: int) -> None:
        rng, loop = self.rng, asyncio.get_running_loop()
        deadline = rng.uniform(0.5, 60.0) if rng.random() < 0.7 else None
        max_cost = rng.uniform(0.0005, 0.05) if rng.random() < 0.4 else None
        streamed = rng.random() < 0.3
        began = loop.time()
        try:
            if streamed:
                answer = await self._watched(number, deadline, max_cost)
            else:
                question = f"q{number % 3}"
                answer = (await self.mixture.ask(question, deadline=deadline, max_cost=max_cost, payer=self.payer)).text
            self.outcomes.append(f"{number} {answer}")
        except MoaError as error:
            self.outcomes.append(f"{number} {type(error).__name__}")
        except asyncio.CancelledError:
            self.outcomes.append(f"{number} cancelled")
        except RuntimeError as error:
            self.problems.append(f"I1: {error!r} came out of question {number}")
        if deadline is not None and loop.time() - began > deadline + 0.1:
            self.problems.append(f"I5: question {number} took {loop.time() - began:.3f} s of {deadline:.3f}")

    async def _watched(self, number: int, deadline: float | None, max_cost: float | None) -> str:
        async with self.mixture.watch(
            f"q{number % 3}", deadline=deadline, max_cost=max_cost, payer=self.payer, proposers=True
        ) as watching:
            async for _ in watching:
                pass
            return (await watching.reply()).text

    async def live(self) -> None:
        """Ask, some at once, some stopped; then look at what must hold."""
        rng, loop = self.rng, asyncio.get_running_loop()
        for _ in range(rng.randint(1, 3)):
            tasks = [asyncio.create_task(self._one(number)) for number in range(rng.randint(1, 4))]
            for task in tasks:
                if rng.random() < 0.2:
                    loop.call_later(rng.uniform(0.0, 20.0), task.cancel)
            await asyncio.gather(*tasks, return_exceptions=True)
            self._check()
            await asyncio.sleep(rng.uniform(0.0, 40.0))

    def _never_over_a_limit(self) -> None:
        for name, left in [
            *((name, purse.left) for name, purse in self.purses._of.items()),
            *((f"{name} on day {day}", lease.left) for (name, day), lease in self.ledger._leases.items()),
        ]:
            if left < -1e-9:
                self.problems.append(f"I4: {name} is {-left:.6f} dollars over its limit")

    def _check(self) -> None:
        self._never_over_a_limit()
        if self.payer is not None:
            self._check_days(self.payer)
        for events in self.runs.values():
            self.problems += [f"I1: {problem}" for problem in _problems_of(events)]
            self._check_cost(events)
        upstream = self.upstream
        if upstream.started != upstream.ended:
            self.problems.append(f"I2: {upstream.started - upstream.ended} calls run on")
        for shared in self.rig._shared.values():
            if shared.machine is not None and (shared.machine.held or shared.machine.waiting):
                self.problems.append(f"I2: the machine is not free: {shared.machine}")
            for semaphore in shared.places._of_loop.values():
                if semaphore.free != shared.places.at_once:
                    self.problems.append("I2: a place stays taken")
        exact = [entry for entry in self.purses.entries if not entry.estimated and entry.cost]
        written = Counter((entry.run, entry.span, entry.attempt, round(entry.cost or 0.0, 9)) for entry in exact)
        billed = Counter((run, span, attempt, round(dollars, 9)) for run, span, attempt, dollars in upstream.billed)
        if not _covers(written, billed, self.purses.entries):
            self.problems.append(
                f"I3: the ledger has {sum(written.values())} exact entries, the bill {sum(billed.values())}"
            )

    def _check_cost(self, events: list[Event]) -> None:
        """What a run says it cost is what its lines come to, and what its roles sum to."""
        lines = sum(entry.cost or 0.0 for entry in self.purses.entries if entry.run == events[0].run)
        answer = Answer("", tuple(events))
        if answer.view.ended is None:
            return
        for told in (answer.cost, sum(one or 0.0 for one in answer.costs.values())):
            if abs((told or 0.0) - lines) > 1e-9:
                self.problems.append(f"I3: a run says {told} dollars, its lines {lines:.6f}")

    def _check_days(self, payer: Account) -> None:
        """What the file says of both days: within the limit, nothing still reserved, and as many dollars as were spent."""
        days = int(MIDNIGHT // DAY) - 1, int(MIDNIGHT // DAY)
        spent = [self.ledger.spent(f"payer {payer.name}", day) for day in days]
        if max(spent) > payer.limit + 1e-9:
            self.problems.append(f"I4: the payer spent {spent} of {payer.limit:.6f} dollars a day")
        if any(lease.reserved > 1e-9 for lease in self.ledger._leases.values()):
            self.problems.append("I4: something stays reserved")
        settled = sum(entry.cost or 0.0 for entry in self.purses.entries)
        if abs(sum(spent) - settled) > 1e-9:
            self.problems.append(f"I3: the file says {sum(spent):.6f} dollars, the entries {settled:.6f}")

    @property
    def story(self) -> str:
        """All that happened, without ids, nonces and wall-clock times."""
        lines = [
            f"{event.seq} {event.span} {event.parent} {_told(event)}"
            for events in self.runs.values()
            for event in events
        ]
        return "\n".join([*lines, *self.outcomes, *map(str, self.problems)])


def _covers(written: Counter[Any], billed: Counter[Any], entries: list[Entry]) -> bool:
    """Whether what is written is what was billed, but for attempts that were stopped as their bill was made."""
    stopped = {(entry.run, entry.span, entry.attempt) for entry in entries if entry.ended != "done"}
    missing = billed - written
    return not written - billed and all(key[:3] in stopped for key in missing)


def _problems_of(events: list[Event]) -> list[str]:
    problems = []
    ends = [event for event in events if isinstance(event.fact, TERMINAL)]
    if len(ends) != 1 or events[-1] is not ends[0]:
        problems.append(f"{len(ends)} terminal events, the last event is {type(events[-1].fact).__name__}")
    if [event.seq for event in events] != sorted({event.seq for event in events}):
        problems.append("seq goes back")
    opened = Counter(event.span for event in events if isinstance(event.fact, CallStarted | StepStarted))
    closed = Counter(
        event.span
        for event in events
        if isinstance(event.fact, CallFinished | CallFailed | CallCancelled | StepFinished)
    )
    if opened != closed:
        problems.append(f"spans began {dict(opened - closed)} and ended {dict(closed - opened)} without the other")
    return problems


def _told(event: Event) -> str:
    fact = event.fact
    if isinstance(fact, CallStarted):
        return f"CallStarted {fact.key} {fact.agent}"
    text = repr(fact)
    return text if not isinstance(fact, ProviderError) else str(fact)


def lived(seed: int) -> World:
    """The world of a seed, lived through."""
    random.seed(seed)  # what chance the wraps draw
    world = World(seed)
    with world.folder:
        run(world.live())
        world.ledger.close()
    return world
