"""A stored run, told: for a person, or as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from moa.cli.live import state
from moa.cli.output import moment, money, one_line, seconds, to_json
from moa.cli.report import duration, result
from moa.core.events import Event
from moa.core.named import headed
from moa.core.plain import plain as plain_value
from moa.core.plain import to_plain
from moa.core.view import CallView, View, folded
from moa.stores.rating import Rating

_SHORT = 160


def plain(events: Sequence[Event], rating: Rating | None = None, *, events_too: bool) -> dict[str, Any]:
    """The run as one object."""
    view = folded(events)
    told = result(view, view.answer, texts=True)
    told |= {"state": view.state, "started": view.started, "problem": view.problem}
    told |= {"conversation": [plain_value(message) for message in view.conversation]}
    told |= {"rating": rating and asdict(rating)}
    return told | ({"events": [to_plain(event) for event in events]} if events_too else {})


def written(events: Sequence[Event], rating: Rating | None = None, *, events_too: bool) -> Iterator[str]:
    """The run in lines: how it went, how it was rated, what each call said, the answer."""
    view = folded(events)
    yield f"run {view.run}  mixture {view.mixture}  {view.state}  {moment(view.started)}"
    yield _figures(view)
    if rating is not None:
        yield f"rated: {one_line(str(rating))}"
    for message in view.conversation:
        yield f"\n── {message.role} ──\n{headed((message,))[0].text.rstrip()}"
    for call in view.calls:
        yield f"\n── {_heading(call)} ──\n{call.text.rstrip() or call.problem}"
    for note in view.notes:
        yield f"\nnote: {one_line(note)}"
    yield f"\n── answer ──\n{view.answer.rstrip()}" if view.state == "done" else f"\nno answer: {view.problem}"
    if events_too:
        yield "\n── events ──"
        yield from (_line(event, view.started) for event in events)


def _figures(view: View) -> str:
    took = None if view.ended is None else view.ended - view.started
    parts = (
        seconds(took),
        "" if view.ended is None else money(view.cost),
        f"{len(view.calls)} calls",
        f"{view.usage.input} tokens in, {view.usage.output} out",
        "degraded" if view.degraded else "",
    )
    return " · ".join(part for part in parts if part)


def _heading(call: CallView) -> str:
    parts = (
        f"{call.role} {call.agent}",
        call.model if call.model != call.agent else "",
        state(call),
        f"saw {', '.join(call.saw)}" if call.saw else "",
        f"{call.tokens} tokens" if call.tokens else "",
        seconds(duration(call)),
    )
    return " · ".join(part for part in parts if part)


def _line(event: Event, started: float) -> str:
    data = to_plain(event)
    for name in ("run", "seq", "time", "span", "parent", "kind", "digests", "nonce"):
        data.pop(name, None)
    words = to_json(data)
    words = words if len(words) <= _SHORT else f"{words[: _SHORT - 1]}…"
    where = f"{event.parent}/{event.span}"
    kind = to_plain(event)["kind"]
    return f"{event.seq:>4}  {event.time - started:>8.3f} s  {where:>7}  {kind:<14}  {words}"
