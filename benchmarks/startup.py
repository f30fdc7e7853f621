"""How long a user waits for nothing: `moa --version` and `import moa`, beside a bare interpreter in the same run.

Each is started anew, in turn, so that a busy machine slows all alike; the median counts. The bar of `--version` is in
milliseconds, as users feel it; the rest is shown as a ratio to the bare interpreter.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks._report import Figure, arguments, report, tell

COMMANDS = {
    "bare": [sys.executable, "-c", "pass"],
    "version": [sys.executable, "-m", "moa", "--version"],
    "import": [sys.executable, "-c", "import moa"],
}


def started(command: list[str]) -> float:
    """Milliseconds from start to end of a command."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return (time.perf_counter() - begin) * 1000


def main() -> int:
    """Start each command in turn, print the medians, report."""
    parser = arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))  # type: ignore[union-attr]
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    for command in COMMANDS.values():
        started(command)  # compiled files are written now, not while we measure
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(args.rounds):
        for name, command in COMMANDS.items():
            times[name].append(started(command))
    median = {name: statistics.median(values) for name, values in times.items()}
    for name, value in median.items():
        tell(args, f"{name:8} {value:6.1f} ms")
    figures = [
        Figure("startup.version_ms", median["version"], 100),
        Figure("startup.version.ratio_to_bare", median["version"] / median["bare"], 10, due=False),
        Figure("startup.import_ms", median["import"], 150, due=False),
    ]
    return report(figures, args, {"medians_ms": median})


if __name__ == "__main__":
    raise SystemExit(main())
