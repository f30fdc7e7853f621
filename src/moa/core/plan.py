"""What a flow would ask, and what it may cost, found by playing it: no call is made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from moa.core.flow import Ask, Flow, mapped
from moa.core.placeholders import (
    BRANCHED,
    FEWEST,
    LATE,
    ONCE,
    PLACEHOLDER,
    PLAYINGS,
    SOLE,
    Path,
    Playing,
    only,
    placeholder,
)
from moa.core.plays import Lane, Play, played
from moa.core.prices import FREE, Price, most_cost
from moa.core.prompts import REPAIR, render
from moa.core.tokens import most_form, most_input, most_tokens
from moa.core.types import Call, Conversation, Reply
from moa.core.ways import every_way

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
    fewest: bool = True,
) -> Plan:
    """Play a flow with placeholders (`placeholders.py`) that agree, disagree, fail, stand alone and find nothing to mend, and that
    choose each way there is, and sum up what it asked: no run makes more calls, and none that comes to an answer, and is not cut
    short, fewer. With `routes` those are played, too, that this conversation does not take; without `fewest` less is played, and
    the fewest calls are only about right."""

    def plays(playing: Playing) -> Iterator[_Found]:
        ways = every_way(partial(played, flow, conversation, playing), routes=routes)
        return ((one, playing.formed, met) for one, met in ways)

    found = [one for playing in (*PLAYINGS, *(FEWEST if fewest else ())) for one in plays(playing)]
    found += [one for playing in _further([one for one, formed, _ in found if formed]) for one in plays(playing)]
    ended = [one for one, _, _ in found if one.ended] or [one for one, _, _ in found]
    longest = max((one for one, _, _ in found), key=lambda one: len(one.calls))
    every = [one.calls for one, _, _ in found]
    asked_of = dict.fromkeys(
        (call.agent, model) for calls in every for call in calls for model in (call.model, *call.fallbacks)
    )
    unpriced = tuple(model for model in dict.fromkeys(model for _, model in asked_of) if price(model) is None)
    needed = [[call for ask in one.asked if not ask.extra for call in ask.calls] for one, _, _ in found]
    worst, least = (
        None if unpriced else max(sum(_worst_of_all(call, price) for call in calls) for calls in each)
        for each in (every, needed)
    )
    answered = [any(ask.acts for ask in one.asked) for one, formed, _ in found if formed and one.ended]
    return Plan(
        steps=_drawn(longest.asked, longest.lanes),
        least_calls=min(len(one.calls) for one in ended),
        most_calls=max(len(calls) + sum(call.form.own for call in calls) for calls in every),
        worst_cost=worst,
        unpriced=unpriced,
        assumed=any(call.sampling.max_tokens is None for calls in every for call in calls),
        needed_cost=least,
        acts=bool(answered) and all(answered),
        routes=tuple(dict.fromkeys(name for _, _, met in found for name in met)),
        models=tuple(asked_of),
    )


_Found: TypeAlias = tuple[Play, bool, Sequence[str]]
"""A play, whether it shows of which calls answers are, and the routes that it met."""
MOST_AGAIN = 8
"""Of so many agents that are asked more than once it is played that all others fail, everywhere and in the last layer alone: who is
a sample of a panel of one ranks other answers than who is one of many (`council.py`)."""


def _further(plays: Sequence[Play]) -> list[Playing]:
    """What is to be played besides, by what was asked."""
    asks = [ask for one in plays for ask in one.asked]
    again = dict.fromkeys(call.agent for ask in asks for call in ask.calls if call.sample)
    some: list[Collection[str]] = [(agent,) for agent in (*again,)[:MOST_AGAIN]]
    widths: dict[Path, int] = {}
    for one in plays:
        widths |= {path: max(width, widths.get(path, 0)) for path, width in one.widths().items()}
    layers = [*dict.fromkeys(path[:1] for path in widths)]
    playings = [only(agents, {}) for agents in some] + [ONCE] * bool(again)
    playings += [only(agents, {}, layers[-1]) for agents in some if len(layers) > 1]
    if len(set(widths.values())) > 1:
        playings += [only(agents, widths) for agents in (None, *some)]
    if any(ask.need is not None for ask in asks):
        playings.append(LATE)
    if any(any(one.lanes) for one in plays):
        playings += BRANCHED
    return [*playings, SOLE] if any(one.soles for one in plays) else playings


def _drawn(asked: list[Ask], lanes: list[Lane]) -> tuple[PlannedStep, ...]:
    """The steps in the order in which they may run, those beside each other under one number."""
    reached: dict[Lane, int] = {(): 0}
    began: dict[Lane, int] = {}  # where each fork, named by its first branch, began
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
    unseen = sum([one.usage.output - len(one.text) for one in call.references if one.model == PLACEHOLDER])
    return most_cost(shown + unseen, most_tokens(call) * call.form.choices, price)


def _worst_of_all(call: Call, price: Callable[[str], Price | None]) -> float:
    """The most a call and its fallbacks can cost: each may be asked, and break off at its last token.

    Where the agent has a schema of its own, it may have to be asked once more, behind its first answer.
    """
    models = (call.model, *call.fallbacks)
    worst = sum(worst_cost(call, price(model) or FREE) for model in models)
    if not call.form.own:
        return worst
    first = placeholder(call, REPAIR + "?" * MOST_WRONG)
    again = replace(call, references=(*call.references, first))
    return worst + sum(worst_cost(again, price(model) or FREE) for model in models)


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
