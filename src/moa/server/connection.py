"""One connection to a client: what it sends must come in time, and what it is sent must be read, or it is closed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from http import HTTPStatus

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from moa.server.door import BODY_SECONDS
from moa.server.refusals import Rejection, openai_error
from moa.server.route import new_id

HEADER_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 75
SEND_SECONDS = 30.0
LEAST_READ = 8 << 10
"""Bytes that a client reads in SEND_SECONDS while more wait for it; who reads fewer is given up."""
UNSENT = 1 << 10
"""Bytes that wait here before whoever sends more has to wait. (Short pieces take up three times as many.)"""
MOST_HEAD = 64 << 10
_AUTHORITY = re.compile(rb"[a-z][a-z0-9+.-]*://(?:[^/?#]*@)?([^/?#]*)", re.IGNORECASE)


_TOO_LONG = Rejection(f"The head is larger than {MOST_HEAD} bytes.", 431, code="head_too_large")
_NO_HTTP = Rejection("Invalid HTTP request received.", code="invalid_http")


def _refused(error: Rejection) -> bytes:
    """A whole answer, in OpenAI's shape, to what no route was found for."""
    body, asked = msgspec.json.encode(openai_error(error)), new_id()
    head = (
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        f"x-request-id: {asked}",
        f"request-id: {asked}",
        "cache-control: no-store",
        "connection: close",
    )
    return "\r\n".join((*head, "\r\n")).encode() + body


class Connection(HttpToolsProtocol):
    """One connection. It is aborted, not closed, where time is up: what nobody reads would keep a closing one for ever.

    Its timers: "head" while a head comes, "send" while what was sent waits to be read, "rest" from an answer to the next head.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=UNSENT)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._head = 0
        self._after(HEADER_SECONDS, "head", transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        for name in tuple(self._timers):
            self._stop(name)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol. A head of more than MOST_HEAD bytes is not read to its end."""
        if "head" in self._timers:
            end = data.find(b"\r\n\r\n")
            self._head += len(data) if end < 0 else end
            if self._head > MOST_HEAD:
                self.transport.write(_refused(_TOO_LONG))
                self.transport.close()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """See httptools."""
        super().on_message_begin()
        self._stop("rest")
        if "head" not in self._timers:
            self._after(HEADER_SECONDS, "head", self.transport.abort)

    def on_headers_complete(self) -> None:
        """See httptools."""
        self._stop("head")
        self._head = 0
        if (named := _AUTHORITY.match(self.url)) is not None:  # it counts, and not the header (RFC 9112, 3.2.2)
            self.headers[:] = [*((name, value) for name, value in self.headers if name != b"host"), (b"host", named[1])]
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """See uvicorn."""
        self.transport.write(_refused(_NO_HTTP))
        self.transport.close()

    def on_response_complete(self) -> None:
        """See uvicorn. (Its own timer begins anew with each byte that comes, be it of a body that was refused.)"""
        more = bool(self.pipeline) or "head" in self._timers
        super().on_response_complete()
        if not more:
            rest = self.cycle.more_body or self.transport.is_closing()
            self._after(BODY_SECONDS if rest else KEEP_ALIVE_SECONDS + HEADER_SECONDS, "rest", self.transport.abort)

    def give_up(self) -> None:
        """Hang up on a client whose answer is not at its end."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._stop("send")
        super().resume_writing()

    def _watch(self, unsent: int) -> None:
        self._after(SEND_SECONDS, "send", lambda: self._check(unsent))

    def _check(self, before: int) -> None:
        unsent = self.transport.get_write_buffer_size()
        if before - unsent < LEAST_READ:
            self.transport.abort()
        else:
            self._watch(unsent)

    def _after(self, seconds: float, name: str, do: Callable[[], None]) -> None:
        self._stop(name)
        self._timers[name] = self.loop.call_later(seconds, do)

    def _stop(self, name: str) -> None:
        if (timer := self._timers.pop(name, None)) is not None:
            timer.cancel()
