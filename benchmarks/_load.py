"""A load from keep-alive connections, each asking again as soon as it is answered: `python _load.py PORT CONNECTIONS SECONDS`.

The body of the request comes on standard input; one JSON line of what was seen goes to standard output. Raw asyncio, so that
little of the machine is spent here.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: bytes, seen: Seen) -> None:
        self._request, self._seen, self._got = request, seen, b""
        self._sent = self._need = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._got, self._sent = b"", time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._got += data
        head, gap, rest = self._got.partition(b"\r\n\r\n")
        if not gap:
            return
        small = head.lower()
        if b"transfer-encoding: chunked" in small:
            if not self._got.endswith(b"0\r\n\r\n"):
                return
        elif len(rest) < int(small.split(b"content-length:")[1].split(b"\r\n")[0]):
            return
        self._seen.add(head.split(b" ", 2)[1] == b"200", time.perf_counter() - self._sent)
        if not self._seen.over:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if not self._seen.over:
            self._seen.broken += 1


class Seen:
    """What the answers came to."""

    def __init__(self) -> None:
        self.good = self.bad = self.broken = 0
        self.seconds: list[float] = []
        self.over = False

    def add(self, good: bool, seconds: float) -> None:
        """Count one answer."""
        self.good += good
        self.bad += not good
        self.seconds.append(seconds)


async def main(port: int, connections: int, seconds: float) -> None:
    """Load the server and print what was seen."""
    body = sys.stdin.buffer.read()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer k\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    loop, seen = asyncio.get_running_loop(), Seen()
    for _ in range(connections):
        await loop.create_connection(lambda: Client(head.encode() + body, seen), "127.0.0.1", port)
    started = time.perf_counter()
    await asyncio.sleep(seconds)
    seen.over, took, good = True, time.perf_counter() - started, seen.good
    spread = statistics.quantiles(seen.seconds, n=100) if len(seen.seconds) > 1 else [0.0] * 99
    told = {
        "rate": good / took,
        "good": good,
        "bad": seen.bad,
        "broken": seen.broken,
        "p50": spread[49],
        "p99": spread[98],
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
