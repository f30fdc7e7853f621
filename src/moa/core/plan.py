"""What a flow would ask, and what it may cost, found by playing it: no call is made."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from moa.core.errors import CallError, MoaError
from moa.core.flow import Ask, Flow, Outcome, mapped, play
from moa.core.prices import Price, cost
from moa.core.prompts import render
from moa.core.types import Call, Conversation, Reply, Text, Usage

ASSUMED_MAX_TOKENS = 4096
"""Output tokens a call is taken to use at most where its agent sets no max_tokens."""


CAPS = (4096, 2048, 1024)
"""Output tokens per call that a mixture may be held to so that it stays under its max cost, the first that does."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step that would run: its calls at once, and whether its text streams to the client."""

    label: str
    calls: tuple[Call, ...]
    streams: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of the longest way a flow can take; the fewest and most calls; the worst cost in US dollars.

    `worst_cost` is None where the price of a model in `unpriced` is unknown. `assumed` is set where a call without
    max_tokens was taken to write at most ASSUMED_MAX_TOKENS.
    """

    steps: tuple[PlannedStep, ...]
    least_calls: int
    most_calls: int
    worst_cost: float | None
    unpriced: tuple[str, ...]
    assumed: bool


def plan(
    flow: Callable[[Conversation], Flow[Reply]], conversation: Conversation, price: Callable[[str], Price | None]
) -> Plan:
    """Play a flow with placeholders that agree, disagree and fail, and sum up what it asked."""
    plays = [asked for answer in (_agreeing, _disagreeing(), _failing) if (asked := _asked(flow(conversation), answer))]
    longest = max(plays, key=lambda asked: sum(len(ask.calls) for ask in asked))
    counts = [sum(len(ask.calls) for ask in asked) for asked in plays]
    calls = [call for ask in longest for call in ask.calls]
    unpriced = tuple(dict.fromkeys(call.model for call in calls if price(call.model) is None))
    worst = None if unpriced else sum(worst_cost(call, price(call.model) or Price()) for call in calls)
    return Plan(
        steps=tuple(PlannedStep(ask.label, ask.calls, ask.final) for ask in longest),
        least_calls=min(counts),
        most_calls=max(counts),
        worst_cost=worst,
        unpriced=unpriced,
        assumed=any(call.sampling.max_tokens is None for call in calls),
    )


def worst_cost(call: Call, price: Price) -> float:
    """The most one call can cost in US dollars: every byte of its input a token, its output as long as it may be.

    References that are placeholders of a plan count as long as they may become.
    """
    messages = render(call, "0" * 32)
    shown = sum(
        len(part.text.encode("utf-8", "replace"))
        for message in messages
        for part in message.parts
        if isinstance(part, Text)
    )
    unseen = sum(reference.usage.output for reference in call.references if reference.model == PLACEHOLDER)
    return cost(Usage(input=shown + unseen, output=most_tokens(call)), price)


def most_tokens(call: Call) -> int:
    """The most output tokens a call can use."""
    return call.sampling.max_tokens or ASSUMED_MAX_TOKENS


def bounded(flow: Flow[Reply], max_tokens: int) -> Flow[Reply]:
    """The same flow with no call that may write more than `max_tokens`."""

    def bound(call: Call) -> Call:
        most = min(call.sampling.max_tokens or max_tokens, max_tokens)
        return replace(call, sampling=replace(call.sampling, max_tokens=most))

    return mapped(flow, lambda ask: replace(ask, calls=tuple(bound(call) for call in ask.calls)))


PLACEHOLDER = "plan:placeholder"


def _asked(flow: Flow[Reply], answer: Callable[[Call], Outcome]) -> list[Ask]:
    """What a flow asks of replies that `answer` makes, up to its end or its error."""
    asked: list[Ask] = []
    with suppress(MoaError):
        play(flow, answer, asked)
    return asked


def _placeholder(call: Call, text: str) -> Reply:
    return Reply(text, model=PLACEHOLDER, agent=call.agent, usage=Usage(output=most_tokens(call)))


def _agreeing(call: Call) -> Outcome:
    return _placeholder(call, "Answer: 1")


def _disagreeing() -> Callable[[Call], Outcome]:
    count = iter(range(1, 1_000_000))
    return lambda call: _placeholder(call, f"Answer: {next(count)}")


def _failing(call: Call) -> Outcome:
    return CallError("a placeholder that fails")
