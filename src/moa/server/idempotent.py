"""Idempotency-Key: the same request sent again gets the same answer, and is carried out once.

As draft-ietf-httpapi-idempotency-key-header-07 has it: a key belongs to its sender, route and body; while the first one runs,
another is a conflict (409); with another body it is a mistake (422). Answers are kept in memory for a day, of each sender so many
bytes: nobody's are forgotten for another's. What may go well next time, or whose client left, is forgotten, so that it can be
tried again.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from moa.server.door import Send
from moa.server.refusals import Rejection

KEPT_SECONDS, MOST_BYTES = 86_400.0, 1 << 20
MOST_OF_ONE = 64 << 20
"""Bytes of answers that are kept of one sender; the oldest go first."""
AROUND = 2 << 10
"""Bytes that an answer takes up besides its body: head, key and digest."""
_KEY = re.compile(r"^[\x21-\x7e]{1,255}$")
Message: TypeAlias = MutableMapping[str, Any]
Name: TypeAlias = tuple[str, str]
"""A route and an Idempotency-Key."""


@dataclass
class Taken:
    """One key in use: the body it came with, and its answer. `lasts`: the same may be answered again."""

    body: bytes
    at: float = 0.0
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

    def end(self, now: float) -> None:
        """Nothing more is sent; where it is worth remembering it is `done`, and its pieces are one."""
        self.done = self.ended and self.lasts and self.size <= MOST_BYTES
        if self.done:
            head, *pieces = self.answer
            body = b"".join(piece.get("body", b"") for piece in pieces)
            self.at, self.answer = now, [head, {"type": "http.response.body", "body": body}]


@dataclass
class _Sender:
    """What one sender has asked with a key: what is under way, and answers, the oldest first."""

    running: dict[Name, Taken] = field(default_factory=dict)
    kept: OrderedDict[Name, Taken] = field(default_factory=OrderedDict)
    bytes: int = 0

    def keep(self, name: Name, taken: Taken) -> None:
        self.kept[name] = taken
        self.bytes += taken.size + AROUND

    def forget(self, before: float) -> None:
        """Forget what is older than that, and the oldest where it is too much."""
        while self.kept and (self.bytes > MOST_OF_ONE or next(iter(self.kept.values())).at <= before):
            _, taken = self.kept.popitem(last=False)
            self.bytes -= taken.size + AROUND


@dataclass
class Idempotency:
    """All keys in use, by who sent them. `clock` gives seconds."""

    clock: Callable[[], float]
    _senders: dict[str, _Sender] = field(default_factory=dict)

    @asynccontextmanager
    async def once(self, who: str, route: str, key: str, body: bytes) -> AsyncIterator[Taken]:
        """The key, taken, to which the answer is told; where it is `done`, its answer is there already.

        Raises:
            Rejection: the key is none, or is in use, or came with another body.
        """
        if not _KEY.match(key):
            raise Rejection("Idempotency-Key: 1 to 255 visible ASCII characters.", code="invalid_idempotency_key")
        self._forget_old()
        sender = self._senders.setdefault(who, _Sender())
        name, mark = (route, key), hashlib.sha256(body).digest()
        known = sender.running.get(name) or sender.kept.get(name)
        if known is not None:
            if known.body != mark:
                raise Rejection("This Idempotency-Key came with another request.", 422, code="idempotency_key_reused")
            if not known.done:
                message = "The first request with this Idempotency-Key is still running."
                raise Rejection(message, 409, code="idempotency_conflict", retry_after=1)
            yield known
            return
        taken = sender.running[name] = Taken(mark)
        try:
            yield taken
        finally:
            del sender.running[name]
            taken.end(self.clock())
            if taken.done:
                sender.keep(name, taken)

    def _forget_old(self) -> None:
        for who, sender in list(self._senders.items()):
            sender.forget(self.clock() - KEPT_SECONDS)
            if not sender.kept and not sender.running:
                del self._senders[who]
