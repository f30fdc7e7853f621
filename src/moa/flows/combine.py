"""Aggregators that are models: one writes the answer from the references, or picks one of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from moa.core.agents import Agent
from moa.core.errors import CallError
from moa.core.flow import Ask, Combine, Flow
from moa.core.prompts import SELECT, SYNTHESISE, as_given, display_order
from moa.core.types import Conversation, Replies, Reply
from moa.flows.answers import Kind, answer_of, stated
from moa.flows.medoid import closeness
from moa.flows.members import Member, ask_member
from moa.flows.vote import plurality


def synthesise(aggregator: Member, window: int | None = None, kind: Kind = "auto") -> Combine:
    """The aggregator reads the references and writes the answer (aggregate-and-synthesize, arXiv 2406.04692).

    With a `window` it reads that many at a time, its own last answer among them (Self-MoA-Seq, arXiv 2502.00674): for more
    references than its context has room for. Where it fails, the answer that most references give stands in, and the reply
    says so in its notes.
    """

    async def combine(conversation: Conversation, references: Replies) -> Reply:
        shown, *rest = windows(references, window)
        try:
            reply = await _aggregate(aggregator, conversation, shown, final=not rest)
            for place, further in enumerate(rest, 1):
                reply = await _aggregate(aggregator, conversation, (reply, *further), final=place == len(rest))
            return reply
        except CallError as error:
            return instead(references, error, kind)

    return combine


def windows(references: Replies, size: int | None) -> list[Replies]:
    """What an aggregator reads at a time: `size` references, then one less each time, since its last answer joins them."""
    if size is None or len(references) <= size:
        return [references]
    step = max(size - 1, 1)
    return [references[:size], *(references[at : at + step] for at in range(size, len(references), step))]


def _aggregate(aggregator: Member, conversation: Conversation, references: Replies, *, final: bool) -> Flow[Reply]:
    return ask_member(aggregator, conversation, references, SYNTHESISE, "aggregator", final=final)


def select(judge: Agent, kind: Kind = "auto") -> Combine:
    """The judge picks one reference, which is the answer word for word (select beats synthesise in arXiv 2603.20324).

    It is asked twice at once, the references in one order and in the other, since judges go by the place (arXiv 2306.05685). Where
    the two it picks give different answers, the one stands whose answer more references give, then the one that is more like all
    the others. Where it picks none, or fails, the answer that most references give stands in. The reply says so in its notes.
    """

    async def combine(conversation: Conversation, references: Replies) -> Reply:
        if len(references) == 1:
            return references[0]
        asked = judge.call(conversation, references, task=SELECT, role="judge")
        order = display_order(asked)
        orders = (order, order[::-1]) if references else (order,)
        calls = tuple(as_given(replace(asked, references=tuple(references[at] for at in places))) for places in orders)
        try:
            outcomes = await Ask(calls, final=not references, label="select", steps=1)
        except CallError as error:
            return instead(references, error, kind)
        if not references:
            return outcomes.replies[0]
        picks = []
        for places, call, outcome in zip(orders, calls, outcomes, strict=True):
            place = place_picked(outcome.text, call.references, kind) if isinstance(outcome, Reply) else None
            picks += [] if place is None else [places[place]]
        return _agreed(picks, references, kind)

    return combine


def _agreed(picks: Sequence[int], references: Replies, kind: Kind) -> Reply:
    """What a judge picks who was asked in two orders: the place, among the references, of each one that it picked."""
    if not picks:
        return plurality(references, kind).noted("fallback: the judge picked no response")
    notes = []
    if len(picks) == 1:
        notes = ["select: the judge could be read in one order only"]
    elif len({answer_of(references[place].text, kind) or place for place in picks}) > 1:
        notes = ["select: the judge picks another one in the other order; this is the one more like the rest"]
    return commonest(references, kind, picks).noted(*notes)


def place_picked(verdict: str, shown: Replies, kind: Kind = "auto") -> int | None:
    """Which of those shown in this order a verdict picks, from 0: the response it names as the best, or the first that gives the
    answer which it states as its own; None where it picks none."""
    named = re.findall(r"(?i)\bbest\W+(?:response\W*)?(\d{1,9})(?!\d)", verdict)
    if named and 1 <= int(named[-1]) <= len(shown):
        return int(named[-1]) - 1
    verdict = _NAMED.sub("", verdict)
    if kind not in ("number", "choice") or not stated(verdict):  # a number or letter in passing is no answer
        kind = "auto"
    wanted = answer_of(verdict, kind)
    return next((place for place, one in enumerate(shown) if wanted and answer_of(one.text, kind) == wanted), None)


_NAMED = re.compile(r"(?i)\bresponse\W*\d+")


def commonest(references: Replies, kind: Kind = "auto", among: Sequence[int] | None = None) -> Reply:
    """The reference whose answer most give; of equals, as where all are open text, the one that is most like all the others.
    `among`: of those in these places alone."""
    answers = [answer_of(one.text, kind) for one in references]
    places = range(len(references)) if among is None else among
    given = {place: answers.count(answers[place]) if answers[place] is not None else 0 for place in places}
    best = [place for place in places if given[place] == max(given.values())]
    if len(best) > 1:
        like = closeness([one.text for one in references])
        best.sort(key=like.__getitem__, reverse=True)
    return references[best[0]]


def instead(references: Replies, error: CallError, kind: Kind = "auto") -> Reply:
    """What stands in for a failed aggregator.

    Raises:
        CallError: the aggregator's own, where there is no reference, or the caller asks for a form, which no proposal has.
    """
    if not references or error.formed:
        raise error
    return plurality(references, kind).noted(f"fallback: the aggregator failed, this is a proposal ({error})")
