"""A raw HTTP server on 127.0.0.1 that answers with exactly the bytes it is given: the hosts' faults, on a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from moa.core.events import Delta, Fact, joined

Answer = bytes | Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Upstream:
    """The server under test conditions: its address, and every request it was sent."""

    url: str = ""
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def asked(self) -> list[Any]:
        """The request bodies, decoded."""
        return [json.loads(body) for body in self.bodies]


@asynccontextmanager
async def upstream(*answers: Answer) -> AsyncIterator[Upstream]:
    """Serve: the nth request gets the nth answer, later ones the last again. Each answer ends its connection."""
    state = Upstream()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            size = next(
                (int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0
            )
            state.heads.append(head)
            state.bodies.append(await reader.readexactly(size))
            answer = answers[min(len(state.heads), len(answers)) - 1]
            if callable(answer):
                await answer(reader, writer)
            else:
                writer.write(answer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    state.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server:
        yield state


def http(status: int, body: bytes | str | dict[str, Any] = b"", **headers: str) -> bytes:
    """A whole answer; header names are written with underscores."""
    if isinstance(body, dict):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    lines = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    lines |= {name.replace("_", "-"): text for name, text in headers.items()}
    head = "".join(f"{name}: {text}\r\n" for name, text in lines.items())
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body


STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nconnection: close\r\n\r\n"


def said(text: str | None, finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    """A whole completion."""
    message = {"role": "assistant", "content": text} | more
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return {
        "id": "x",
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": usage,
    }


def events(*chunks: dict[str, Any] | str) -> bytes:
    """A stream of chunks."""
    lines = (chunk if isinstance(chunk, str) else json.dumps(chunk) for chunk in chunks)
    return b"".join(f"data: {line}\n\n".encode() for line in lines)


def piece(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    """One chunk."""
    return {"id": "x", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


class Pieces:
    """A Transport whose answer comes in exactly these pieces; TCP would join some of them."""

    status = 200
    headers = MappingProxyType({"content-type": "text/event-stream"})

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = [piece for piece in pieces if piece]

    @asynccontextmanager
    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"", *, again: bool = True
    ) -> AsyncIterator[Pieces]:
        yield self

    async def read(self, limit: int) -> bytes:
        return b"".join(self._pieces)

    async def piece(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    async def drain(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


def told(facts: Iterable[Fact]) -> list[Fact]:
    """What was emitted, with neighbouring pieces of one thing as one: what comes at the same time is told at once."""
    kept: list[Fact] = []
    for fact in facts:
        pieces = [one for one in (*kept[-1:], fact) if isinstance(one, Delta)]
        if len(pieces) == 2 and len(both := joined(pieces)) == 1:
            kept[-1] = both[0]
        else:
            kept.append(fact)
    return kept
