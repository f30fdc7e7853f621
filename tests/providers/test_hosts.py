"""The table of hosts, and addresses and keys from an environment."""

from __future__ import annotations

import pytest

from moa.core.errors import ConfigError
from moa.providers.hosts import HOSTS, custom, key_of, located


def test_the_hosts_of_the_issue_are_there():
    remote = ["openai", "together", "groq", "openrouter", "mistral", "deepseek", "xai", "fireworks", "cerebras"]
    assert set(HOSTS) >= {*remote, "ollama", "vllm", "lmstudio", "llamacpp", "openai-responses", "anthropic", "gemini"}
    assert {host.name for host in HOSTS.values() if not host.local} >= set(remote)
    assert all(HOSTS[name].base_url.startswith("https://") for name in remote)


def test_a_key_is_found_by_the_hosts_own_variable_and_blanks_are_none():
    assert key_of(HOSTS["groq"], {"GROQ_API_KEY": " gsk-1\n", "OPENAI_API_KEY": "sk-2"}) == "gsk-1"
    assert key_of(HOSTS["groq"], {"GROQ_API_KEY": "  "}) is None


@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
def test_both_spellings_of_the_address_are_taken(name):
    assert located(HOSTS["openai"], {name: "https://proxy.example/v1/"}).base_url == "https://proxy.example/v1"
    assert located(HOSTS["openai"], {}) == HOSTS["openai"]


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:1234", "http://127.0.0.1:1234/v1"),
        ("box", "http://box:11434/v1"),
        ("[::1]:99", "http://[::1]:99/v1"),
        ("http://box:80", "http://box:80/v1"),
        ("https://box/", "https://box:443/v1"),
        ("http://box:1/v1", "http://box:1/v1"),
        (":5", "http://127.0.0.1:5/v1"),
    ],
)
def test_ollamas_own_variable_is_understood(address, url):
    assert located(HOSTS["ollama"], {"OLLAMA_HOST": address}).base_url == url


@pytest.mark.parametrize(
    "address",
    [
        "ftp://x/v1",
        "x.example/v1",
        "http://",
        "http://a:b@x/v1",
        "http://x/v1?key=1",
        "http://x:port/v1",
        "http://x:99999/v1",
    ],
)
def test_what_is_no_address_is_a_config_error_naming_its_place(address):
    with pytest.raises(ConfigError, match="OPENAI_BASE_URL"):
        located(HOSTS["openai"], {"OPENAI_BASE_URL": address})
    with pytest.raises(ConfigError, match="mine"):
        custom("mine", address)


def test_a_custom_host_may_name_the_whole_path():
    host = custom("mine", "http://localhost:9/v1/chat/completions", "MINE_KEY")
    assert (host.base_url, host.key_env, host.local) == ("http://localhost:9/v1", ("MINE_KEY",), True)
    assert not custom("far", "https://far.example/v1").local
