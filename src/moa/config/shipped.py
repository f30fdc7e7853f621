"""The providers that come with moa besides chat completions: GGUF files in process, functions, and scripted answers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from moa.core.ports import Provider, Scope
from moa.core.types import Reply, Request
from moa.wrap.turns import Machine

if TYPE_CHECKING:
    from moa.providers.local import Local


SLOTS, CONTEXT = 8, 1024
"""Answers that each model that ships gives at once (together they take less time than one after the other), and tokens of each."""


def in_turns() -> Machine:
    """The cores of this machine, as the models that ship share them: as many models at a time as there are cores, each with all its
    slots full before the next comes. With more than that each would answer one call at a time, in a third more processor time; and
    if each had its turn but once the slots would stand half empty at the end of it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(at_once=SLOTS, models=cores)


class Files:
    """A provider over GGUF files, one model a file, each loaded at its first call; `slots` and `context` as in Local."""

    def __init__(self, locate: Callable[[str], tuple[Path, str | None]], slots: int, context: int) -> None:
        self._locate, self._slots, self._context = locate, slots, context
        self._models: dict[str, Local] = {}

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider."""
        return await self._model(request.call.model.partition(":")[2]).send(request, scope)

    def check(self, name: str) -> None:
        """See that the file is there and whole; raises ConfigError where it is not."""
        self._model(name).check()

    def _model(self, name: str) -> Local:
        from moa.providers.local import Local

        if name not in self._models:
            path, sha256 = self._locate(name)
            self._models[name] = Local(path, sha256, self._slots, self._context)
        return self._models[name]


def shipped() -> Provider:
    """The models that ship with moa: "builtin:p1" … "builtin:aggregator"."""
    from moa.providers.gguf import builtin, builtin_sha256

    return Files(lambda name: (builtin(name), builtin_sha256(name)), SLOTS, CONTEXT)


def local() -> Provider:
    """GGUF files by path: "local:models/small.gguf"."""
    return Files(lambda name: (Path(name).expanduser(), None), 4, 4096)


def called() -> Provider:
    """Functions as agents, made in Python: each call brings its own."""
    from moa.providers.called import Called

    return Called()


def fake() -> Provider:
    """Scripted answers: "fake:anything" echoes the question."""
    from moa.providers.fake import Fake

    return Fake()
