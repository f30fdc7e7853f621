"""A GGUF in process, through llama.cpp (`xllamacpp`): no key, no network, no port.

llama.cpp answers in a thread of its own; the threads here only wait for it, so all models share one small pool. The file is
checked before llama.cpp sees it: loading an untrusted GGUF is a memory-safety risk, so name its SHA-256 where you can.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec

from moa.core.errors import BadReply, BadRequest, ConfigError, Cut, ProviderError, TimedOut
from moa.core.events import Fact
from moa.core.ports import Scope
from moa.core.tokens import estimated
from moa.core.types import Reply, Request, Usage
from moa.providers._completion import Answer, Completion
from moa.providers._wire import Json, model_of
from moa.providers.gguf import builtin as builtin
from moa.providers.gguf import check
from moa.providers.hosts import Host
from moa.providers.openai import Chat

_HOST = Host("local", "", local=True)
_SMALL = 64 << 20
"""Files up to this size (bytes) run on one thread: two are slower there as soon as a core is busy. And where nobody wants to see
their text grow they are asked for the whole of it: a token is sooner made than passed on, and a cancelled answer ends by itself."""


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=40, thread_name_prefix="moa-local")


@dataclass
class Local:
    """A Provider over one GGUF file, loaded at its first call.

    `slots` answers run at once, each with `context` tokens at most (and never more than the model was trained with).
    `sha256` (hex) pins the file. `threads`: None for one with small files, all cores but one else.
    """

    path: Path
    sha256: str | None = None
    slots: int = 4
    context: int = 4096
    threads: int | None = None
    _server: Any = field(default=None, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider.

        Raises:
            ConfigError: the file is missing, not the pinned one or broken, or xllamacpp is not installed.
        """
        asked = _Asked(request, scope, asyncio.get_running_loop())
        try:
            async with asyncio.timeout_at(scope.deadline):
                return await asked.loop.run_in_executor(_threads(), self._answer, asked)
        except TimeoutError:
            raise TimedOut(
                "no whole answer before the deadline", provider="local", model=asked.model, partial=asked.answer.text
            ) from None
        except ProviderError as error:
            error.provider, error.model, error.partial = "local", asked.model, error.partial or asked.answer.text
            raise
        finally:
            asked.stopped = True  # cancelled or timed out: a stream stops at its next token

    def check(self) -> None:
        """Check the file without loading it.

        Raises:
            ConfigError: it is missing, no GGUF, or not the pinned one.
        """
        check(self.path, self.sha256)

    def close(self) -> None:
        """Let go of the model; an answer under way still ends. A later call loads it again."""
        with self._lock:
            self._server = None

    def _answer(self, asked: _Asked) -> Reply:
        """In a thread of the pool: the whole of one answer."""
        server = self._loaded()
        if asked.stopped:
            raise Cut("cancelled before it began")
        try:
            if asked.scope.want_deltas or not self._small:
                server.handle_chat_completions(asked.content(stream=True), asked.take)
            else:
                asked.take(server.handle_chat_completions(asked.content(stream=False)))
        except (ValueError, RuntimeError) as error:  # llama.cpp's words for a request it refuses
            raise BadRequest(" ".join(str(error).split())[:300]) from error
        if asked.error is not None:
            raise asked.error
        return _all_counted(asked.answer.reply(ended=False))

    @property
    def _small(self) -> bool:
        return self.path.stat().st_size <= _SMALL

    def _loaded(self) -> Any:
        with self._lock:
            if self._server is None:
                check(self.path, self.sha256)
                self._server = _load(self.path, self.slots, self.context, self.threads)
            return self._server


class _Asked:
    """One call under way: what is asked, what has come, and the event loop that waits for it."""

    def __init__(self, request: Request, scope: Scope, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.scope = scope
        self.model = model_of(request)
        self.answer = Answer(scope.but(emit=self._emit), self.model)
        self.error: BaseException | None = None
        self.stopped = False
        self._request = request

    def content(self, *, stream: bool) -> Json:
        """What to ask; only a stream can be stopped. The prompt cache is off: with it the same request can give another text,
        depending on what was asked before. At temperature 0 only the likeliest token is ever taken: llama.cpp is told to look at no
        other, which spares it the sorting of them all (4 to 6 % of the time of a small model)."""
        alone = {"top_k": 1} if self._request.call.sampling.temperature == 0 else {}
        return Chat().body(self._request, _HOST, stream=stream) | alone | {"cache_prompt": False}

    def take(self, chunk: Json) -> bool:
        """Called by llama.cpp in its thread for every chunk; True stops it. It would swallow what is raised, so nothing is."""
        try:
            if not self.stopped:
                self._take(chunk)
        except BaseException as error:  # noqa: BLE001  (kept and raised by _answer)
            self.error = error
        return self.stopped or self.error is not None

    def _take(self, chunk: Json) -> None:
        try:
            completion = msgspec.convert(chunk, Completion)
        except msgspec.ValidationError as error:
            raise BadReply(f"llama.cpp answered in an unknown shape: {error}") from error
        for delta in self.answer.add(completion):
            if self.scope.want_deltas:
                self._emit(delta)

    def _emit(self, fact: Fact) -> None:
        self.loop.call_soon_threadsafe(self._pass_on, partial(self.scope.emit, fact))

    def _pass_on(self, emit: Callable[[], None]) -> None:
        if not self.stopped:
            emit()


def _all_counted(reply: Reply) -> Reply:
    """The reply with what its further choices took: llama.cpp counts the first alone."""
    if not reply.others:
        return reply
    made = sum(estimated(one.reasoning + one.text) for one in reply.others)
    return replace(reply, usage=reply.usage + Usage(output=made, estimated=True))


def _load(path: Path, slots: int, context: int, threads: int | None) -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        raise ConfigError("local models need xllamacpp: pip install 'mixture-of-agents[local]'") from error
    small = path.stat().st_size <= _SMALL
    threads = threads or (1 if small else max((os.cpu_count() or 2) - 1, 1))
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_parallel = slots
    params.n_ctx = context * slots  # llama.cpp divides it by n_parallel
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.n_threads_http = 1
    params.cache_ram_mib = 0
    params.warmup = False
    params.verbosity = -1
    params.ui = False
    params.endpoint_slots = False
    params.api_keys = [secrets.token_hex(16)]
    # It always listens somewhere: on a socket in a folder only we may enter, which is gone as soon as it is up.
    with tempfile.TemporaryDirectory(prefix="moa-") as folder:
        params.hostnames = [f"{folder}/socket.sock"]
        try:
            return xllamacpp.Server(params)
        except RuntimeError as error:
            raise ConfigError(
                f"{path}: llama.cpp cannot load it; it is cut short or of an unknown kind: get the file again"
            ) from error
