"""What callers may try: to pass limits, to spend others' money, to learn what is ours, to hold the server up."""

from __future__ import annotations

import itertools
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from served import AGENTS, SCRIPTS, Served, served

from moa.core.errors import AuthFailed, Overloaded
from moa.core.types import Choice, Logprob, Reply, ToolCall
from moa.providers._failure import failed
from moa.providers.fake import Script
from moa.server.app import found
from moa.server.door import Rules
from moa.stores.keys import Keys

PRICES = {f"fake:{name}": {"input": 1.0, "output": 1.0} for name in ("a", "b", "c", "agg")}


def test_a_caller_tightens_the_operators_limits_and_never_lifts_them() -> None:
    cheap = {"proposers": ["a", "b"], "aggregator": "agg", "max_cost": 1e-9, "deadline": 0.4}
    with served(
        mixtures={"review": cheap}, prices=PRICES, hosts={"fake": {"base_url": "http://198.51.100.1/v1"}}
    ) as server:
        assert [server.chat(moa=options).status for options in ({}, {"max_cost": 1000.0})] == [402, 402]
    slow = {"proposers": ["a", "b"], "aggregator": "agg", "deadline": 0.4}
    with served({**SCRIPTS, "agg": Script("late", hang=True)}, mixtures={"review": slow}) as server:
        started = time.monotonic()
        assert server.chat(moa={"deadline": 1000.0}).json["moa"]["degraded"]
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("options", [{"proposers": ["a"] * 33}, {"proposers": ["a"] * 32, "layers": 3}])
def test_one_request_starts_only_so_many_calls(options: dict[str, Any]) -> None:
    with served() as server:
        assert server.chat(moa=options).status == 400
        assert not server.asked


def test_a_key_without_a_limit_may_use_a_model_without_a_price(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.db")
    _, secret = keys.create("free")
    with served(rules=Rules(keys, ("literal",)), hosts={"fake": {"base_url": "http://198.51.100.1/v1"}}) as server:
        for one in (secret, "literal"):
            assert server.ask("POST", "/v1/chat/completions", CHAT, authorization=f"Bearer {one}").status == 200


CHAT = {"model": "moa/review", "messages": [{"role": "user", "content": "hi"}]}


def test_what_a_host_says_of_our_key_stays_here() -> None:
    body = json.dumps({"error": {"message": "Incorrect API key provided: sk-proj-CANARY1234567890."}}).encode()
    assert "CANARY" not in str(failed(401, {}, body))
    refused = dict.fromkeys(("a", "b", "c", "agg"), AuthFailed("bad key abc"))
    with served(refused) as server:
        got = server.chat(model="a")
    assert got.status == 502
    assert "abc" not in got.body.decode()


def test_a_mistake_in_the_configuration_is_told_to_the_operator_only(caplog: pytest.LogCaptureFixture) -> None:
    agents = {"a": {"model": "openai:gpt-6"}}
    with served(agents=agents, mixtures={"review": {"agent": "a", "aggregator": "a"}}) as server:
        got = server.chat()
    assert (got.status, got.json["error"]["code"]) == (503, "model_not_available")
    assert "OPENAI_API_KEY" not in got.body.decode()
    assert "OPENAI_API_KEY" in caplog.text


def test_what_is_wrong_with_a_changed_mixture_names_no_file(tmp_path: Path) -> None:
    (tmp_path / "weights.json").write_text('{"of": {"a": 1.0}, "other": 0.0}')
    poll = {"proposers": ["a", "b"], "combine": "vote", "weights": str(tmp_path / "weights.json")}
    with served(mixtures={"poll": poll}, default="poll") as server:
        got = server.chat(model="moa/poll", moa={"proposers": ["c", "other"]})
    assert (got.status, got.json["error"]["param"]) == (400, "moa")
    assert "no member of this mixture" in got.json["error"]["message"]
    assert tmp_path.name not in got.body.decode()
    assert "weights.json" not in got.body.decode()


@pytest.mark.parametrize(
    ("options", "place"),
    [({"proposers": ["a", "keyless"]}, "moa.proposers[1]"), ({"aggregator": "keyless"}, "moa.aggregator")],
)
def test_an_agent_that_cannot_be_called_is_named_and_not_what_is_missing(
    options: dict[str, Any], place: str, caplog: pytest.LogCaptureFixture
) -> None:
    with served(agents=AGENTS | {"keyless": {"model": "openai:gpt-6"}}) as server:
        got = server.chat(moa=options)
    told = got.json["error"]
    assert (got.status, told["code"], told["param"]) == (503, "model_not_available", place)
    assert "'keyless'" in told["message"]
    assert "OPENAI_API_KEY" not in got.body.decode()
    assert "OPENAI_API_KEY" in caplog.text


def test_who_leaves_a_stream_has_used_what_it_used(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.db")
    _, secret = keys.create("leaver", tokens=5)
    slow = {**SCRIPTS, "agg": Script("It is Paris.", interval=0.3)}
    with served(slow, rules=Rules(keys, ("metrics",))) as server:
        leave(server, secret)
        assert server.ask("POST", "/v1/chat/completions", CHAT, authorization=f"Bearer {secret}").status == 429
        told = server.ask("GET", "/metrics", authorization="Bearer metrics").body.decode()
    assert 'moa_runs_total{ended="CancelledError"} 1.0' in told
    assert 'moa_calls_total{model="fake:a",state="finished"} 1.0' in told


def leave(server: Served, secret: str) -> None:
    """Ask for a stream, read its first bytes, and go."""
    body = json.dumps(CHAT | {"stream": True}).encode()
    lines = ("POST /v1/chat/completions HTTP/1.1", "Host: localhost", "Content-Type: application/json")
    more = (f"Authorization: Bearer {secret}", f"Content-Length: {len(body)}", "")
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall("".join(f"{line}\r\n" for line in (*lines, *more)).encode() + body)
        seen = b""
        while b'"content":"It' not in seen:
            seen += connection.recv(4096)
    until = time.monotonic() + 5
    while not server.app.idle.is_set() and time.monotonic() < until:
        time.sleep(0.01)


class Several:
    """A provider that gives three choices, with logarithms."""

    async def send(self, request: Any, scope: Any) -> Reply:
        likely = (Logprob("a", -0.5, ("a",), (-0.5,)),)
        return Reply("one", "m", logprobs=likely, others=(Choice("two"), Choice("three", logprobs=likely)))


def test_a_stream_drops_nothing_that_was_asked_for() -> None:
    with served() as server:
        server.app.state.catalogue.rig.wires._made["fake"] = Several()
        frames = server.chat(model="a", stream=True, n=3, logprobs=True).frames[:-1]
    choices = [choice for frame in frames for choice in frame["choices"]]
    said = {n: "".join(c["delta"].get("content") or "" for c in choices if c["index"] == n) for n in range(3)}
    assert said == {0: "one", 1: "two", 2: "three"}
    assert {c["index"] for c in choices if c["logprobs"]} == {0, 2}
    assert sorted(c["index"] for c in choices if c["finish_reason"]) == [0, 1, 2]


def test_a_tool_call_that_was_cut_is_not_passed_as_whole() -> None:
    cut = Script("", tool_calls=(ToolCall("c", "write", '{"path": "/tm'),), finish="length")
    with served({**SCRIPTS, "other": cut}) as server:
        server.fake.scripts["other"] = cut  # type: ignore[index]
        tools = [{"type": "function", "function": {"name": "write"}}]
        from moa.server._completing import finish_of

        assert finish_of(Reply("", finish="length", tool_calls=cut.tool_calls)) == "length"
        assert server.chat(model="other", tools=tools).status == 200


def test_reminders_beside_a_tools_result_are_no_new_turn() -> None:
    """As Claude-style tools send them: advice is bought once, and the prompt only grows."""
    tool = {"name": "weather", "input_schema": {"type": "object"}}
    turns: list[Any] = [{"role": "user", "content": "Shall I take a coat?"}]
    with served() as server:
        for number in range(3):
            body = {"model": "moa/review", "max_tokens": 99, "messages": turns, "tools": [tool]}
            assert server.ask("POST", "/v1/messages", body).status == 200
            use = {"type": "tool_use", "id": f"t{number}", "name": "weather", "input": {}}
            result = {"type": "tool_result", "tool_use_id": f"t{number}", "content": "cold"}
            reminder = {"type": "text", "text": "<system-reminder>be brief</system-reminder>"}
            turns += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result, reminder]}]
        shown = [request.messages for request in server.asked if request.call.agent == "agg"]
        assert [request.call.agent for request in server.asked].count("a") == 1
    assert all(later[: len(first)] == first for first, later in itertools.pairwise(shown))


def test_what_will_pass_is_not_remembered_for_an_idempotency_key() -> None:
    busy = [Overloaded("busy", retry_after=0.0)] * 2 + [Script("It is Paris.")]
    with served(dict.fromkeys(("a", "b", "c", "agg"), busy)) as server:
        seen = [server.ask("POST", "/v1/chat/completions", CHAT, idempotency_key="one").status for _ in range(2)]
    assert seen == [503, 200]


def test_a_head_without_end_is_not_read() -> None:
    with served() as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\n")
            got = b""
            try:
                for _ in range(200):
                    connection.sendall(b"x: " + b"a" * 1000 + b"\r\n")
                got = connection.recv(100)
            except OSError:
                got = got or b"closed"
        assert b"200" not in got
        body = {"model": "moa/review", "messages": [{"role": "user", "content": "a" * 500_000}]}
        assert server.ask("POST", "/v1/chat/completions", body).status == 200


def test_a_reader_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moa.server.connection.SEND_SECONDS", 0.2)
    with served({**SCRIPTS, "a": "word" * 1_000_000}) as server:
        body = json.dumps(CHAT | {"stream": True, "moa": {"proposals": True}}).encode()
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            connection.connect(("127.0.0.1", server.port))
            lines = ("POST /v1/chat/completions HTTP/1.1", "Host: x", "Content-Type: application/json")
            head = "".join(f"{line}\r\n" for line in (*lines, f"Content-Length: {len(body)}", ""))
            connection.sendall(head.encode() + body)
            until = time.monotonic() + 10
            time.sleep(0.3)
            while not server.app.idle.is_set():
                assert time.monotonic() < until
                time.sleep(0.02)


def test_no_agent_is_called_as_a_mixture_is() -> None:
    from moa.config.load import load
    from moa.core.errors import ConfigError

    for name in ("moa", "moa/x"):
        with pytest.raises(ConfigError, match="another name"):
            load({}, folder=Path("/nonexistent"), flags={"agents": {name: {"model": "fake:a"}}})


def test_a_single_model_is_never_answered_by_another() -> None:
    title = "### Task:\nGenerate a concise title for this chat.\n### Chat History:\nhi"
    with served(server={"background": "other"}) as server:
        assert server.chat(title, model="a").json["choices"][0]["message"]["content"] == "Paris"
        assert server.chat(title, model="nonexistent").status == 404


def test_keys_are_shown_nowhere() -> None:
    assert "canary" not in repr(Rules(literal=("canary",)))


def test_paths_that_lead_nowhere_leave_nothing_behind() -> None:
    """A refusal that is raised again and again would keep the frames of every request."""
    first, second = (found("GET", "/nowhere")[2] for _ in range(2))
    assert first is not None
    assert first is not second
