"""Environments that hold vendors' clients, made once and kept: what of those is run in them against our server.

They lie in `.sdk/` in this repository, or where MOA_TEST_CACHE says; who wants them new removes the folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("MOA_TEST_CACHE") or Path(__file__).parents[2] / ".sdk").absolute()
CLIENTS = Path(__file__).parent / "clients"
PATIENCE = 240.0
"""Seconds that making an environment, or a run in one, may take."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment with these packages in it."""

    name: str
    packages: tuple[str, ...]

    def run(self, *arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run Python in it, in this folder. Of the variables around it only PATH is passed on: keys and settings of this machine
        change no result."""
        if problem := _made(self):
            pytest.skip(problem)
        given = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **variables}
        command = [str(_python(self)), *arguments]
        return subprocess.run(
            command, cwd=folder, env=given, capture_output=True, text=True, timeout=PATIENCE, check=False
        )


_TOOLS = ("pytest==9.2.0", "pytest-asyncio==1.5.0", "rich==15.0.0", "aiohttp==3.14.5", "httpx2==2.16.2")
ENVIRONMENTS = {
    "openai": Environment("openai-3", ("openai==3.54.0", *_TOOLS)),
    "anthropic": Environment(
        "anthropic", ("anthropic==2.14.0", *_TOOLS, "http-snapshot[httpx]==0.1.9", "inline-snapshot==0.36.1")
    ),
}
"""Where the vendors' own SDKs are, with what their tests need; the SDK comes first."""


def sources(distribution: str) -> Path:
    """The unpacked source of "name==version", with the tests that its wheel leaves out. Skips the test where it cannot be had."""
    folder = CACHE / "sources" / distribution.replace("==", "-")
    if not folder.is_dir():
        new = folder.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        if problem := _pip("download", "--no-deps", "--no-binary", ":all:", "-d", str(new), distribution):
            pytest.skip(f"{distribution}: {problem}")
        (archive,) = new.glob("*.tar.gz")
        with tarfile.open(archive) as opened:
            opened.extractall(new, filter="data")
        (new / archive.name.removesuffix(".tar.gz")).rename(folder)
        shutil.rmtree(new)
    return folder


@cache
def _made(environment: Environment) -> str:
    """See that it is there; what was in the way, where something was. Asked again, the answer is that of the first time."""
    folder, wanted = CACHE / environment.name, "\n".join(environment.packages)
    mark = folder / "made.txt"
    if mark.is_file() and mark.read_text() == wanted and _python(environment).exists():
        return ""
    shutil.rmtree(folder, ignore_errors=True)
    making = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
    made = subprocess.run(making, capture_output=True, text=True, check=False)
    problem = made.stderr or _pip("--python", str(_python(environment)), "install", *environment.packages)
    if problem:
        return f"{environment.name}: {problem}"
    mark.write_text(wanted)
    return ""


def _python(environment: Environment) -> Path:
    return CACHE / environment.name / "bin" / "python"


def _pip(*arguments: str) -> str:
    """What pip says is wrong; empty where nothing is."""
    quiet = ("--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "15")
    before, rest = (arguments[:2], arguments[2:]) if arguments[0] == "--python" else ((), arguments)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pip", *before, rest[0], *quiet, *rest[1:]],
            capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"not installed within {PATIENCE:.0f} s"
    return (done.stderr.strip() or "pip failed").splitlines()[-1] if done.returncode else ""
