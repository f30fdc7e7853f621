"""`moa models`: what is configured and reachable, and never a key."""

from __future__ import annotations

import json
from pathlib import Path

from command import moa_says, write_config
from fake_host import Model, host

CANARY = "sk-canary-0123456789abcdef"


def test_keys_are_named_and_never_shown(tmp_path: Path) -> None:
    for flags in ((), ("--json",)):
        ended = moa_says("models", *flags, home=tmp_path, GROQ_API_KEY=CANARY)
        assert ended.code == 0
        assert "GROQ_API_KEY" in ended.out
        assert "canary" not in ended.out + ended.err
        assert "cdef" not in ended.out + ended.err


def test_local_servers_and_shipped_models_are_listed(tmp_path: Path) -> None:
    with host(**{"llama-8b": Model()}) as here:
        shown = moa_says("models", home=tmp_path, OLLAMA_BASE_URL=here.url)
        told = json.loads(moa_says("models", "--json", home=tmp_path, OLLAMA_BASE_URL=here.url).out)
    assert "ollama:llama-8b" in shown.out
    assert "builtin:aggregator" in shown.out
    assert "default mixture: auto" in shown.out
    (ollama,) = told["hosts"]
    assert (ollama["host"], ollama["state"], ollama["models"]) == ("ollama", "answers", ["llama-8b"])
    assert told["default"] == "auto"


def test_check_asks_each_host_with_its_key_and_says_what_is_wrong(tmp_path: Path) -> None:
    with host(big=Model()) as here:
        more = f'[hosts.far]\nbase_url = "{here.url}"\nkey = "env:FAR_KEY"\n[hosts.gone]\nbase_url = "http://127.0.0.1:9/v1"'
        write_config(tmp_path, here.url, ["a"], "judge", rest=more)
        told = json.loads(moa_says("models", "--check", "--json", home=tmp_path, FAR_KEY=CANARY).out)
        unchecked = moa_says("models", home=tmp_path)
        assert f"Bearer {CANARY}" in here.keys
    hosts = {row["host"]: row for row in told["hosts"]}
    assert hosts["far"]["models"] == hosts["near"]["models"] == ["big"]
    assert hosts["far"]["key"] == "FAR_KEY"
    assert hosts["gone"]["state"].startswith("Unreachable: ")
    assert "set FAR_KEY" in unchecked.out
    assert "canary" not in json.dumps(told)


def test_with_nothing_found_it_says_what_to_do(tmp_path: Path) -> None:
    ended = moa_says("models", home=tmp_path)
    assert ended.code == 0
    assert "OPENROUTER_API_KEY" in ended.out
