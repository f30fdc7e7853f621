"""The real models these tests run on: those that ship with moa, in process and behind llama.cpp's own HTTP server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from moa.core.errors import ConfigError
from moa.providers.hosts import HOSTS, Host
from providers import scripted_gguf

KEY = "sk-test-canary-7f3a"


@dataclass(frozen=True)
class Served:
    """A model behind llama.cpp's HTTP server: its address, the key it wants, and its file."""

    url: str
    key: str
    path: Path

    @property
    def host(self) -> Host:
        """It, as one of the hosts moa knows."""
        return replace(HOSTS["llamacpp"], base_url=self.url)


@pytest.fixture(scope="session")
def gguf() -> Path:
    """A small real model: the built-in p1, or the file MOA_TEST_GGUF names."""
    from moa.providers.gguf import builtin

    pytest.importorskip("xllamacpp")
    if named := os.environ.get("MOA_TEST_GGUF"):
        return Path(named)
    try:
        return builtin("p1")
    except ConfigError:
        pytest.skip("no built-in models here yet")


@pytest.fixture(scope="session")
def served(gguf: Path) -> Iterator[Served]:
    """The same model behind llama.cpp's own server on 127.0.0.1, with a key."""
    with running(gguf) as served:
        yield served


@pytest.fixture(scope="session")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A model that calls tools (`scripted_gguf.py`) behind llama.cpp's own server."""
    pytest.importorskip("xllamacpp")
    path = tmp_path_factory.mktemp("talker") / "talker.gguf"
    scripted_gguf.write(path)
    with running(path) as served:
        yield served


@contextmanager
def running(path: Path) -> Iterator[Served]:
    """A file behind llama.cpp's HTTP server."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_parallel, params.n_ctx = 4, 4 * 4096
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_threads_http, params.cache_ram_mib, params.verbosity, params.ui, params.warmup = 4, 0, -1, False, False
    params.cache_prompt = False
    params.api_keys = [KEY]
    params.hostnames = ["127.0.0.1"]
    server = xllamacpp.Server(params)
    yield Served(f"{server.listening_address}/v1", KEY, path)
    del server
