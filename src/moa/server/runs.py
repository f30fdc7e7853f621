"""Runs as they are seen from outside: stored ones, and those under way."""

from __future__ import annotations

from collections.abc import AsyncIterator

from moa.core.events import Event, RunStarted
from moa.server._completing import frame
from moa.server.door import tenant
from moa.server.refusals import Rejection
from moa.server.route import Asking
from moa.server.seen import told
from moa.server.state import State
from moa.server.turn import attended, kept_alive


async def run(state: State, asking: Asking) -> None:
    """GET /v1/moa/runs/{id}: a stored run, event by event."""
    events = _owned(state, asking, _stored(state, asking))
    await asking.answer(200, {"run": asking.arguments[0], "events": [told(event) for event in events]})


async def run_events(state: State, asking: Asking) -> None:
    """GET /v1/moa/runs/{id}/events: the events of a run as they happen, or as they were; `Last-Event-ID` goes on behind one."""
    following = state.catalogue.live.find(asking.arguments[0])
    if following is not None:
        _owned(state, asking, following.events)
        events = following.follow()
    else:
        events = _each(_owned(state, asking, _stored(state, asking)))
    last = asking.headers.get("last-event-id", "")
    after = int(last) if last.isdigit() and len(last) < 10 else -1
    async with attended(asking.receive):
        await asking.begin(200, {"content-type": "text/event-stream; charset=utf-8"})
        async with kept_alive(asking.say) as say:
            async for event in events if asking.scope["method"] == "GET" else _each([]):
                if event.seq > after:
                    plain = told(event)
                    await say(f"id: {event.seq}\n".encode() + frame(plain, event=str(plain["kind"])))
        await asking.send({"type": "http.response.body", "body": b""})


async def _each(events: list[Event]) -> AsyncIterator[Event]:
    for event in events:
        yield event


def _stored(state: State, asking: Asking) -> list[Event]:
    store = state.catalogue.rig.store
    return store.events(asking.arguments[0]) if store is not None else []


def _owned(state: State, asking: Asking, events: list[Event]) -> list[Event]:
    """The events of a run that this key may see: one of its own; where no key is needed, one that no key has asked.

    Raises:
        Rejection: there is none, or it is another's: nobody can tell which.
    """
    first = events[0].fact if events else None
    if not isinstance(first, RunStarted) or first.tenant != tenant(asking.key):
        raise Rejection(f"There is no run '{asking.arguments[0][:80]}'.", 404, code="run_not_found")
    return events
