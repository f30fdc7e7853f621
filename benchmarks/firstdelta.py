"""How long after the aggregator's first token the answer begins: for who watches by the API, and on the screen.

Four proposers that are not streamed, then an aggregator that streams for two seconds (100 words, 20 ms apart). The mock
upstream notes when it hands the first word to its socket; `time.monotonic` reads the same clock here.

`api`: until `mixture.watch` yields the first final Delta. `screen`: until the first word of the answer can be read at
the other end of the pseudo-terminal that `python -m moa ask` runs in. The aggregator's words are longer than the
proposers' (`pad3`), so that its first word is not taken for one of theirs. Median and worst of ten runs each, and
both must hold.

    python benchmarks/firstdelta.py
"""

from __future__ import annotations

import argparse
import asyncio
import os
import pty
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from _report import Figure, arguments, report, tell
from _upstream import Upstream, pinned, placement, upstream

SOURCE = Path(__file__).resolve().parent.parent / "src"
TARGET_MS = 50.0
FIRST_WORD = b"maplexxx"
QUESTION = "Which river of Europe carries the most water to the sea?"
CONFIG = """
default = "bench"

[hosts.mock]
base_url = "{base_url}"

[store]
path = "{folder}/runs.db"

[mixtures.bench]
proposers = ["mock:mock-lat50-tok100", "mock:mock-lat60-tok100", "mock:mock-lat70-tok100", "mock:mock-lat80-tok100"]
aggregator = "mock:mock-lat50-tok100-itl20-pad3"
deadline = 60.0
"""


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="three runs each")
    args = arguments(parser).parse_args()
    runs = 3 if args.quick else args.runs
    with upstream() as served, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "moa.toml"
        file.write_text(CONFIG.format(base_url=served.base_url, folder=folder), encoding="utf-8")
        _no_settings_but(file)
        with pinned(1):
            found = {"api": asyncio.run(by_api(served, file, runs)), "screen": on_screen(served, runs)}
    tell(args, f"ms from the aggregator's first token, {runs} runs each; {placement()}")
    for where, waits in found.items():
        words = f"median {statistics.median(waits):7.2f}   worst {max(waits):7.2f}" if waits else "nothing came"
        tell(args, f"{where:8}{words}")
    tell(args)
    return report(_figures(found), args, details={"ms": found, "placement": placement()})


def _figures(found: dict[str, list[float]]) -> list[Figure]:
    return [
        Figure(f"first_delta.{where}.{name}_ms", measure(waits) if waits else None, TARGET_MS)
        for where, waits in found.items()
        for name, measure in (("median", statistics.median), ("worst", max))
    ]


def _no_settings_but(file: Path) -> None:
    """Let moa, here and in what is started from here, see that file only, and a usual terminal."""
    for name in [name for name in os.environ if name.startswith("MOA_") or name in ("NO_COLOR", "CI")]:
        del os.environ[name]
    os.environ |= {"MOA_CONFIG": str(file), "MOA_HOME": str(file.parent), "PYTHONPATH": str(SOURCE)}
    os.environ |= {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    sys.path.insert(0, str(SOURCE))


async def by_api(served: Upstream, file: Path, runs: int) -> list[float]:
    """ms from the upstream's first token to the watcher's first delta of the answer, per run."""
    from moa import Mixture
    from moa.core.events import Delta

    waits = []
    async with Mixture.from_config(config=file) as mixture:
        for _ in range(runs):
            first = None
            async with mixture.watch(QUESTION) as events:
                async for event in events:
                    if first is None and isinstance(event.fact, Delta) and event.fact.final:
                        first = time.monotonic()
                await events.reply()
            assert first is not None
            waits.append(first * 1e3 - served.stats()["first_token"])
    return waits


def on_screen(served: Upstream, runs: int) -> list[float]:
    """ms from the upstream's first token to the answer's first word on the terminal; nothing where a run has none."""
    waits = []
    for _ in range(runs):
        seen = _seen([sys.executable, "-m", "moa", "ask", QUESTION])
        if seen is None:
            return []
        waits.append(seen * 1e3 - served.stats()["first_token"])
    return waits


def _seen(command: Sequence[str]) -> float | None:
    """When the first word of the answer came out of the terminal a command runs in; None where it never did."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    try:
        return _first_word(ours)
    finally:
        os.close(ours)  # who is still writing gets an error
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _first_word(terminal: int, seconds: float = 30.0) -> float | None:
    """Read a terminal to its end; when the first word of the answer was there."""
    shown, first, ends = b"", None, time.monotonic() + seconds
    while time.monotonic() < ends:
        ready, _, _ = select.select([terminal], [], [], 0.5)
        if not ready:
            continue
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
        if first is None and FIRST_WORD in shown:
            first = time.monotonic()
    return first


if __name__ == "__main__":
    raise SystemExit(main())
