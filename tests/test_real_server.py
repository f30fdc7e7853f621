"""The same mixture over llama.cpp's own HTTP server and in process gives the same answers: the wire is proven on a real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from moa import Mixture

KEY = "a-key-for-this-test"
QUESTIONS = (
    "What is 347 + 85?",
    "Which is larger, 0.35 or 0.4?",
    'Spell "orange" backwards.',
    "What day is 10 days after Tuesday?",
    "How many litres are 2.5 cl?",
    "Ann has 12 apples, buys 3 bags of 8 and gives away 5. How many are left?",
    "Tell me a joke.",
    "你好",
)
NAMES = ("p1", "p2", "p3", "p4", "aggregator")


@pytest.fixture(scope="module")
def addresses() -> Iterator[dict[str, str]]:
    """Each model that ships behind a server of its own on 127.0.0.1."""
    xllamacpp = pytest.importorskip("xllamacpp", reason="real servers need moa[local]")
    from moa.providers.gguf import builtin

    servers = {}
    for name in NAMES:
        params = xllamacpp.CommonParams()
        params.model.path = str(builtin(name))
        params.n_parallel, params.n_ctx = 4, 4 * 1024
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        params.n_threads_http, params.cache_ram_mib, params.verbosity, params.ui, params.warmup = 2, 0, -1, False, False
        params.api_keys, params.hostnames, params.cache_prompt = [KEY], ["127.0.0.1"], False
        servers[name] = xllamacpp.Server(params)
    yield {name: f"{server.listening_address}/v1" for name, server in servers.items()}
    servers.clear()


def configured(models: dict[str, str], sampling: str) -> str:
    agents = "".join(
        f'[agents.{name}]\nmodel = "{model}"\nframing = "quoted"\nmax_tokens = 160\n{sampling}\n'
        for name, model in models.items()
    )
    return (
        agents
        + '[mixtures.default]\nlayers = [["p1", "p2", "p3", "p4"]]\naggregator = "aggregator"\n[store]\nkeep = false\n'
    )


@pytest.mark.parametrize("sampling", ["temperature = 0.0", "temperature = 0.7\nseed = 11"], ids=["greedy", "seeded"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_answers_over_http_are_those_in_process(
    addresses: dict[str, str], sampling: str, streamed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LLAMA_KEY", KEY)
    hosts = "".join(
        f'[hosts.at-{name}]\nbase_url = "{url}"\nkey = "env:LLAMA_KEY"\n' for name, url in addresses.items()
    )
    wired, inside = tmp_path / "wired.toml", tmp_path / "inside.toml"
    wired.write_text(configured({name: f"at-{name}:{name}" for name in NAMES}, sampling) + hosts)
    inside.write_text(configured({name: f"builtin:{name}" for name in NAMES}, sampling))
    over_http, in_process = (Mixture.from_config("default", config=path) for path in (wired, inside))
    for question in QUESTIONS:
        assert answers(over_http, question, streamed=streamed) == answers(in_process, question, streamed=False)


def answers(mixture: Mixture, question: str, *, streamed: bool) -> list[str]:
    """What every member said, and the answer."""
    if not streamed:
        answer = mixture.ask_sync(question)
        assert not answer.degraded
        return [call.text for call in answer.view.calls] + [answer.text]
    import asyncio

    from moa import fold
    from moa.core.view import View

    async def look() -> list[str]:
        view = View()
        async with mixture.watch(question, proposers=True) as events:
            async for event in events:
                view = fold(view, event)
            reply = await events.reply()
        return [call.text for call in view.calls] + [reply.text]

    return asyncio.run(look())
