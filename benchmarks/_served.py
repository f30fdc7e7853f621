"""A real `moa serve` over the mock upstream, and what can be seen of it from outside: memory, open files, runs, ledger.

It has the key `KEY`, a store, a ledger and a day's budget, so that each attempt reserves and settles; only output costs money, and
nothing is hedged, so that calls and money can be counted. It runs on the second CPU, the mock and the clients on the first.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _contenders import Broken
from _upstream import Upstream, pinned

from moa.stores.keys import Keys

KEY = "benchmark"
SOURCES = Path(__file__).resolve().parent.parent / "src"
PRICE = 2.0
"""US dollars per million output tokens."""
Members = tuple[Sequence[str], str]
"""The models of a mixture's proposers, and its aggregator's."""


@dataclass
class Server:
    """A server under way; `keys` is its file of keys."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    keys: Keys
    served: Upstream

    @property
    def pid(self) -> int:
        """Of its process."""
        return self.process.pid

    @property
    def megabytes(self) -> float:
        """Its memory."""
        return self._status("VmRSS") / 1024

    @property
    def threads(self) -> int:
        """How many it has."""
        return self._status("Threads")

    @property
    def files(self) -> int:
        """How many it has open, but for those to its upstream: they are kept for later."""
        open_now, upstream = len(os.listdir(f"/proc/{self.pid}/fd")), self.served.stats()["conns"] - 1
        return open_now - int(upstream)

    @property
    def words(self) -> str:
        """What it has written."""
        return (self.folder / "words").read_text(errors="replace")

    @property
    def tracebacks(self) -> int:
        """How many of them it has written."""
        return self.words.count("Traceback (most recent call last)")

    def _status(self, what: str) -> int:
        found = re.search(rf"{what}:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) if found else 0

    def peak(self) -> float:
        """The most memory since `forget_peak`, in MB."""
        return self._status("VmHWM") / 1024

    def forget_peak(self) -> None:
        """Count the most memory from now on."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def runs(self, which: str = "1") -> int:
        """How many runs its store has, of which this SQL holds."""
        return int(self._one("runs.db", f"SELECT count(*) FROM runs WHERE {which}"))

    def billed(self, what: str = "count(DISTINCT run)", which: str = "1") -> int:
        """What its ledger has of the entries of which this SQL holds: the runs."""
        return int(self._one("runs.ledger.db", f"SELECT {what} FROM entries WHERE {which}"))

    def leases(self) -> int:
        """How many leases are open in its ledger: money set aside."""
        return int(self._one("runs.ledger.db", "SELECT count(*) FROM leases WHERE open"))

    def _one(self, file: str, query: str) -> Any:
        if not (self.folder / file).exists():
            return 0
        with closing(sqlite3.connect(f"file:{self.folder / file}?mode=ro", uri=True, timeout=5)) as database:
            return database.execute(query).fetchone()[0]

    def unsent(self) -> list[int]:
        """The bytes that the kernel holds for each of its clients."""
        mine = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
        return [
            int(one[4].split(":")[0], 16) for one in mine if one[1].endswith(f":{self.port:04X}") and one[3] == "01"
        ]

    def end(self) -> None:
        """Tell it to: SIGTERM."""
        self.process.send_signal(signal.SIGTERM)


def configured(url: str, folder: Path, agents: Mapping[str, str], mixtures: Mapping[str, Members], more: str) -> str:
    """The configuration. Agents and members are models of the mock; those after `narrow:` go one at a time."""
    used = {*agents.values(), *(model for proposers, last in mixtures.values() for model in (*proposers, last))}
    names = {model: model if ":" in model else f"mock:{model}" for model in used}
    lines = [
        *(f'[hosts.{host}]\nbase_url = "{url}"\nat_once = {most}' for host, most in (("mock", 10_000), ("narrow", 1))),
        f'[store]\npath = "{folder}/runs.db"\n[budget]\nday = 1000000.0\n[limits]\nhedges = 0.0',
        *(f'[prices."{name}"]\ninput = 0.0\noutput = {PRICE}' for name in names.values()),
        *(f'[agents.{agent}]\nmodel = "{names[model]}"\nmax_tokens = 100000' for agent, model in agents.items()),
    ]
    for mixture, (proposers, last) in mixtures.items():
        members = ", ".join(f'"{names[model]}"' for model in proposers)
        lines.append(f'[mixtures.{mixture}]\nproposers = [{members}]\naggregator = "{names[last]}"')
    return "\n".join([*lines, more])


@contextmanager
def serving(
    served: Upstream,
    agents: Mapping[str, str] | None = None,
    mixtures: Mapping[str, Members] | None = None,
    more: str = "",
    seconds: float = 60.0,
) -> Iterator[Server]:
    """A server of these agents and mixtures.

    Raises:
        Broken: it does not start.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = configured(served.base_url, folder, agents or {}, mixtures or {}, more)
        (folder / "moa.toml").write_text(text, encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MOA_")}
        own = {"PYTHONPATH": str(SOURCES), "MOA_HOME": name, "MOA_API_KEYS": KEY}
        command = [sys.executable, "-m", "moa", "serve", "--port", "0", "--config", str(folder / "moa.toml")]
        with pinned(1), (folder / "words").open("wb") as words:
            process = subprocess.Popen(command, env=kept | own, stdout=words, stderr=words, cwd=folder)
        try:
            server = Server(process, 0, folder, Keys(folder / "runs.keys.db"), served)
            until = time.monotonic() + seconds
            while not (found := re.search(r"http://127\.0\.0\.1:(\d+)", server.words)):
                if process.poll() is not None or time.monotonic() > until:
                    raise Broken(f"moa does not serve: {server.words[-500:]}")
                time.sleep(0.02)
            server.port = int(found[1])
            yield server
        finally:
            process.kill()
            process.wait()
