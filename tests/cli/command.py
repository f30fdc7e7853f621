"""Runs the real command in a process of its own, with a home and an environment of its own; on a terminal if wanted."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import moa

SOURCE = Path(moa.__file__).parent.parent
LOCAL = ("OLLAMA", "VLLM", "LMSTUDIO", "LLAMACPP")
NOWHERE = "http://127.0.0.1:9/v1"
PATIENCE = 60.0


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def problem(self) -> str:
        """The one line of a failure."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("moa: "), self.err
        assert "Traceback" not in self.err
        return lines[0]


def environment(home: Path, **more: str) -> dict[str, str]:
    """An environment with a new home, no key, and local servers looked for where there are none."""
    blank = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C", "PYTHONPATH": str(SOURCE), "COLUMNS": "120"}
    return blank | {"PYTHONWARNINGS": "error"} | {f"{name}_BASE_URL": NOWHERE for name in LOCAL} | more


def moa_says(*words: str, home: Path, stdin: str | bytes = b"", **env: str) -> Ended:
    """Run `moa …` in `home`, with `stdin` piped in."""
    given = stdin.encode() if isinstance(stdin, str) else stdin
    ended = subprocess.run(
        [sys.executable, "-m", "moa", *words],
        cwd=home,
        env=environment(home, **env),
        input=given,
        capture_output=True,
        timeout=PATIENCE,
    )
    return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


@dataclass
class Terminal:
    """A process on a terminal of its own: what it has written, and when (monotonic) each piece came."""

    process: subprocess.Popen[bytes]
    master: int
    pieces: list[tuple[float, bytes]] = field(default_factory=list)

    @property
    def raw(self) -> str:
        return b"".join(piece for _, piece in self.pieces).decode(errors="replace")

    @property
    def text(self) -> str:
        """What was written, without the sequences that draw."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.raw).replace("\r", "")

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def until(self, wanted: str, times: int = 1) -> float:
        """Read until `wanted` has been written so many times; the moment it was."""
        ends = time.monotonic() + PATIENCE
        while self.text.count(wanted) < times:
            assert self._read(ends - time.monotonic()), f"{wanted!r} never came: {self.text!r}"
        return self.pieces[-1][0]

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read(PATIENCE):
            pass
        return self.process.wait(PATIENCE)

    def interrupt(self) -> None:
        """Ctrl-C, as a terminal sends it."""
        self.process.send_signal(signal.SIGINT)

    def _read(self, patience: float) -> bool:
        if not select.select([self.master], [], [], max(patience, 0))[0]:
            return False
        try:
            piece = os.read(self.master, 65536)
        except OSError:  # Linux: the other end is closed
            return False
        self.pieces.append((time.monotonic(), piece))
        return bool(piece)


@contextmanager
def terminal(*words: str, home: Path, out: int | None = None, err: int | None = None, **env: str) -> Iterator[Terminal]:
    """`moa …` on a terminal; `out` or `err` put stdout or stderr elsewhere."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "moa", *words],
        cwd=home,
        env=environment(home, TERM="xterm-256color", **env),
        stdin=slave,
        stdout=slave if out is None else out,
        stderr=slave if err is None else err,
        start_new_session=True,
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(master)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def write_config(home: Path, url: str, proposers: Sequence[str], aggregator: str, **lines: str) -> None:
    """A moa.toml in `home` whose mixture asks models of the host at `url`."""
    agents = "".join(f'[agents.{name}]\nmodel = "near:{name}"\n' for name in {*proposers, aggregator})
    (home / "moa.toml").write_text(
        f'[hosts.near]\nbase_url = "{url}"\n{agents}[mixtures.default]\nproposers = {list(proposers)}\n'
        f'aggregator = "{aggregator}"\n{lines.get("mixture", "")}\n{lines.get("rest", "")}\n'.replace("'", '"')
    )


def fake_config(home: Path, rest: str = "") -> None:
    """A moa.toml in `home` whose agents echo the question."""
    (home / "moa.toml").write_text(
        '[agents.a]\nmodel = "fake:a"\n[agents.b]\nmodel = "fake:b"\n[agents.judge]\nmodel = "fake:judge"\n'
        f'[mixtures.default]\nproposers = ["a", "b"]\naggregator = "judge"\n{rest}\n'
    )
