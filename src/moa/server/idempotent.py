"""Idempotency-Key: the same request sent again gets the same answer, and is carried out once.

As draft-ietf-httpapi-idempotency-key-header-07 has it: a key belongs to its sender, route and body; while the first one runs,
another is a conflict (409); with another body it is a mistake (422). Answers are kept in memory for a day. What failed with 5xx,
or whose client left, is forgotten, so that it can be tried again.
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
class _Taken:
    """One key in use: the body it came with, and the answer once there is one."""

    body: bytes
    at: float
    answer: list[Message] = field(default_factory=list)
    whole: bool = False


@dataclass
class Idempotency:
    """All keys in use. `clock` gives seconds."""

    clock: Callable[[], float]
    _taken: OrderedDict[tuple[str, str, str], _Taken] = field(default_factory=OrderedDict)

    @asynccontextmanager
    async def once(self, who: str, route: str, key: str, body: bytes, send: Send) -> AsyncIterator[Send | None]:
        """How to send the answer, which is remembered; None where it was sent before: it has been sent again.

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
            if not known.whole:
                raise Rejection(
                    "The first request with this Idempotency-Key is still running.",
                    409,
                    code="idempotency_conflict",
                    retry_after=1,
                )
            for message in known.answer:
                await send(message)
            yield None
            return
        taken = self._taken[name] = _Taken(mark, self.clock())
        try:
            yield _remembering(taken, send)
        finally:
            if not taken.whole:
                self._taken.pop(name, None)

    def _forget_old(self) -> None:
        while self._taken:
            name, first = next(iter(self._taken.items()))
            if not first.whole or (len(self._taken) <= MOST_KEPT and first.at + KEPT_SECONDS > self.clock()):
                return
            del self._taken[name]


def _remembering(taken: _Taken, send: Send) -> Send:
    async def sending(message: Message) -> None:
        await send(message)
        if message["type"] == "http.response.start" and message["status"] >= 500:
            taken.body = b""  # never to be whole
        taken.answer.append(message)
        ended = message["type"] == "http.response.body" and not message.get("more_body", False)
        small = sum(len(one.get("body", b"")) for one in taken.answer) <= MOST_BYTES if ended else True
        taken.whole = bool(ended and small and taken.body)

    return sending
