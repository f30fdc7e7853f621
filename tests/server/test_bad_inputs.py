"""Bad inputs (B01 to B37): each is turned away in OpenAI's shape, with the place it is wrong at; none is our fault."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from served import Served, served

HI = [{"role": "user", "content": "hi"}]
SUITE = Path(os.environ.get("MOA_CONFORMANCE", "/nonexistent")) / "JSONTestSuite"


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served() as running:
        yield running


def refused(got: Any, status: int, code: str = "", param: str | None = None) -> None:
    error = got.json["error"]
    assert got.status == status, error
    assert set(error) == {"message", "type", "param", "code"}
    assert "Traceback" not in error["message"]
    assert not code or error["code"] == code
    assert param is None or error["param"] == param


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[1]", b"null", b'"x"', b"1", b'{"model": "moa/review", "messages"', b"[" * 100_000, b'{"a":' * 100_000,
        b'{"model": NaN}', b'{"temperature": Infinity}', b"\xff\xfe{}", b"\xef\xbb\xbf{}", '{"model":"moa"}'.encode("utf-16"),
        b'{"model": "moa", "messages": [{"role":"user","content":"\xff"}]}', b'{"model": "\\ud800"}', b"{} {}",
    ],
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_refused(server: Served, body: bytes) -> None:
    refused(server.ask("POST", "/v1/chat/completions", body), 400)


def schema(rules: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": rules}}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "wizard", "content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": {"a": 1}}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages"),
        ({"messages": HI * 3000}, "messages"),
        ({"n": -1}, "n"),
        ({"n": 0}, "n"),
        ({"n": 10**9}, "n"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 2**63}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"stream": "yes"}, "stream"),
        ({"api_base": "http://x"}, "api_base"),
        ({"base_url": "http://x"}, "base_url"),
        ({"user_config": {"api_base": "http://x"}}, "user_config"),
        ({"extra_headers": {"a": "b"}}, "extra_headers"),
        ({"moa": {"proposers": ["a"], "api_base": "http://x"}}, "moa.api_base"),
        ({"tools": [{"type": "web"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "a", "parameters": {"$ref": "http://x/y"}}}]},
            "tools[0].function.parameters",
        ),
        ({"tool_choice": 5, "tools": [{"type": "function", "function": {"name": "a"}}]}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": schema({"type": "nope"})}, "response_format"),
        ({"response_format": schema({"$ref": "#/$defs/none"})}, "response_format"),
        ({"response_format": schema({"type": "string", "pattern": "(" * 50})}, "response_format"),
        ({"response_format": schema({"enum": ["x" * 250_000]})}, "response_format"),
        ({"stop": ["x"] * 10_000}, "stop"),
        ({"stop": ""}, "stop"),
        ({"logit_bias": {str(n): 0 for n in range(2000)}}, "logit_bias"),
        ({"model": ""}, "model"),
        ({"model": "m" * 10_000}, "model"),
    ],
)
def test_a_wrong_parameter_is_named(server: Served, change: dict[str, Any], param: str) -> None:
    body = {"model": "moa/review", "messages": HI} | change
    refused(server.ask("POST", "/v1/chat/completions", body), 400, param=param)


@pytest.mark.parametrize("model", ["none", "../review", "moa/../review", "moa/review\n", "http://x/y", "openai:gpt-6"])
def test_an_unknown_model_is_not_found(server: Served, model: str) -> None:
    refused(server.chat(model=model), 404, "model_not_found", "model")


@pytest.mark.parametrize(
    "url",
    [
        "http://x/y.png",
        "file:///etc/passwd",
        "data:image/svg+xml;base64,AAAA",
        "data:video/jpeg;base64,AA",
        "ftp://x",
        "",
    ],
)
def test_an_image_is_data_or_lies_behind_https(server: Served, url: str) -> None:
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    refused(server.chat([{"role": "user", "content": parts}]), 400, "invalid_image_url", "messages[0].content")


@pytest.mark.parametrize(
    "text", ["\x00\x01\x1b[31m", "\u202eabc\u200b", "\U000e0041", "a" * 1_000_000, "'; DROP TABLE runs; --"]
)
def test_strange_texts_are_just_texts(server: Served, text: str) -> None:
    assert server.chat(text).status == 200


def test_numbers_that_no_float_holds_are_refused(server: Served) -> None:
    body = b'{"model":"moa/review","messages":[{"role":"user","content":"hi"}],"temperature":%s}'
    assert server.ask("POST", "/v1/chat/completions", body % b"1e400").status == 400
    assert server.ask("POST", "/v1/chat/completions", body % (b"9" * 10_000)).status == 400


def test_of_a_key_that_comes_twice_the_last_counts(server: Served) -> None:
    body = b'{"model":"none","model":"moa/review","messages":[{"role":"user","content":"hi"}]}'
    assert server.ask("POST", "/v1/chat/completions", body).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
        ({"content_type": "multipart/form-data; boundary=" + "-" * 5000}, 415),
        ({"content_encoding": "gzip"}, 415),
        ({"content_encoding": "br"}, 415),
        ({"content_type": "application/json; charset=utf-8"}, 200),
    ],
)
def test_only_plain_json_is_taken(server: Served, headers: dict[str, str], status: int) -> None:
    got = server.ask("POST", "/v1/chat/completions", {"model": "moa/review", "messages": HI}, **headers)
    assert got.status == status


def test_a_body_beyond_ten_megabytes_is_not_read(server: Served) -> None:
    refused(server.ask("POST", "/v1/chat/completions", b'"' + b"a" * (11 << 20) + b'"'), 413, "request_too_large")


@pytest.mark.parametrize(
    "path",
    ["/v1//models", "/v1/models/%2e%2e/", "/v1/models/%00", "/v1/../etc/passwd", "/v1/models/..%5c", "/nothing", "//"],
)
def test_strange_paths_lead_nowhere(server: Served, path: str) -> None:
    refused(server.ask("GET", path), 404)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY"])
def test_other_methods_are_not_allowed_and_the_right_one_is_named(server: Served, method: str) -> None:
    got = server.ask(method, "/v1/chat/completions", None, x_http_method_override="POST")
    assert got.status in (400, 405)
    assert got.status == 400 or got.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /v1/models\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /v1/models HTTP/1.1\nHost: x\n\n",
        b"GET /v1/models HTTP/1.1\r\nHost : x\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST /v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \xe9\xff\r\n\r\n",
    ],
)
def test_broken_http_does_the_server_no_harm(server: Served, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        head = b""
        with suppress(OSError):  # the server may hang up in the middle
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            head = connection.recv(65536)
    assert b" 500 " not in head
    assert server.ask("GET", "/healthz").status == 200


@pytest.mark.skipif(not SUITE.is_dir(), reason="MOA_CONFORMANCE names no folder with JSONTestSuite in it")
def test_files_of_the_json_test_suite_are_taken_or_refused(server: Served, record_property: Any) -> None:
    files = sorted(SUITE.rglob("*.json"))
    assert len(files) > 250
    for file in files:
        got = server.ask("POST", "/v1/chat/completions", file.read_bytes())
        assert got.status == 400, file.name
        if file.name.startswith("n_"):
            assert got.json["error"]["code"] in ("invalid_json", "invalid_type"), file.name
    record_property("json_files", len(files))


def test_an_error_of_ours_shows_nothing_of_ours(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("secret path /home")

    monkeypatch.setattr(server.app.state.allowances, "take", broken)
    got = server.chat()
    refused(got, 500, "internal_error")
    assert "secret" not in json.dumps(got.json)
