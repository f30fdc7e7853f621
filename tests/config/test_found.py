"""What is found on a machine: keys, and local servers that really answer; and the mixture made of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from moa.config.find import load_here
from moa.config.flows import default_name
from moa.config.found import Found, Server, auto, look, models_table
from moa.providers.hosts import HOSTS


@contextmanager
def serving(body: bytes) -> Iterator[str]:
    """A server that answers every GET with `body`; gives its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def listing(*models: str) -> bytes:
    return json.dumps({"data": [{"id": model} for model in models]}).encode()


def proposers(found: Found) -> list[str]:
    source = auto(found)
    assert source is not None
    mixture = source.data["mixtures"]["auto"]
    assert mixture["aggregator"] == mixture["proposers"][0]
    return list(mixture["proposers"])


def test_keys_are_found_by_the_names_everybody_uses() -> None:
    found = look({"GROQ_API_KEY": "x", "OPENROUTER_API_KEY": "y", "XAI_API_KEY": " "})
    assert set(found.keys) == {"groq", "openrouter"}


def test_a_local_server_is_found_with_its_models_but_not_those_that_embed() -> None:
    with serving(listing("llama3.2:3b", "nomic-embed-text")) as address:
        found = look({"OLLAMA_BASE_URL": address}, patience=2.0)
    assert Server("ollama", address, ("llama3.2:3b",)) in found.servers


def test_a_server_that_is_something_else_is_not_found() -> None:
    for body in (b"<html>hello</html>", b"{}", b'{"data": 5}', listing()):
        with serving(body) as address:
            assert not [
                server
                for server in look({"OLLAMA_BASE_URL": address}, patience=2.0).servers
                if server.base_url == address
            ]


def test_auto_takes_three_or_four_models_of_different_makers_and_the_strongest_aggregates() -> None:
    chosen = proposers(Found(("openrouter", "openai"), ()))
    assert len(chosen) == 4
    assert chosen[0] == "openrouter:anthropic/claude-opus-5.5"
    assert len({model.rsplit("/")[-1] for model in chosen}) == 4


def test_auto_fills_up_to_three_with_what_there_is() -> None:
    assert proposers(Found(("deepseek",), ())) == [
        "deepseek:deepseek-v4-pro",
        "deepseek:deepseek-v4-flash",
        "deepseek:deepseek-v4-pro",
    ]
    one = proposers(Found((), (Server("ollama", "http://x", ("llama3:8b",)),)))
    assert one == ["ollama:llama3:8b"] * 3


def test_the_largest_local_model_aggregates() -> None:
    models = ("qwen3:4b", "llama3.3:70b", "gemma3:12b")
    assert proposers(Found((), (Server("ollama", "http://x", models),)))[0] == "ollama:llama3.3:70b"


def test_nothing_found_is_no_mixture() -> None:
    assert auto(Found((), ())) is None


def test_the_table_is_dated_and_names_known_hosts() -> None:
    table = models_table()
    assert table["date"].startswith("20")
    assert {entry["host"] for entry in table["models"]} <= set(HOSTS)


def test_auto_is_the_default_only_where_the_user_has_written_no_mixture(tmp_path: Path, monkeypatch: object) -> None:
    environ = {"HOME": str(tmp_path), "GROQ_API_KEY": "x"}
    empty = tmp_path / "empty.toml"
    empty.write_text("[limits]\ntimeout = 5\n")
    assert default_name(load_here(environ, file=empty)) == "auto"
    own = tmp_path / "own.toml"
    own.write_text('[mixtures.mine]\nproposers = ["fake:a"]\naggregator = "fake:a"\n')
    assert default_name(load_here(environ, file=own)) == "mine"
    assert default_name(load_here({"HOME": str(tmp_path)}, file=empty)) in ("builtin", "auto")
