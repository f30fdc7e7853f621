"""One request being served, and what a route is."""

from __future__ import annotations

import json
import logging
import re
import traceback
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from moa.engine.chance import token
from moa.server.door import Receive, Scope, Send
from moa.server.refusals import Rejection, is_bug, openai_error, operators, status_of, unavailable, wait_of
from moa.server.seen import in_json
from moa.server.state import State
from moa.stores.keys import Key

log = logging.getLogger("moa.server")
Handle: TypeAlias = "Callable[[State, Asking], Awaitable[None]]"
JSON = "application/json"


def new_id() -> str:
    """The id of a request that brings none."""
    return f"req_{token(12)}"


@dataclass
class Asking:
    """One HTTP request being served. What may hold its secret is not shown."""

    scope: Scope = field(repr=False)
    receive: Receive = field(repr=False)
    send: Send = field(repr=False)
    id: str
    headers: Mapping[str, str] = field(repr=False)
    key: Key
    arguments: tuple[str, ...] = ()
    limits: dict[str, str] = field(default_factory=dict)
    status: int = 0
    model: str = ""
    run: str = ""

    async def answer(self, status: int, body: Any, **more: str) -> None:
        """Send a whole answer; `body` becomes JSON, bytes are sent as they are."""
        raw = body if isinstance(body, bytes) else in_json(body)
        await self.begin(status, {"content-type": JSON, "content-length": str(len(raw)), **more})
        content = b"" if self.scope["method"] == "HEAD" else raw
        await self.send({"type": "http.response.body", "body": content})

    async def say(self, frames: bytes) -> None:
        """Send a piece of a stream."""
        await self.send({"type": "http.response.body", "body": frames, "more_body": True})

    async def again(self, answer: Sequence[MutableMapping[str, Any]]) -> None:
        """Send an answer that was sent before, under the id of this request and with what is left to its sender now."""
        now = {"x-request-id": self.id, "request-id": self.id} | self.limits
        for message in answer:
            if message["type"] == "http.response.start":
                own = [(name, value) for name, value in message["headers"] if name.decode() not in now]
                self.status = message["status"]
                message = {**message, "headers": [*own, *_raw(now)]}
            await self.send(message)

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of an answer."""
        self.status = status
        all_of_them = (
            {"x-request-id": self.id, "request-id": self.id, "cache-control": "no-store"}
            | {"x-content-type-options": "nosniff"}
            | self.limits
            | dict(headers)
        )
        await self.send({"type": "http.response.start", "status": status, "headers": _raw(all_of_them)})


def _raw(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a path. `scope` is what a key must be good for; None: anybody may ask."""

    method: str
    path: re.Pattern[str]
    scope: str | None
    handle: Handle
    refusal: Callable[[Exception], Any] = openai_error


def outward(asking: Asking, error: Exception) -> Exception:
    """The error as a client may see it; what is the operator's to read is logged."""
    if (wrong := operators(error)) is None:
        return error
    log.error("%s", json.dumps({"request": asking.id, "model": asking.model, "problem": str(wrong)}))
    return error if isinstance(error, Rejection) else unavailable(asking.model)


async def refuse(asking: Asking, shape: Callable[[Exception], Any], error: Exception) -> None:
    """Send an error, in that shape."""
    error = outward(asking, error)
    if is_bug(error):
        trace = "".join(traceback.format_exception(error))
        log.error("%s", json.dumps({"request": asking.id, "problem": repr(error), "traceback": trace}))
    if asking.status:  # its head is out already: what is sent now would be no HTTP
        return
    wait = wait_of(error)
    more = {} if wait is None else {"retry-after": str(max(1, -(-int(wait * 1000) // 1000)))}
    if isinstance(error, Rejection):
        more |= error.headers
        more |= {"connection": "close"} if error.status == 408 else {}
    await asking.answer(status_of(error), shape(error), **more)
