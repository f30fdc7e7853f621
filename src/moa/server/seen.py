"""A run's events as clients see them: what a host says of this server's key or credit is the operator's to read, and what models
say behind a gate leaves only as its answer."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import msgspec

from moa.core import errors
from moa.core.errors import Abstained, CallError, MoaError, NotEnoughReplies
from moa.core.events import CallFailed, CallFinished, CallRetried, Event, Failure, Noted, RunFailed, RunFinished
from moa.core.plain import to_plain

OF_KEY = "the model's host does not accept this server's key or credit"
BEHIND = "what was said stays behind the gate"
_OF_KEY = ("AuthFailed", "OutOfCredit")
_SAID = re.compile(rf"\b({'|'.join(_OF_KEY)}): .*", re.DOTALL)
"""The kind of such an error, and the host's words behind it: up to the end, as nobody knows where they end."""
_KINDS = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, MoaError)}
_OWN = {
    name
    for name, kind in _KINDS.items()
    if not issubclass(kind, CallError) or issubclass(kind, Abstained | NotEnoughReplies)
}
"""Errors whose words are ours; those of others are a host's, a model's or a function's, or may quote them."""
_QUOTED = re.compile(rf"\b({'|'.join(sorted(_KINDS.keys() - _OWN - {*_OF_KEY}))}|raised \w+): .*", re.DOTALL)


def seen(event: Event, *, gated: bool = False) -> Event:
    """The event without those words; where its mixture is `gated`, without any words of errors that may quote a model."""
    match event.fact:
        case CallFailed() | CallRetried() | RunFailed() as fact:
            failure = unsaid(fact.failure, gated=gated)
            return event if failure == fact.failure else replace(event, fact=_with(fact, failure))
        case CallFinished() | RunFinished() as fact if fact.reply.notes:
            notes = tuple(_hidden(note, gated) for note in fact.reply.notes)
            return replace(event, fact=replace(fact, reply=replace(fact.reply, notes=notes)))
        case Noted() as fact if (detail := _hidden(fact.detail, gated)) != fact.detail:
            return replace(event, fact=replace(fact, detail=detail))
    return event


def unsaid(failure: Failure, *, gated: bool = False) -> Failure:
    """A failure without those words."""
    if failure.kind in _OF_KEY:
        return replace(failure, message=OF_KEY, partial="" if gated else failure.partial)
    if gated:
        words = _hidden(failure.message, gated) if failure.kind in _OWN else BEHIND
        return replace(failure, message=words, partial="")
    return replace(failure, message=_hidden(failure.message, gated))


def in_json(data: Any) -> bytes:
    """What a client is sent, as JSON. Half a surrogate pair, which UTF-8 has no bytes for, is a question mark."""
    try:
        return msgspec.json.encode(data)
    except UnicodeEncodeError:
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _with(fact: CallFailed | CallRetried | RunFailed, failure: Failure) -> CallFailed | CallRetried | RunFailed:
    return replace(fact, failure=failure)


def _hidden(words: str, gated: bool) -> str:
    words = _SAID.sub(rf"\1: {OF_KEY}", words)
    return _QUOTED.sub(rf"\1: {BEHIND}", words) if gated else words


def told(event: Event, *, gated: bool = False) -> dict[str, Any]:
    """An event as JSON; the nonce that fences references stays here, too, and so does what a call of a `gated` mixture said."""
    event = seen(event, gated=gated)
    if gated and isinstance(event.fact, CallFinished):
        bare = replace(event.fact.reply, text="", reasoning="", tool_calls=(), others=(), logprobs=(), notes=())
        event = replace(event, fact=replace(event.fact, reply=bare))
    plain = to_plain(event)
    plain.pop("nonce", None)
    return plain
