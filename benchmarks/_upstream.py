"""The mock upstream: compiled where needed, started on a free port of the loopback, asked what it has served.

`mock_upstream.c` speaks chat completions; a model's name says how it behaves (`mock-lat50-tok200`: 200 tokens after
50 ms; its first lines list the rest). It runs on the first CPU this process may use, the client under test on the
second, so that neither takes time from the other; with one CPU they share it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "mock_upstream.c"
PROGRAM = HERE / ".bin" / "mock_upstream"


@dataclass(frozen=True, slots=True)
class Upstream:
    """A mock upstream under way."""

    port: int

    @property
    def base_url(self) -> str:
        """What a client is given."""
        return f"http://127.0.0.1:{self.port}/v1"

    def reset(self) -> None:
        """Forget what was served."""
        self._get("/reset")

    def stats(self) -> dict[str, float]:
        """Counts since the last reset; `first_token` is when the last stream got its first token (monotonic, ms)."""
        return json.loads(self._get("/stats"))

    def _get(self, path: str) -> bytes:
        with _DIRECT.open(f"http://127.0.0.1:{self.port}{path}", timeout=5) as response:
            return response.read()


_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextmanager
def upstream() -> Iterator[Upstream]:
    """A mock upstream, for as long as the context lasts."""
    program, running = _compiled(), Upstream(_free_port())
    with pinned(0):
        process = subprocess.Popen([program, "-p", str(running.port)])
    try:
        _wait_for(running.port)
        yield running
    finally:
        process.kill()
        process.wait()


@contextmanager
def pinned(place: int) -> Iterator[None]:
    """Whatever is started inside runs on the `place`-th CPU this process may use, with its threads and children."""
    if not hasattr(os, "sched_setaffinity") or len(cpus := sorted(os.sched_getaffinity(0))) <= place:
        yield
        return
    os.sched_setaffinity(0, {cpus[place]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cpus)


def placement() -> str:
    """In words, where things run."""
    cpus: Sequence[int] = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else ()
    if len(cpus) < 2:
        return "nothing pinned to a CPU"
    return f"upstream on CPU {cpus[0]}, clients on CPU {cpus[1]}"


def _compiled() -> str:
    if PROGRAM.exists() and PROGRAM.stat().st_mtime >= SOURCE.stat().st_mtime:
        return str(PROGRAM)
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise SystemExit("the mock upstream is a C program: install gcc (apt install gcc libc6-dev)")
    PROGRAM.parent.mkdir(exist_ok=True)
    made = PROGRAM.with_suffix(f".{os.getpid()}")
    subprocess.run([compiler, "-O2", "-w", "-o", str(made), str(SOURCE), "-lm"], check=True)
    made.replace(PROGRAM)
    return str(PROGRAM)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _wait_for(port: int, seconds: float = 10.0) -> None:
    ends = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > ends:
                raise SystemExit("the mock upstream did not start") from None
            time.sleep(0.02)
        else:
            return
