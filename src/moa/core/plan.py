"""What a flow would ask, and what it may cost, found by playing it: no call is made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import count
from typing import Any, TypeAlias

from moa.core.errors import CallError
from moa.core.flow import Ask, Flow, Fork, Outcome, mapped, play
from moa.core.prices import FREE, Price, cost
from moa.core.prompts import REPAIR, render
from moa.core.tokens import most_form, most_input
from moa.core.types import Call, Conversation, Reply, Usage
from moa.core.ways import Chooser, every_way

ASSUMED_MAX_TOKENS = 4096
"""Output tokens a call is taken to use at most where its agent sets no max_tokens."""


MOST_WRONG = 512
"""Bytes that are said of what is wrong with an answer at most, about."""

CAPS = ((4096, False), (4096, True), (2048, True), (1024, True))
"""What a mixture may be held to so that it stays under its max cost, the first that does: see `bounded`."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step that would run: its calls at once, and whether its text streams to the client. Steps of one `number` run beside each
    other, each in a `branch` ("a", "b"; "ba" in one of its own); empty where there are none."""

    label: str
    calls: tuple[Call, ...]
    streams: bool
    number: int = 0
    branch: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of the longest way a flow can take; the fewest and most calls; the worst cost in US dollars, and `needed_cost`, the
    same without the steps that are extra.

    `worst_cost` is None where the price of a model in `unpriced` is unknown. `assumed` is set where a call without
    max_tokens was taken to write at most ASSUMED_MAX_TOKENS. `acts`: every answer there may be is of a call that acts. `routes` are
    those met, of which a question takes one, `models` whoever may be asked, each as agent and model.
    """

    steps: tuple[PlannedStep, ...]
    least_calls: int
    most_calls: int
    worst_cost: float | None
    unpriced: tuple[str, ...]
    assumed: bool
    needed_cost: float | None = None
    acts: bool = False
    routes: tuple[str, ...] = ()
    models: tuple[tuple[str, str], ...] = ()


def plan(
    flow: Callable[[Conversation], Flow[Reply]],
    conversation: Conversation,
    price: Callable[[str], Price | None],
    *,
    routes: bool = False,
) -> Plan:
    """Play a flow with placeholders that agree, disagree, fail and find nothing to mend, and that choose each way there is, and sum
    up what it asked. With `routes` those are played, too, that this conversation does not take."""
    found = [
        one
        for answers in (lambda: _agreeing, _disagreeing, lambda: _failing, *_CONTENT)
        for one in every_way(partial(_asked, flow, conversation, answers), routes=routes)
    ]
    plays = [asked for (asked, _, _), _ in found]
    answered = [any(ask.acts for ask in asked) for (asked, _, ended), _ in found if ended]
    longest, lanes, _ = max((one for one, _ in found), key=lambda one: sum(len(ask.calls) for ask in one[0]))
    played = [[call for ask in asked for call in ask.calls] for asked in plays]
    asked_of = dict.fromkeys(
        (call.agent, model) for calls in played for call in calls for model in (call.model, *call.fallbacks)
    )
    unpriced = tuple(model for model in dict.fromkeys(model for _, model in asked_of) if price(model) is None)
    needed = [[call for ask in asked if not ask.extra for call in ask.calls] for asked in plays]
    worst, least = (
        None if unpriced else max(sum(_worst_of_all(call, price) for call in calls) for calls in each)
        for each in (played, needed)
    )
    return Plan(
        steps=_drawn(longest, lanes),
        least_calls=min(map(len, played)),
        most_calls=max(len(calls) + sum(call.form.own for call in calls) for calls in played),
        worst_cost=worst,
        unpriced=unpriced,
        assumed=any(call.sampling.max_tokens is None for calls in played for call in calls),
        needed_cost=least,
        acts=bool(answered) and all(answered),
        routes=tuple(dict.fromkeys(name for _, met in found for name in met)),
        models=tuple(asked_of),
    )


def _drawn(asked: list[Ask], lanes: list[_Lane]) -> tuple[PlannedStep, ...]:
    """The steps in the order in which they may run, those beside each other under one number."""
    reached: dict[_Lane, int] = {(): 0}
    began: dict[_Lane, int] = {}  # where each fork, named by its first branch, began
    steps = []
    for ask, lane in zip(asked, lanes, strict=True):
        for depth in range(1, len(lane) + 1):
            above, fork = lane[: depth - 1], (*lane[: depth - 1], (lane[depth - 1][0], 0))
            start = began.setdefault(fork, reached[above])
            reached.setdefault(lane[:depth], start)
        number = reached[lane] + 1
        for depth in range(len(lane) + 1):
            reached[lane[:depth]] = max(reached[lane[:depth]], number)
        branch = "".join(chr(97 + place) if place < 26 else f"({place + 1})" for _, place in lane)
        steps.append(PlannedStep(ask.label, ask.calls, ask.final, number, branch))
    return tuple(sorted(steps, key=lambda step: step.number))


def worst_cost(call: Call, price: Price, messages: Conversation | None = None) -> float:
    """The most one call can cost in US dollars: every byte of its input a token, its output as long as it may be.

    `messages` are those it is rendered into, where they are known.

    References that are placeholders of a plan count as long as they may become, an image as IMAGE_TOKENS.
    """
    if not price.output and price == FREE:
        return 0.0
    shown = sum(map(most_input, render(call, "0" * 32) if messages is None else messages)) + most_form(call.form)
    unseen = sum([reference.usage.output for reference in call.references if reference.model == PLACEHOLDER])
    return cost(
        Usage(input=shown + unseen, output=most_tokens(call) * call.form.choices),
        price if price.written is None and not price.above else _dearest(price),
    )


@lru_cache(maxsize=256)
def _dearest(price: Price) -> Price:
    """The price with every input token at the most one can cost."""
    return replace(
        price, input=price.most_input, above=tuple((start, _dearest(dearer)) for start, dearer in price.above)
    )


def _worst_of_all(call: Call, price: Callable[[str], Price | None]) -> float:
    """The most a call and its fallbacks can cost: each may be asked, and break off at its last token.

    Where the agent has a schema of its own, it may have to be asked once more, behind its first answer.
    """
    models = (call.model, *call.fallbacks)
    worst = sum(worst_cost(call, price(model) or FREE) for model in models)
    if not call.form.own:
        return worst
    first = _placeholder(call, REPAIR + "?" * MOST_WRONG)
    again = replace(call, references=(*call.references, first))
    return worst + sum(worst_cost(again, price(model) or FREE) for model in models)


def most_tokens(call: Call) -> int:
    """The most output tokens a call can use."""
    return call.sampling.max_tokens or ASSUMED_MAX_TOKENS


def held(flow: Callable[[Conversation], Flow[Reply]]) -> list[Callable[[Conversation], Flow[Reply]]]:
    """The flow held to each of CAPS, from the loosest to the tightest."""
    return [partial(_held, flow, max_tokens, lower) for max_tokens, lower in CAPS]


def _held(
    flow: Callable[[Conversation], Flow[Reply]], max_tokens: int, lower: bool, conversation: Conversation
) -> Flow[Reply]:
    return bounded(flow(conversation), max_tokens, lower=lower)


def bounded(flow: Flow[Reply], max_tokens: int, *, lower: bool = True) -> Flow[Reply]:
    """The same flow with `max_tokens` for every call that sets none, and with `lower` for those that allow more, too."""

    def bound(call: Call) -> Call:
        own = call.sampling.max_tokens
        most = max_tokens if own is None else min(own, max_tokens) if lower else own
        return replace(call, sampling=replace(call.sampling, max_tokens=most))

    return mapped(flow, lambda ask: replace(ask, calls=tuple(bound(call) for call in ask.calls)))


PLACEHOLDER = "plan:placeholder"


_Lane: TypeAlias = tuple[tuple[int, int], ...]
"""In which branches of which forks a step stands, from the outermost: the number of the fork, and the branch's place in it."""


MOST_CALLS = 1000
"""A play ends after this many calls: a flow that loops until it likes an answer never likes a placeholder's."""


def _asked(
    flow: Callable[[Conversation], Flow[Reply]],
    conversation: Conversation,
    answers: Callable[[], Callable[[Call], Outcome]],
    choose: Chooser,
) -> tuple[list[Ask], list[_Lane], bool]:
    """What a flow asks of replies as `answers` makes them, up to its end or its error (a flow may well choke on placeholders), in
    which branches, and whether it came to an answer.

    Everybody answers, also who sees none of the parts of this question: the next one may have them.
    """
    asked: list[Ask] = []
    lanes: list[_Lane] = []
    forks, lane = count(), list[tuple[int, int]]()
    answer, left = answers(), iter(range(MOST_CALLS))

    def answered(call: Call) -> Outcome:
        if next(left, None) is None:
            raise _Enough
        return answer(call)

    def seeing(ask: Ask) -> Ask:
        asked.append(ask)
        lanes.append(tuple(lane))
        lane.clear()
        if not any(call.manner.view for call in ask.calls):
            return ask
        return replace(ask, calls=tuple(replace(call, manner=replace(call.manner, view=())) for call in ask.calls))

    def inside(branch: tuple[int, int], ask: Ask) -> Ask:
        lane.append(branch)
        return ask

    def forked(fork: Fork[Any]) -> Fork[Any]:
        number = next(forks)
        flows = (mapped(flow, partial(inside, (number, place))) for place, flow in enumerate(fork.flows))
        return replace(fork, flows=tuple(flows))

    ended = False
    made = flow(conversation)
    with suppress(Exception):
        play(mapped(made, seeing, forked=forked), answered, choose=choose)
        ended = True
    return asked, lanes, ended


class _Enough(Exception):
    """This play has gone on for long enough."""


def _placeholder(call: Call, text: str) -> Reply:
    return Reply(text, model=PLACEHOLDER, agent=call.agent, usage=Usage(output=most_tokens(call)))


def _agreeing(call: Call) -> Outcome:
    return _placeholder(call, "Answer: 1")


def _disagreeing() -> Callable[[Call], Outcome]:
    count = iter(range(1, 1_000_000))
    return lambda call: _placeholder(call, f"Answer: {next(count)}")


def _content(verdict: str) -> Callable[[Call], Outcome]:
    """Placeholders that agree, and judges that want no more."""
    return lambda call: _placeholder(call, verdict) if call.role == "judge" else _agreeing(call)


_CONTENT = (partial(_content, "Keep: 1\nStop"), partial(_content, "No faults"))


def _failing(call: Call) -> Outcome:
    return CallError("a placeholder that fails")
