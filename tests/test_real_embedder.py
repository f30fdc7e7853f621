"""A router by embeddings on real ones: llama.cpp's own server makes them, and a model that ships answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.command import moa_says
from moa import Mixture

LETTERS = ["Spell {} backwards.", "What is the first letter of {}?", "How many letters has {}?"]
SUMS = ["What is {} + 85?", "How much is {} minus 7?", "Multiply {} by 3."]


@pytest.fixture(scope="module")
def embedder() -> Iterator[str]:
    """The address of a server that embeds."""
    xllamacpp = pytest.importorskip("xllamacpp", reason="real servers need moa[local]")
    pytest.importorskip("numpy", reason="clusters are fitted with numpy: mixture-of-agents[eval]")
    from moa.providers.gguf import builtin

    params = xllamacpp.CommonParams()
    params.model.path = str(builtin("p1"))
    params.embedding, params.n_parallel, params.n_ctx = True, 2, 2 * 512
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_threads_http, params.cache_ram_mib, params.verbosity, params.ui, params.warmup = 2, 0, -1, False, False
    params.hostnames = ["127.0.0.1"]
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server


def graded() -> str:
    """Who is good at letters ("p1"), and who at sums ("p2")."""
    words = ["orange", "apple", "table", "window", "garden", "letter", "monkey", "silver"]
    letters = [line.format(word) for word in words for line in LETTERS]
    sums = [line.format(number) for number in range(11, 27) for line in SUMS[:2]]
    rows = [(text, "p1") for text in letters] + [(text, "p2") for text in sums]
    lines = (
        {"question": text, "agents": {name: {"right": float(name == good)} for name in ("p1", "p2")}}
        for text, good in rows
    )
    return "".join(json.dumps(line) + "\n" for line in lines)


@pytest.mark.parametrize("clusters", [0, 4], ids=["nearest", "clusters"])
def test_whom_to_ask_is_learnt_from_real_embeddings_and_answered_by_a_real_model(
    embedder: str, clusters: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    host = f'[hosts.near]\nbase_url = "{embedder}"\nwire = "embeddings"\n[store]\nkeep = false\n'
    (tmp_path / "moa.toml").write_text(host)
    (tmp_path / "records.jsonl").write_text(graded())
    how = ["--embedder", "near:p1", "--clusters", str(clusters), "--out", "router.json"]
    learnt = moa_says("learn", "router", "records.jsonl", *how, home=tmp_path)
    assert (learnt.code, learnt.out) == (0, ""), learnt.err
    assert "which is significant" in learnt.err
    (tmp_path / "moa.toml").write_text(host + '[mixtures.m]\nrouter = "router.json"\nembedder = "near:p1"\n')
    mixture = Mixture.from_config("m", config=tmp_path / "moa.toml")
    for question, who in (("Spell yellow backwards.", "p1"), ("What is 347 + 85?", "p2")):
        calls = mixture.ask_sync(question).view.calls
        assert [call.agent for call in calls] == ["embedder", who]
        assert calls[0].usage.input > 0
        assert calls[1].text
