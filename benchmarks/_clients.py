"""Raw clients of an HTTP server: patient and impatient ones, some that dawdle, some that do not read.

An answer is noted as it comes (`Answer`); little is spent on it, since clients and mock share a CPU.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvloop
from _load import Client as Again
from _load import Seen
from _served import KEY

CHAT = "/v1/chat/completions"
HOST = "127.0.0.1"


def request(
    model: str, *, path: str = CHAT, key: str = KEY, text: str = "Which city?", headers: str = "", **more: Any
) -> bytes:
    """A question, as it goes over the wire."""
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}], **more}).encode()
    return head_of("POST", path, len(body), key, headers) + body


def head_of(method: str, path: str, length: int = 0, key: str = KEY, headers: str = "") -> bytes:
    """The head of a request; `headers` are lines of it."""
    lines = [f"{method} {path} HTTP/1.1", *([] if "host:" in headers.lower() else [f"Host: {HOST}"])]
    lines += [f"Authorization: Bearer {key}"] * bool(key)
    lines += ["Content-Type: application/json", f"Content-Length: {length}"] * bool(length)
    return "".join(f"{line}\r\n" for line in lines).encode() + headers.encode() + b"\r\n"


@dataclass
class Answer:
    """What came of one request: `times` are those at which something of the body came, `seconds` from connecting to the end,
    which was at `ended`."""

    status: int = 0
    head: bytes = b""
    body: bytearray = field(default_factory=bytearray)
    times: list[float] = field(default_factory=list)
    seconds: float = 0.0
    ended: float = 0.0
    whole: bool = False

    @property
    def ok(self) -> bool:
        """Whether all of a good answer came."""
        return self.whole and self.status == 200

    @property
    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)


class Client(asyncio.Protocol):
    """One connection that asks once; `done` when the answer is whole, or the connection is lost."""

    def __init__(self, sent: bytes) -> None:
        self._sent, self.answer = sent, Answer()
        self.done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._began, self._need = time.perf_counter(), -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self.transport: Any = transport
        if self._sent:
            self.transport.write(self._sent)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        answer = self.answer
        if not answer.status:
            answer.head += data
            head, gap, data = answer.head.partition(b"\r\n\r\n")
            if not gap:
                return
            answer.head, answer.status = head, int(head.split(b" ", 2)[1])
            _, named, length = head.lower().partition(b"content-length:")
            self._need = int(length.split(b"\r\n")[0]) if named else -1
        if data:
            answer.body += data
            answer.times.append(time.perf_counter())
        if len(answer.body) >= self._need if self._need >= 0 else answer.body.endswith(b"0\r\n\r\n"):
            answer.whole = True
            self.end()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.end()

    def end(self) -> None:
        """That was it."""
        if not self.done.done():
            self.answer.ended = time.perf_counter()
            self.answer.seconds = self.answer.ended - self._began
            self.done.set_result(self.answer)


async def opened(port: int, sent: bytes) -> Client:
    """A connection over which this was sent."""
    _, client = await asyncio.get_running_loop().create_connection(lambda: Client(sent), HOST, port)
    return client


async def ask(port: int, sent: bytes, patience: float = 60.0) -> Answer:
    """What is answered; nothing (status 0) where nobody listens or takes longer."""
    began = time.perf_counter()
    try:
        client = await opened(port, sent)
    except OSError:
        return Answer(seconds=time.perf_counter() - began)
    try:
        async with asyncio.timeout(patience):
            return await asyncio.shield(client.done)
    except TimeoutError:
        client.end()
        return client.answer
    finally:
        client.transport.close()


async def leave(port: int, sent: bytes, after: float) -> None:
    """Ask, and go after so many seconds."""
    client = await opened(port, sent)
    await asyncio.sleep(after)
    client.transport.abort() if random.random() < 0.5 else client.transport.close()


async def together(count: int, one: Callable[[int], Awaitable[Any]], at_once: int = 10_000) -> list[Any]:
    """What each of so many does."""
    places = asyncio.Semaphore(at_once)

    async def placed(number: int) -> Any:
        async with places:
            return await one(number)

    return list(await asyncio.gather(*(placed(number) for number in range(count))))


async def arriving(port: int, sent: bytes, rate: float, seconds: float, patience: float = 60.0) -> list[Answer]:
    """An open load: so many requests a second, each over a connection of its own, whatever becomes of the others."""
    loop, tasks = asyncio.get_running_loop(), list[asyncio.Task[Answer]]()
    began = loop.time()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(began + number / rate - loop.time(), 0))
        tasks.append(asyncio.create_task(ask(port, sent, patience)))
    return list(await asyncio.gather(*tasks))


async def returning(port: int, sent: bytes, connections: int, seconds: float) -> Seen:
    """A closed load: so many connections, each asking again as soon as it is answered."""
    loop, seen = asyncio.get_running_loop(), Seen()
    clients = [await loop.create_connection(lambda: Again(sent, seen), HOST, port) for _ in range(connections)]
    await asyncio.sleep(seconds)
    seen.over = True
    for transport, _ in clients:
        transport.abort()
    return seen


def deaf(port: int, sent: bytes) -> socket.socket:
    """A connection over which this was sent, with little room for what comes."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.connect((HOST, port))
    client.sendall(sent)
    return client


async def sip(clients: Sequence[socket.socket], every: float = 1.0) -> None:
    """Read one byte of each every second."""
    while True:
        for client in clients:
            try:
                client.recv(1, socket.MSG_DONTWAIT)
            except OSError:
                continue
        await asyncio.sleep(every)


async def drip(port: int, start: bytes, piece: bytes, every: float = 1.0, patience: float = 60.0) -> float:
    """Send the start of something and then a piece every second; the seconds until the server has closed, or `patience`."""
    client, began = await opened(port, start), time.perf_counter()
    lost = asyncio.get_running_loop().create_future()
    client.connection_lost = lambda exc: lost.done() or lost.set_result(None)  # type: ignore[method-assign]
    while not lost.done() and time.perf_counter() - began < patience:
        client.transport.write(piece)
        await asyncio.wait((lost,), timeout=every)
    client.transport.abort()
    return time.perf_counter() - began


def percentile(values: Sequence[float], part: float) -> float:
    """So much of them is below; NaN where there are too few."""
    return statistics.quantiles(values, n=1000)[round(part * 1000) - 1] if len(values) > 1 else float("nan")


def gaps(answers: Sequence[Answer]) -> list[float]:
    """The seconds between two pieces of the same answer."""
    return [later - earlier for one in answers for earlier, later in zip(one.times, one.times[1:], strict=False)]


def play(coroutine: Any) -> Any:
    """Run it on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


async def pour(port: int, head: bytes, size: int, *, chunked: bool) -> int:
    """Send so large a body, whatever the server says; the status of its answer."""
    reader, writer = await asyncio.open_connection(HOST, port)
    piece = b" " * (1 << 16)
    framed = b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece
    writer.write(head)
    try:
        for _ in range(size // len(piece)):
            writer.write(framed)
            await writer.drain()
    except OSError:
        pass
    try:
        async with asyncio.timeout(30):
            line = await reader.readline()
    except (OSError, TimeoutError):
        line = b""
    writer.transport.abort()
    return int(line.split()[1]) if line else 0
