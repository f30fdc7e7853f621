"""The command line of moa with a sampler: where its processor time goes. `python _where.py OUT.json serve --port …`

Every millisecond of processor time the main thread's stack is looked at; the sample counts for the innermost frame that belongs
to one of PARTS. At the end the shares are written to the file.
"""

from __future__ import annotations

import atexit
import json
import signal
import sys
from collections import Counter
from types import FrameType

PARTS = {
    "/moa/server/": "server: door, protocols, answers",
    "/moa/engine/": "engine",
    "/moa/wrap/": "wraps",
    "/moa/providers/": "wires",
    "/moa/stores/": "store, ledger",
    "/moa/flows/": "flows, values",
    "/moa/core/": "flows, values",
    "/moa/": "engine",
    "/aiohttp/": "HTTP out (aiohttp)",
    "/uvicorn/": "HTTP in (uvicorn)",
}
"""By what is in a file's path, the first that fits; all else counts for who called it."""
EVERY = 0.001
SEEN: Counter[str] = Counter()


def part_of(frame: FrameType | None) -> str:
    """The part that a stack is in."""
    while frame is not None:
        name = frame.f_code.co_filename
        for inside, part in PARTS.items():
            if inside in name:
                return part
        frame = frame.f_back
    return "event loop"


def main() -> None:
    """Run the command, and write what was seen."""
    out, *words = sys.argv[1:]

    def look(number: int, frame: FrameType | None) -> None:
        SEEN[part_of(frame)] += 1

    def write() -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        with open(out, "w", encoding="utf-8") as file:
            json.dump(SEEN, file)

    from moa.cli import main as moa

    atexit.register(write)
    signal.signal(signal.SIGPROF, look)
    signal.signal(signal.SIGUSR1, lambda number, frame: SEEN.clear())
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)
    sys.argv = ["moa", *words]
    moa()


if __name__ == "__main__":
    main()
