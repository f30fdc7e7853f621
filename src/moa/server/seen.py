"""A run's events as clients see them: what a host says of this server's key or credit is the operator's to read."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from moa.core.events import CallFailed, CallFinished, CallRetried, Event, Noted, RunFailed, RunFinished
from moa.core.plain import to_plain

OF_KEY = "the model's host does not accept this server's key or credit"
_SAID = re.compile(r"\b(AuthFailed|OutOfCredit): .*", re.DOTALL)
"""The kind of such an error, and the host's words behind it: up to the end, as nobody knows where they end."""


def seen(event: Event) -> Event:
    """The event without those words."""
    match event.fact:
        case CallFailed() | CallRetried() | RunFailed() as fact:
            failure = fact.failure
            own = failure.kind in ("AuthFailed", "OutOfCredit")
            words = OF_KEY if own else _hidden(failure.message)
            return event if words == failure.message else replace(event, fact=_with(fact, words))
        case CallFinished() | RunFinished() as fact if fact.reply.notes:
            notes = tuple(map(_hidden, fact.reply.notes))
            return replace(event, fact=replace(fact, reply=replace(fact.reply, notes=notes)))
        case Noted() as fact if (detail := _hidden(fact.detail)) != fact.detail:
            return replace(event, fact=replace(fact, detail=detail))
    return event


def _with(fact: CallFailed | CallRetried | RunFailed, words: str) -> CallFailed | CallRetried | RunFailed:
    return replace(fact, failure=replace(fact.failure, message=words))


def _hidden(words: str) -> str:
    return _SAID.sub(rf"\1: {OF_KEY}", words)


def told(event: Event) -> dict[str, Any]:
    """An event as JSON; the nonce that fences references stays here, too."""
    plain = to_plain(seen(event))
    plain.pop("nonce", None)
    return plain
