"""moa's Transport over pyreqwest, to be measured beside the one over aiohttp that moa ships. Needs pyreqwest installed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from pyreqwest import exceptions
from pyreqwest.client import Client, ClientBuilder

from moa.core.errors import BadReply, Cut, ProviderError, TimedOut, Unreachable
from moa.providers._http import CONNECT_SECONDS, KEEP_ALIVE_SECONDS

PIECE = 65_536


class Pyreqwest:
    """A Transport: one client per event loop, made at the first request."""

    def __init__(self, certificate: bytes | None = None) -> None:
        self._clients: dict[asyncio.AbstractEventLoop, Client] = {}
        self._certificate = certificate

    @asynccontextmanager
    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, again: bool = True
    ) -> AsyncIterator[_Response]:
        """See Transport."""
        wanted = self._client().request(method, url).headers(dict(headers)).streamed_read_buffer_limit(0)
        if body:
            wanted = wanted.body_bytes(body)
        try:
            async with wanted.build_streamed() as response:
                yield _Response(response)
        except exceptions.PyreqwestError as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        """See Transport."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()

    def _client(self) -> Client:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            builder = (
                ClientBuilder().follow_redirects(False).no_proxy().user_agent("moa").http1_only()
                .gzip(False).brotli(False).zstd(False).deflate(False)
                .connect_timeout(timedelta(seconds=CONNECT_SECONDS)).pool_idle_timeout(timedelta(seconds=KEEP_ALIVE_SECONDS))
            )  # fmt: skip
            if self._certificate is not None:
                builder = builder.add_root_certificate_pem(self._certificate)
            self._clients[loop] = builder.build()
        return self._clients[loop]


class _Response:
    def __init__(self, inner: Any) -> None:
        self._inner, self._reader = inner, inner.body_reader
        self.status: int = inner.status
        self.headers: Mapping[str, str] = inner.headers

    async def read(self, limit: int) -> bytes:
        pieces, size = [], 0
        while piece := await self.piece():
            size += len(piece)
            if size > limit:
                raise BadReply(f"the answer is longer than {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    async def readable(self, limit: int) -> bytes:
        with suppress(BadReply, exceptions.PyreqwestError):
            return await self.read(limit)
        return b""

    async def piece(self) -> bytes:
        chunk = await self._reader.read_chunk()
        return b"" if chunk is None else bytes(chunk)

    async def drain(self) -> None:
        try:
            async with asyncio.timeout(0.05):
                await self._reader.read_chunk()
        except TimeoutError:
            pass


def _translated(error: exceptions.PyreqwestError) -> ProviderError:
    match error:
        case exceptions.ConnectTimeoutError() | exceptions.ConnectError():
            return Unreachable(str(error)[:200])
        case exceptions.RequestTimeoutError():
            return TimedOut("the host stopped talking")
        case exceptions.NetworkError():
            return Cut("the connection broke before the answer was whole")
    return BadReply(str(error)[:200])
