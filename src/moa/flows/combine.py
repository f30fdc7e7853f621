"""Aggregators that are models: one writes the answer from the references, or picks one of them."""

from __future__ import annotations

import re

from moa.core.agents import Agent
from moa.core.errors import CallError
from moa.core.flow import Ask, Combine, Flow
from moa.core.prompts import SELECT, SYNTHESISE, display_order
from moa.core.types import Conversation, Replies, Reply
from moa.flows.answers import Kind, answer_of, stated
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

    It may name a response ("Best: Response 2") or repeat one's answer. Where it does neither, or fails, the answer that most
    references give stands in, and the reply says so in its notes.
    """

    async def combine(conversation: Conversation, references: Replies) -> Reply:
        if len(references) == 1:
            return references[0]
        call = judge.call(conversation, references, task=SELECT, role="judge")
        try:
            verdict = (await Ask((call,), final=not references, label="select", steps=1)).replies[0]
        except CallError as error:
            return instead(references, error, kind)
        if not references:
            return verdict
        shown = tuple(references[index] for index in display_order(call))
        most = plurality(references, kind)
        return picked(verdict.text, shown, kind) or most.noted("fallback: the judge picked no response")

    return combine


def picked(verdict: str, shown: Replies, kind: Kind = "auto") -> Reply | None:
    """The reference a verdict picks, of those shown in this order; None where it picks none."""
    number = place_picked(verdict, shown, kind)
    return None if number is None else shown[number]


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


def instead(references: Replies, error: CallError, kind: Kind = "auto") -> Reply:
    """What stands in for a failed aggregator.

    Raises:
        CallError: the aggregator's own, where there is no reference, or the caller asks for a form, which no proposal has.
    """
    if not references or error.formed:
        raise error
    return plurality(references, kind).noted(f"fallback: the aggregator failed, this is a proposal ({error})")
