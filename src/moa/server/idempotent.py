"""Idempotency-Key: the same request sent again gets the same answer, and is carried out once.

As draft-ietf-httpapi-idempotency-key-header-07 has it: a key belongs to its sender, route and body; while the first one runs,
another is a conflict (409); with another body it is a mistake (422). Answers are kept in memory for a day. What may go
well next time, or whose client left, is forgotten, so that it can be tried again.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from moa.server.door import Send
from moa.server.refusals import Rejection

KEPT_SECONDS, MOST_KEPT, MOST_BYTES = 86_400.0, 1000, 1 << 20
_KEY = re.compile(r"^[\x21-\x7e]{1,255}$")
Message = MutableMapping[str, Any]


@dataclass
class Taken:
    """One key in use: the body it came with, and its answer. `lasts`: the same may be answered again."""

    body: bytes
    at: float
    answer: list[Message] = field(default_factory=list)
    size: int = 0
    ended: bool = False
    lasts: bool = False
    done: bool = False

    def sending(self, send: Send) -> Send:
        """Send, and remember what is sent, while it is not too much."""

        async def sending(message: Message) -> None:
            await send(message)
            self.size += len(message.get("body", b""))
            if self.size <= MOST_BYTES:
                self.answer.append(message)
            else:
                self.answer.clear()
            self.ended = message["type"] == "http.response.body" and not message.get("more_body", False)

        return sending

    @property
    def kept(self) -> bool:
        """Whether it is worth remembering."""
        return self.ended and self.lasts and self.size <= MOST_BYTES


@dataclass
class Idempotency:
    """All keys in use. `clock` gives seconds."""

    clock: Callable[[], float]
    _taken: OrderedDict[tuple[str, str, str], Taken] = field(default_factory=OrderedDict)

    @asynccontextmanager
    async def once(self, who: str, route: str, key: str, body: bytes) -> AsyncIterator[Taken]:
        """The key, taken, to which the answer is told; where it is `done`, its answer is there already.

        Raises:
            Rejection: the key is none, or is in use, or came with another body.
        """
        if not _KEY.match(key):
            raise Rejection("Idempotency-Key: 1 to 255 visible ASCII characters.", code="invalid_idempotency_key")
        self._forget_old()
        name, mark = (who, route, key), hashlib.sha256(body).digest()
        known = self._taken.get(name)
        if known is not None:
            if known.body != mark:
                raise Rejection("This Idempotency-Key came with another request.", 422, code="idempotency_key_reused")
            if not known.done:
                message = "The first request with this Idempotency-Key is still running."
                raise Rejection(message, 409, code="idempotency_conflict", retry_after=1)
            yield known
            return
        taken = self._taken[name] = Taken(mark, self.clock())
        try:
            yield taken
        finally:
            taken.done = taken.kept
            if not taken.done:
                self._taken.pop(name, None)

    def _forget_old(self) -> None:
        over = len(self._taken) - MOST_KEPT
        for name, taken in list(self._taken.items()):
            if over <= 0 and taken.at + KEPT_SECONDS > self.clock():
                return
            if taken.done:
                del self._taken[name]
                over -= 1
