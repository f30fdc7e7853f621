"""Addresses of hosts, looked up in threads that nobody waits for.

An event loop that ends waits for the threads of its executor, and so does the interpreter: a name server that is silent would
hold up both long after the deadline of the question.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any, cast

from aiohttp.resolver import ThreadedResolver


class Names(ThreadedResolver):
    """aiohttp's own resolver, in such threads."""

    def __init__(self) -> None:
        super().__init__(cast("asyncio.AbstractEventLoop", _Threads()))  # of a loop it uses these two methods alone


class _Threads:
    async def getaddrinfo(self, host: str, port: int, **how: Any) -> Any:
        return await _apart(partial(socket.getaddrinfo, host, port, **how))

    async def getnameinfo(self, address: Any, flags: int) -> Any:
        return await _apart(partial(socket.getnameinfo, address, flags))


async def _apart(look_up: Callable[[], Any]) -> Any:
    """What it comes to, or raises, in a daemon thread."""
    loop = asyncio.get_running_loop()
    found: asyncio.Future[Any] = loop.create_future()

    def tell(result: Any, error: Exception | None) -> None:
        if found.done():
            return
        if error is None:
            found.set_result(result)
        else:
            found.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = look_up()
        except Exception as raised:  # noqa: BLE001 - it is raised where it is awaited
            error = raised
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, result, error)

    Thread(target=run, name="moa-names", daemon=True).start()
    return await found
