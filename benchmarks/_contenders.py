"""The contenders of a side-by-side run: each a process of its own, each peer in a virtual environment of its own.

The environments are made under `.envs/` at the first use and kept; `fresh` makes them anew, with what the registry
holds then. A contender that cannot be installed or breaks is `out`, with the reason, and its figures are short.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _upstream import pinned

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE / ".envs"
SECONDS = 120.0
"""How long a contender may take to start, or for one job."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A contender's name, its script under `peers/`, and what it needs installed (if nothing, this Python runs it)."""

    name: str
    script: str
    packages: tuple[str, ...] = ()


BARE = Kind("bare", "bare_gather.py")
MOA = Kind("moa", "moa_mixture.py")
PEERS = (
    Kind("langgraph", "langgraph_graph.py", ("langgraph", "langchain-openai")),
    Kind("openai", "openai_gather.py", ("openai",)),
    Kind("mixture-llm", "mixturellm_pipeline.py", ("mixture-llm", "openai")),
    Kind("litellm", "litellm_gather.py", ("litellm",)),
)


class Broken(Exception):
    """A contender cannot go on; says why."""


class Contender:
    """A contender and its process. `out` says why it is out of the run, or nothing."""

    def __init__(self, kind: Kind, *, fresh: bool = False) -> None:
        """Install what it needs and start it."""
        self.kind = kind
        self.out = self.version = ""
        self._worker: Worker | None = None
        try:
            python = str(installed(kind, fresh=fresh)) if kind.packages else sys.executable
            self.version = _versions(python, kind.packages)
            self._worker = Worker(python, kind)
            self._worker.answer()
        except Broken as broken:
            self.out = str(broken)

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        """The result of one job.

        Raises:
            Broken: there is none; the contender is out.
        """
        try:
            if self._worker is None:
                raise Broken("it never started")
            return self._worker.do(job)
        except Broken as broken:
            self.out = str(broken)
            raise

    def stop(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.stop()


class Worker:
    """A running `peers/` script: a JSON job in, a JSON line out."""

    def __init__(self, python: str, kind: Kind) -> None:
        self._words = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by stop
        with pinned(1):
            self._process = subprocess.Popen(
                [python, str(HERE / "peers" / kind.script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._words,
                text=True,
                env=_environment(own=bool(kind.packages)),
            )

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        """Hand in a job and wait for its result.

        Raises:
            Broken: the process ended, or takes too long.
        """
        jobs = self._process.stdin
        assert jobs is not None
        try:
            jobs.write(json.dumps(job) + "\n")
            jobs.flush()
        except OSError:
            raise Broken(self._last_words()) from None
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """The next line of the process. Raises what `do` raises."""
        answers = self._process.stdout
        assert answers is not None
        ready, _, _ = select.select([answers], [], [], SECONDS)
        if not ready:
            raise Broken(f"no answer within {SECONDS:g} s")
        line = answers.readline()
        if not line:
            raise Broken(self._last_words())
        return json.loads(line)

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._words.close()

    def _last_words(self) -> str:
        self._words.seek(0)
        lines = [line.strip() for line in self._words.read().splitlines() if line.strip()]
        return lines[-1][:200] if lines else "it ended without a word"


def installed(kind: Kind, *, fresh: bool = False) -> Path:
    """The Python of a peer's environment, made where there is none.

    Raises:
        Broken: the registry cannot be reached, or does not have it.
    """
    folder = ENVIRONMENTS / kind.name
    python, whole = folder / "bin" / "python", folder / "complete"
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    if not whole.exists():
        print(f"installing {' '.join(kind.packages)} …", file=sys.stderr, flush=True)
        _command(sys.executable, "-m", "venv", str(folder))
        _command(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *kind.packages)
        whole.touch()
    return python


def _versions(python: str, packages: Sequence[str]) -> str:
    ask = "import sys, importlib.metadata as m; print(*(f'{p} {m.version(p)}' for p in sys.argv[1:]), sep=', ')"
    done = subprocess.run([python, "-c", ask, *packages], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _command(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise Broken(f"{' '.join(words[1:4])} failed: {lines[-1][:200]}")


def _environment(*, own: bool) -> dict[str, str]:
    """What a contender sees: no proxy, no settings of the user's; with this Python, the `moa` of this checkout."""
    dropped = ("http_proxy", "https_proxy", "all_proxy", "pythonpath", "openai_base_url")
    kept = {
        name: text
        for name, text in os.environ.items()
        if name.lower() not in dropped and not name.startswith(("MOA_", "LANGCHAIN_", "LANGSMITH_"))
    }
    kept |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LANGSMITH_TRACING": "false", "OPENAI_API_KEY": "none"}
    return kept if own else kept | {"PYTHONPATH": str(HERE.parent / "src"), "MOA_HOME": str(ENVIRONMENTS / "no-home")}
