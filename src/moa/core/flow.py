"""A flow asks, it does not do: `async def` without asyncio.

A flow is a coroutine that awaits nothing but `Ask` (calls at once), `Fork` (flows at once) and `Choose` (which of several ways
it goes on), and returns the answer. It does no I/O, keeps no clock and knows no event loop, so that one and the same flow is run
by the engine, drawn before it runs, replayed from a store, and tested with a list:

    >>> played = play(vote(agents, question), ["4", "4", "5"])
    >>> played.answer.text, len(played.asked)

(Trio's traps and httpx's `auth_flow` are built this way.) A flow must be deterministic: same outcomes in, same asks out.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeAlias, TypeVar

from moa.core.errors import CallError, ConfigError, NotEnoughReplies
from moa.core.types import Call, Conversation, Late, Replies, Reply, names_of
from moa.core.usable import abstained, blind
from moa.core.values import quickly_made

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Outcome: TypeAlias = Reply | CallError | Late
"""What became of a Call."""

Flow: TypeAlias = Coroutine[Any, Any, T]
"""A coroutine that awaits only Ask, Fork, Choose and other flows."""

Combine: TypeAlias = Callable[[Conversation, Replies], Flow[Reply]]
"""An aggregator: makes one answer of many."""


class Outcomes(tuple[Outcome, ...]):
    """One outcome per call, in the order asked. `late` holds replies that came after an earlier step had closed."""

    late: Replies = ()
    formed: bool = False
    """Whether the caller asks for a form, so that nobody's answer but that of the call that acts may be the answer."""

    @property
    def replies(self) -> Replies:
        """The replies, in the order asked."""
        return tuple([outcome for outcome in self if isinstance(outcome, Reply)])

    @property
    def errors(self) -> tuple[CallError, ...]:
        """The calls that failed, in the order asked."""
        return tuple(outcome for outcome in self if isinstance(outcome, CallError))


@quickly_made
@dataclass(frozen=True, slots=True)
class Ask:
    """Calls at once; awaiting it gives their Outcomes.

    Raises (into the flow):
        NotEnoughReplies: the step closed with fewer than `least` replies.
    """

    calls: tuple[Call, ...]
    need: int | None = None
    """Close the step early once this many have replied (None: when all have ended) …"""
    grace: float | None = 0.0
    """… and this many seconds more have passed (None: as long as nearly all calls of the models still out take, as learnt)."""
    until: Callable[[Outcomes], bool] | None = None
    """Or as soon as this pure test holds (a vote that is decided)."""
    least: int = 1
    """With fewer replies at the close, NotEnoughReplies is thrown into the flow."""
    keep: bool = False
    """Stragglers are cancelled; or kept, and their replies come as `.late` of the flow's next Ask."""
    final: bool = False
    """Its text is the answer: streamed to the client."""
    held: Callable[[Reply], Reply] | None = None
    """Its text is the answer, and not streamed, since this looks at it before it leaves."""
    instead: bool = False
    """What comes may be the answer without a call that acts: where the caller asks for a form it is not asked, and fails."""
    label: str = ""
    steps: int | None = None
    """Steps still expected, this one included: its share of the time left is 1/steps (None: half)."""
    extra: bool = False
    """Worth having, and not needed: where money or time for its calls is out, they fail, and the run does not end."""

    @property
    def acts(self) -> bool:
        """Whether its text is the answer: it is under the form that the caller asks for."""
        return self.final or self.held is not None

    def __await__(self) -> Generator[Ask, Outcomes, Outcomes]:
        return (yield self)


@dataclass(frozen=True, slots=True)
class Fork(Generic[T]):
    """Flows at once, under the rules of Ask; awaiting it gives a tuple with each flow's result, CallError or None if late.

    At most one of the flows may hold a final Ask.
    """

    flows: tuple[Flow[T], ...]
    need: int | None = None
    grace: float | None = 0.0
    until: Callable[[tuple[T | CallError | None, ...]], bool] | None = None
    least: int = 1
    label: str = ""
    steps: int | None = None
    instead: bool = False
    extra: bool = False

    def __await__(self) -> Generator[Fork[T], tuple[T | CallError | None, ...], tuple[T | CallError | None, ...]]:
        return (yield self)

    def close(self) -> None:
        """End its flows, those that were never begun, too: whoever does not carry it out to the end closes it."""
        for flow in self.flows:
            flow.close()


@dataclass(frozen=True, slots=True)
class Choose:
    """Which of several ways a flow goes on; awaiting it gives the place of the way `taken`. A plan plays the others, too.

    `names` are those of the ways, empty for one that has none. `told`: the question alone says which, as a rule does, so that the
    plan of one question knows. `rising`: a later way asks no less than an earlier one, so that a plan plays the first and the last.
    """

    taken: int
    names: tuple[str, ...]
    told: bool = False
    rising: bool = False

    def __await__(self) -> Generator[Choose, int, int]:
        return (yield self)


@dataclass(frozen=True, slots=True)
class Returned(Generic[T_co]):
    """A flow has ended with this value."""

    value: T_co


def advance(flow: Flow[T], outcome: object = None) -> Ask | Fork[Any] | Choose | Returned[T]:
    """Give a flow what it waits for (an exception is thrown into it) and return what it asks next.

    Raises:
        ConfigError: the flow awaited something that is none of Ask, Fork and Choose.
    """
    try:
        step = flow.throw(outcome) if isinstance(outcome, Exception) else flow.send(outcome)
    except StopIteration as stop:
        return Returned(stop.value)
    if isinstance(step, (Ask, Fork, Choose)):
        return step
    flow.close()
    raise ConfigError(
        f"flow {getattr(flow, '__qualname__', flow)!r} awaited {type(step).__name__!r}; a flow may await only Ask, Fork, "
        "Choose and other flows. It does no I/O and keeps no clock: put I/O into a Provider and await Ask((call,)) instead"
    )


def enough(step: Ask | Fork[Any], got: int, causes: Iterable[CallError]) -> NotEnoughReplies | None:
    """The error that a step closing with `got` results throws into its flow, or None where they suffice."""
    if got >= step.least:
        return None
    return NotEnoughReplies(got, step.least, tuple(causes), step.label)


@dataclass(frozen=True, slots=True)
class Played(Generic[T]):
    """What a played flow returned, and what it asked on the way, in order."""

    answer: T
    asked: tuple[Ask, ...]


@dataclass(slots=True)
class _Script:
    """Where played replies come from: a function of the call, or a sequence used in the order asked."""

    source: Callable[[Call], Outcome | str] | Iterator[Outcome | str]
    asked: list[Ask]
    choose: Callable[[Choose], int]

    def outcome(self, call: Call) -> Outcome:
        if (error := blind(call)) is not None:
            return error
        answer = (
            self.source(call)
            if callable(self.source)
            else next(self.source, CallError("the script has no more replies"))
        )
        if isinstance(answer, str):
            answer = Reply(answer, model=call.model, agent=call.agent)
        if not isinstance(answer, Reply):
            return answer
        saw = names_of(call.conversation)
        return abstained(answer, call) or (replace(answer, saw=saw) if saw else answer)


def play(
    flow: Flow[T],
    replies: Callable[[Call], Outcome | str] | Iterable[Outcome | str],
    asked: list[Ask] | None = None,
    choose: Callable[[Choose], int] = lambda choice: choice.taken,
) -> Played[T]:
    """Run a flow without loop, clock or provider, with the outcomes given (a plain string becomes a Reply).

    Who has none of the parts it looks at is not asked, and a reply that abstains is none, as in a real run.
    All replies count as coming at once, in the order asked: `need` without grace and `until` leave the later ones Late.
    What is asked is also added to `asked`, where one is given: it holds the asks of a flow that ends in an error. Where the flow
    chooses a way, `choose` may take another.
    """
    script = _Script(replies if callable(replies) else iter(replies), [] if asked is None else asked, choose)
    return Played(_play(flow, script), tuple(script.asked))


def _play(flow: Flow[T], script: _Script) -> T:
    step = advance(flow)
    while not isinstance(step, Returned):
        step = advance(flow, _answered(step, script))
    return step.value


def _answered(step: Ask | Fork[Any] | Choose, script: _Script) -> object:
    if isinstance(step, Choose):
        return script.choose(step)
    return _answer(step, script) if isinstance(step, Ask) else _branches(step, script)


def _answer(ask: Ask, script: _Script) -> Outcomes | CallError:
    script.asked.append(ask)
    outcomes: list[Outcome] = [Late(call) for call in ask.calls]
    for index, call in enumerate(ask.calls):
        outcomes[index] = script.outcome(call)
        so_far = Outcomes(outcomes)
        needed = ask.need is not None and ask.grace == 0 and len(so_far.replies) >= ask.need
        if needed or (ask.until is not None and ask.until(so_far)):
            break
    done = Outcomes(outcomes)
    return enough(ask, len(done.replies), done.errors) or done


def _branches(fork: Fork[Any], script: _Script) -> tuple[Any, ...] | CallError:
    results: list[Any] = []
    try:
        for flow in fork.flows:
            try:
                results.append(_play(flow, script))
            except CallError as error:
                results.append(error)
    finally:
        fork.close()
    failed = [result for result in results if isinstance(result, CallError)]
    return enough(fork, len(results) - len(failed), failed) or tuple(results)


def mapped(
    flow: Flow[T],
    change: Callable[[Ask], Ask],
    heard: Callable[[Ask, Outcomes], Outcomes] = lambda ask, outcomes: outcomes,
    forked: Callable[[Fork[Any]], Fork[Any]] = lambda fork: fork,
    failed: Callable[[CallError], CallError] = lambda error: error,
) -> Flow[T]:
    """The same flow with every Ask changed on its way out, every Fork as `forked` has it, and what comes back as `heard` has it, or
    as `failed` where it is an error."""
    return _Mapped(flow, _mapping(flow, change, heard, forked, failed))


@dataclass(frozen=True, slots=True)
class _Mapped(Coroutine[Any, Any, T]):
    """What goes `around` a flow, which is closed with it, also where it was never begun."""

    flow: Flow[T]
    around: Flow[T]

    def send(self, value: Any) -> Any:
        return self.around.send(value)

    def throw(self, *error: Any) -> Any:
        return self.around.throw(*error)

    def close(self) -> None:
        self.around.close()
        self.flow.close()

    def __await__(self) -> Generator[Any, Any, T]:
        return self.around.__await__()


async def _mapping(
    flow: Flow[T],
    change: Callable[[Ask], Ask],
    heard: Callable[[Ask, Outcomes], Outcomes],
    forked: Callable[[Fork[Any]], Fork[Any]],
    failed: Callable[[CallError], CallError],
) -> T:
    step = advance(flow)
    while not isinstance(step, Returned):
        outcome: object
        try:
            if isinstance(step, Ask):
                outcome = heard(step, await change(step))
            elif isinstance(step, Choose):
                outcome = await step
            else:
                fork = forked(step)
                flows = tuple(mapped(child, change, heard, forked, failed) for child in fork.flows)
                outcome = await replace(fork, flows=flows)
        except CallError as error:
            outcome = failed(error)
        step = advance(flow, outcome)
    return step.value


def quiet(flow: Flow[T]) -> Flow[T]:
    """The same flow as one that only advises: none of its calls acts, whatever form the caller asks for."""

    def unformed(ask: Ask, outcomes: Outcomes) -> Outcomes:
        outcomes.formed = False
        return outcomes

    def failed(error: CallError) -> CallError:
        error.formed = False
        return error

    return mapped(
        flow,
        lambda ask: replace(ask, final=False, held=None, instead=False),
        unformed,
        lambda fork: replace(fork, instead=False),
        failed,
    )


def held(ask: Ask, look: Callable[[Reply], Reply] = lambda reply: reply) -> Ask:
    """The same, its text not streamed where it is the answer, but looked at before it leaves, by guards and checks."""
    if not ask.acts:
        return ask
    inner = ask.held
    return replace(ask, final=False, held=look if inner is None else lambda reply: look(inner(reply)))
