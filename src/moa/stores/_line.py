"""An event as one line of JSON, and back."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec

from moa.core.errors import ConfigError
from moa.core.events import Event, Noted
from moa.core.plain import from_plain, to_plain
from moa.stores._summary import printable
from moa.stores._texts import without_texts

_ENCODE = msgspec.json.Encoder().encode
_ENCODE_ODD = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def written(event: Event, prompts: bool) -> tuple[Event, str]:
    """The event as it is kept, and its line (no newline in it).

    A fact that cannot be written (a provider of the user's that put no text into its Reply) becomes a Noted that says
    so, in its place: one bad fact must neither stop the store nor leave a gap.
    """
    try:
        event.run.encode()
        kept = event if prompts else without_texts(event)
        return kept, _encoded(to_plain(kept))
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
        detail = f"{type(event.fact).__name__}: {type(error).__name__}"
        note = replace(event, run=printable(event.run), fact=Noted("not writable", detail))
        return note, _encoded(to_plain(note))


def _encoded(plain: object) -> str:
    try:
        return _ENCODE(plain).decode()
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 has no bytes for
        return _ENCODE_ODD(plain)


def event_of(line: str | bytes, where: str) -> Event:
    """The event on a line.

    Raises:
        ConfigError: it is no event; says `where`, and why.
    """
    try:
        return from_plain(json.loads(line))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: damaged: not a line of JSON ({error})") from None
    except ConfigError as error:
        raise ConfigError(f"{where}: damaged: {error}") from None
