"""The one HTTP transport of all wires: our own Protocol, and aiohttp behind it.

It follows no redirect (a key belongs to one origin), takes no proxy from the environment, verifies TLS, and bounds what
it reads after decompression. What aiohttp or the system raises becomes one of moa's errors here and nowhere else.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest, ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from moa.core.errors import BadReply, BadRequest, Cut, ProviderError, TimedOut, Unreachable
from moa.providers._names import Names

CONNECT_SECONDS = 5.0
HANDSHAKES = 512
"""So many connections to one host are made at a time. Each takes about 4 kB more while it is being made than afterwards, which a
thousand mixtures that begin together would never give back."""
KEEP_ALIVE_SECONDS = 30.0
STALE_SECONDS = 0.5
"""A used connection that breaks later than this had been open: the request may have been read, and is not sent again here."""
DRAIN_SECONDS = 0.05
FAILURE_SECONDS = 2.0
"""How long the body of a failure is waited for: its status and header have said the most of it."""


class Response(Protocol):
    """An answer whose head has come; its body is read once, either whole or piece by piece."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The header, with names in any case."""
        ...

    async def read(self, limit: int) -> bytes:
        """The whole body, decompressed.

        Raises:
            BadReply: it is longer than `limit` bytes.
            Cut: it ended before its end.
        """
        ...

    async def readable(self, limit: int) -> bytes:
        """What can be read of the body of a failure: about `limit` bytes at most, within two seconds, up to where it breaks."""
        ...

    async def piece(self) -> bytes:
        """The next bytes of the body as they come, decompressed; empty at its end.

        Raises:
            Cut: the connection broke.
        """
        ...

    async def drain(self) -> None:
        """Wait a moment for the end of a body that is known to be complete, so that its connection can be used again."""
        ...


class Transport(Protocol):
    """Whoever can carry a request to a host."""

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, again: bool = True
    ) -> AbstractAsyncContextManager[Response]:
        """Send it and wait for the head of the answer; leaving the context closes a body that is not read to its end.

        `again`: where a connection that was used before breaks at once, it may be sent once more, on a new one.

        Raises:
            Unreachable: no connection within five seconds.
            TimedOut: the host stopped talking.
            Cut: the connection broke.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        ...


class Aiohttp:
    """A Transport over aiohttp: one session per event loop, made at the first request.

    Whoever ends an event loop awaits `aclose` in it first.
    """

    def __init__(self) -> None:
        self._sessions: dict[asyncio.AbstractEventLoop, aiohttp.ClientSession] = {}

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, again: bool = True
    ) -> _Exchange:
        """See Transport."""
        return _Exchange(self._session(), method, url, headers, body, again)

    async def aclose(self) -> None:
        """See Transport."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()

    def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None:  # other threads may be here, too, with loops of their own
            for ended in [known for known in list(self._sessions) if known.is_closed()]:
                self._sessions.pop(ended, None)
            session = self._sessions[loop] = _session()
        return session


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=_Connector(),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS),
        # identity: compressing a few kB saves no time, and a bomb has to be sent in full.
        headers={"Accept-Encoding": "identity", "User-Agent": "moa"},
        trust_env=False,
    )


class _Connector(aiohttp.TCPConnector):
    """Tells an exchange whether it goes out on a connection that was kept, and gives it a new one where it wants that.

    It makes no more than HANDSHAKES to one host at a time.
    """

    def __init__(self) -> None:
        # limit=0: how many calls go out at once is decided by wrap/limit, not by a hidden queue here.
        super().__init__(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS, resolver=Names())
        self._handshakes: dict[ConnectionKey, asyncio.Semaphore] = {}

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        way = _WAY.get()
        connection = None if way.kept else await super()._get(key, traces)
        way.kept = connection is not None
        return connection

    async def _create_connection(
        self, req: ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        async with self._handshakes.setdefault(req.connection_key, asyncio.Semaphore(HANDSHAKES)):
            return await super()._create_connection(req, traces, timeout)


class _Way:
    """Whether a request goes out on a connection that was kept. Small: a new connection's reader holds the context it was made
    in, and so this, as long as it lives."""

    __slots__ = ("kept",)

    def __init__(self) -> None:
        self.kept = False


_WAY: ContextVar[_Way] = ContextVar("way")
"""Of the request that this task sends; aiohttp hands its connector nothing else."""


class _Exchange:
    """One request and its answer. (A class and no generator: of these there may be thousands.)

    A host may close a kept connection at the very moment we send (llama.cpp does after each stream): the request was then never
    read, so it is sent again, on a new one. On a new connection the same failure is an error.
    """

    __slots__ = ("_asked", "_resent", "_response", "_way")

    def __init__(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        again: bool,
    ) -> None:
        self._asked = (session, method, url, headers, body, again)
        self._way, self._resent = _Way(), False

    async def __aenter__(self) -> _Response:
        clock = asyncio.get_running_loop().time
        _WAY.set(self._way)
        sent = clock()
        try:
            self._response = await self._send()
        except (aiohttp.ClientError, OSError) as error:
            if not self._is_stale(error, clock() - sent):
                raise _translated(error) from error
            self._resent = True
            try:
                self._response = await self._send()
            except (aiohttp.ClientError, OSError) as second:
                raise _translated(second, resent=True) from second
        return _Response(self._response)

    def _send(self) -> Awaitable[aiohttp.ClientResponse]:
        session, method, url, headers, body, _ = self._asked
        return session.request(method, url, headers=headers, data=body or None, allow_redirects=False)

    def _is_stale(self, error: Exception, seconds: float) -> bool:
        """Whether a kept connection broke, and so soon that nothing was read."""
        broke = isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
        return broke and self._way.kept and self._asked[-1] and seconds <= STALE_SECONDS

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._response.__aexit__(kind, error, trace)
        if isinstance(error, aiohttp.ClientError | OSError):
            raise _translated(error, resent=self._resent) from error
        if isinstance(error, ProviderError):
            error.resent = self._resent


class _Response:
    """A Response over aiohttp's."""

    __slots__ = ("_inner", "headers", "status")

    def __init__(self, inner: aiohttp.ClientResponse) -> None:
        self._inner = inner
        self.status: int = inner.status
        self.headers: Mapping[str, str] = inner.headers

    async def read(self, limit: int) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while piece := await self._inner.content.readany():
            size += len(piece)
            if size > limit:
                raise BadReply(f"the answer is longer than {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    async def readable(self, limit: int) -> bytes:
        pieces: list[bytes] = []
        with suppress(TimeoutError, aiohttp.ClientError, OSError):
            async with asyncio.timeout(FAILURE_SECONDS):
                while sum(map(len, pieces)) < limit and (piece := await self._inner.content.readany()):
                    pieces.append(piece)
        return b"".join(pieces)

    async def piece(self) -> bytes:
        return await self._inner.content.readany()

    async def drain(self) -> None:
        if self._inner.content.at_eof():
            return
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._inner.content.readany()
        except (TimeoutError, aiohttp.ClientError, OSError):
            pass  # the connection is closed instead of kept: the answer itself is complete


def _translated(error: aiohttp.ClientError | OSError, *, resent: bool = False) -> ProviderError:
    """The moa error that `error` is."""
    problem = _ours(error)
    problem.resent = resent
    return problem


def _ours(error: aiohttp.ClientError | OSError) -> ProviderError:
    """The class of it; the most specific one first."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return Unreachable(f"no connection within {CONNECT_SECONDS:g} s")
        case ssl.SSLError() | aiohttp.ClientSSLError() | aiohttp.ClientConnectorCertificateError():
            return Unreachable(f"TLS: {_words(error)}")
        case aiohttp.ClientConnectorError():
            return Unreachable(f"no connection: {_reason(error.os_error)}")
        case aiohttp.ServerTimeoutError() | TimeoutError():
            return TimedOut("the host stopped talking")
        case aiohttp.ServerDisconnectedError():
            return Cut("the host closed the connection before it answered")
        case aiohttp.ClientPayloadError() | aiohttp.ClientConnectionError() | ConnectionError():
            return Cut("the connection broke before the answer was whole")
        case aiohttp.InvalidURL():
            return BadRequest("the address is no valid URL")
        case aiohttp.ClientError():
            return BadReply(f"the answer is not HTTP: {_words(error)}")
    return Unreachable(_words(error))


def _reason(error: OSError) -> str:
    """Why there is no connection, without the address, which is nobody else's to know."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or type(error).__name__


def _words(error: BaseException) -> str:
    """One short line of what the error says."""
    return " ".join(str(error).split())[:200] or type(error).__name__
