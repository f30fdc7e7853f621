"""The shipped files as they run for users: a GGUF file in llama.cpp, asked through its chat template."""

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import xllamacpp

SLOTS = 8
CONTEXT = 1024


class Member:
    """One GGUF file, loaded; `ask` may be called with many texts at once."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = CONTEXT * SLOTS
        params.n_parallel = SLOTS
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
        params.n_threads_http = 1
        params.cache_ram_mib = 0
        params.ui = False
        params.api_keys = [secrets.token_hex()]
        params.warmup = False
        params.verbosity = -1
        self._server = xllamacpp.Server(params)

    def ask(self, texts: Sequence[str], temperature: float = 0.0, seed: int = 0, longest: int = 160) -> list[str]:
        """One reply for each text, in order."""

        def reply(numbered: tuple[int, str]) -> str:
            number, text = numbered
            sampling: dict[str, Any] = {
                "temperature": temperature,
                "seed": seed + number,
                "top_k": 0,
                "top_p": 1.0,
                "min_p": 0.0,
            }
            request = {"messages": [{"role": "user", "content": text}], "max_tokens": longest, **sampling}
            return str(self._server.handle_chat_completions(request)["choices"][0]["message"]["content"])

        with ThreadPoolExecutor(SLOTS) as pool:
            return list(pool.map(reply, enumerate(texts)))
