"""Events without what was said: for stores that keep no prompts.

Kept are names, times, counts, money, digests and moa's own labels; gone is every text that came from a user or from a
model, and every text that may quote one (a provider's error message, the detail of a note).
"""

from __future__ import annotations

from dataclasses import replace

from moa.core.events import (
    CallFailed,
    CallFinished,
    CallRetried,
    Event,
    Failure,
    Noted,
    RunFailed,
    RunFinished,
    RunStarted,
)
from moa.core.types import Reply


def without_texts(event: Event) -> Event:
    """The event, its texts replaced by nothing."""
    match event.fact:
        case RunStarted() as fact:
            return replace(event, fact=replace(fact, conversation=()))
        case CallFinished() | RunFinished() as fact:
            return replace(event, fact=replace(fact, reply=_bare(fact.reply)))
        case CallFailed() | CallRetried() | RunFailed() as fact:
            return replace(event, fact=replace(fact, failure=_terse(fact.failure)))
        case Noted() as fact:
            return replace(event, fact=replace(fact, detail=""))
    return event


def _bare(reply: Reply) -> Reply:
    return replace(reply, text="", reasoning="", tool_calls=(), notes=())


def _terse(failure: Failure) -> Failure:
    return replace(failure, message="", partial="")
