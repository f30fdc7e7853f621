"""One connection to a client: what it sends must come in time, and what it is sent must be read, or it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from moa.server.door import BODY_SECONDS

HEADER_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 75
SEND_SECONDS = 30.0
LEAST_READ = 8 << 10
"""Bytes that a client reads in SEND_SECONDS while more wait for it; who reads fewer is given up."""
UNSENT = 1 << 10
"""Bytes that wait here before whoever sends more has to wait. (Short pieces take up three times as many.)"""
MOST_HEAD = 64 << 10
_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


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
                self.transport.write(_TOO_LONG)
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
        super().on_headers_complete()

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
