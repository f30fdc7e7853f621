"""Runs the application on uvicorn, with a drain at the first SIGTERM."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

import uvicorn

from moa.core.errors import ConfigError
from moa.server.app import App
from moa.server.connection import KEEP_ALIVE_SECONDS, Connection
from moa.server.route import log

DRAIN_SECONDS = 30.0
LAST_SECONDS = 2.0
"""For which, at the very end, clients may still take what they are told."""
SEEN_SECONDS = 0.2
"""For which the door stays open at the end, so that whoever balances load sees that we are not ready."""
UNSENT = 32 << 10
"""Bytes that the kernel holds for a client that does not read; else it takes megabytes, and tells us late of who reads slowly."""


class Serving(uvicorn.Server):
    """A server that, told to end, first says that it is not ready, finishes what is under way, and then goes."""

    def __init__(self, config: uvicorn.Config, app: App, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._app, self._ready = app, ready

    async def startup(self, sockets: Any = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        self._told = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        """Say where it can be asked. What the first answer needs is loaded meanwhile, in a thread: whether it is ready can be asked
        at once."""
        await asyncio.to_thread(self._app.state.catalogue.load)
        for server in self.servers:
            host, port = server.sockets[0].getsockname()[:2]
            self._ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first SIGTERM drains; a second one, or Ctrl-C, ends at once."""
        again, self._app.state.draining = self._app.state.draining, True
        if again or sig == signal.SIGINT:
            super().handle_exit(sig, frame)
            return
        self._drained = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        await asyncio.sleep(SEEN_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._app.idle.wait()
        self.should_exit = True

    async def shutdown(self, sockets: Any = None) -> None:
        """See uvicorn. What is still under way is cancelled, and its clients are told; who does not listen is hung up on."""
        self._app.state.underway.end()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                await self._app.idle.wait()
        for connection in list(self.server_state.connections):
            if isinstance(connection, Connection):
                connection.give_up()
        await super().shutdown(sockets)


class JsonLines(logging.Formatter):
    """Each record one JSON line; what moa's server logs of a request is one already."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        if record.name == log.name:
            return record.getMessage()
        line = {"level": record.levelname.lower(), "logger": record.name, "problem": record.getMessage()}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configured(app: App, host: str, port: int) -> uvicorn.Config:
    """How uvicorn serves it."""
    return uvicorn.Config(
        app,
        host,
        port,
        loop="uvloop",
        http=Connection,
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=2,
    )


def listening(host: str, port: int) -> socket.socket:
    """A socket to serve on.

    Raises:
        ConfigError: nobody can listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}, port {port}: {error.strerror}; take another --port or --host"
        ) from None
    if (option := getattr(socket, "TCP_NOTSENT_LOWAT", None)) is not None:
        sock.setsockopt(socket.IPPROTO_TCP, option, UNSENT)  # its connections have it, too
    return sock


def run(app: App, host: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until told to end. `ready` is told the address once it can be asked.

    Raises:
        ConfigError: nobody can listen there.
    """
    with listening(host, port) as sock:
        Serving(configured(app, host, port), app, ready).run(sockets=[sock])
