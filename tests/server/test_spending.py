"""However a key asks, it spends no more than its day: in parallel, by other names, in loops, in streams it leaves, by rogues."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from rogue import COUNTS, rogue
from served import Got, Served, served

from moa.core.types import Request, ToolCall, Usage
from moa.providers.fake import Line, Script
from moa.server.door import Rules
from moa.stores.keys import Key, Keys

NAMES = ("a", "b", "agg", "small")
AGENTS = {name: {"model": f"fake:{name}", "max_tokens": 10} for name in NAMES}
MIXTURES = {"review": {"proposers": ["a", "b"], "aggregator": "agg"}}
PRICES = {f"fake:{name}": {"input": 0, "output": 1_000_000} for name in NAMES}
"""A dollar for each token of an answer, of which there are at most ten: a call sets ten dollars aside."""
CALL = 10.0
HI = [{"role": "user", "content": "hi"}]
TITLE = [{"role": "user", "content": "### Task:\nGenerate a concise title for this chat.\n### Chat History:\nhi"}]
TOOLS = [{"type": "function", "function": {"name": "weather"}}]
LOOP = [
    *HI,
    {
        "role": "assistant",
        "tool_calls": [{"id": "t", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "t", "content": "cold"},
]
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "the default": (CHAT, {"model": "moa", "messages": HI}),
    "its other name": (CHAT, {"model": "moa/default", "messages": HI}),
    "a mixture": (CHAT, {"model": "moa/review", "messages": HI}),
    "the aggregator alone": (CHAT, {"model": "moa/review", "messages": HI, "moa": {"solo": True}}),
    "other members": (CHAT, {"model": "moa", "messages": HI, "moa": {"proposers": ["b"] * 3, "layers": 2}}),
    "a member": (CHAT, {"model": "a", "messages": HI}),
    "the agent for titles": (CHAT, {"model": "moa", "messages": TITLE}),
    "several answers": (CHAT, {"model": "agg", "messages": HI, "n": 4}),
    "a longer answer": (CHAT, {"model": "agg", "messages": HI, "max_tokens": 50}),
    "a tool": (CHAT, {"model": "moa", "messages": HI, "tools": TOOLS}),
    "a step of a loop": (CHAT, {"model": "moa", "messages": LOOP, "tools": TOOLS}),
    "a schema": (CHAT, {"model": "agg", "messages": HI, "response_format": {"type": "json_object"}}),
    "more than it may": (CHAT, {"model": "moa", "messages": HI, "moa": {"max_cost": 1e6, "deadline": 100}}),
    "responses": (RESPONSES, {"model": "moa", "input": "hi"}),
    "messages": (MESSAGES, {"model": "moa", "messages": HI, "max_tokens": 10}),
    "a stream": (CHAT, {"model": "moa", "messages": HI, "stream": True}),
}
FIRST = {"several answers": 4 * CALL, "a longer answer": 5 * CALL}
"""What the first call of a way sets aside, where that is not one CALL."""


def greedy(request: Request) -> Line:
    """Every model uses all that it may, and answers a tool with a tool."""
    form, most = request.call.form, request.call.sampling.max_tokens or 4096
    calls = (ToolCall("t", "weather", "{}"),) if form.tools else ()
    return Script("{}", tool_calls=calls, usage=Usage(1, most * form.choices))


@contextmanager
def priced(folder: Path, scripts: Any = greedy, **settings: Any) -> Iterator[tuple[Served, Keys]]:
    """A server where models cost, and its keys."""
    keys = Keys(folder / "keys.db")
    given = {
        "agents": AGENTS, "mixtures": MIXTURES, "prices": PRICES, "server": {"background": "small"},
        "store": {"keep": True, "path": str(folder / "runs.db")},
    }  # fmt: skip
    with served(scripts, Rules(keys), **given | settings) as server:
        yield server, keys


def ask(server: Served, secret: str, way: str, **more: Any) -> Got:
    path, body = WAYS[way]
    return server.ask("POST", path, body | more, authorization=f"Bearer {secret}")


def spent(server: Served, key: Key) -> float:
    return server.app.state.catalogue.rig.ledger.spent(f"payer key {key.id}")


def at_once(server: Served, secret: str, ways: list[str]) -> list[Got]:
    """64 at a time."""
    with ThreadPoolExecutor(64) as pool:
        return list(pool.map(lambda way: ask(server, secret, way), ways))


def refused(got: Got) -> bool:
    """Whether it was for want of money."""
    return got.status == 402 or (got.status == 200 and b"budget_exceeded" in got.body)


@pytest.mark.parametrize("way", WAYS)
def test_without_money_there_is_no_way(way: str, tmp_path: Path) -> None:
    with priced(tmp_path) as (server, keys):
        key, secret = keys.create("poor", day=FIRST.get(way, CALL) - 0.01)
        got = ask(server, secret, way)
        assert refused(got), got.body
        assert spent(server, key) == 0
        assert not server.asked


@pytest.mark.parametrize("repeated", range(20))
def test_64_clients_with_money_for_10_calls_get_10(repeated: int, two_servers: Any) -> None:
    (one, other), keys = two_servers
    key, secret = keys.create(f"crowd {repeated}", day=10 * CALL)
    with ThreadPoolExecutor(64) as pool:
        got = list(pool.map(lambda n: ask((one, other)[n % 2], secret, "a member"), range(64)))
    admitted = [answer.status for answer in got].count(200)
    asked = len(one.asked) + len(other.asked)
    one.asked.clear()
    other.asked.clear()
    assert {answer.status for answer in got} <= {200, 402}
    assert admitted == asked == 10
    assert spent(one, key) == 10 * CALL


@pytest.fixture(scope="module")
def two_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[tuple[Served, Served], Keys]]:
    """Two servers of one keys file and one ledger, as two workers are."""
    folder = tmp_path_factory.mktemp("two")
    with priced(folder) as (one, keys), priced(folder) as (other, _):
        yield (one, other), keys


def test_all_ways_at_once_spend_no_more_than_the_day(tmp_path: Path) -> None:
    day = 40 * CALL
    with priced(tmp_path) as (server, keys):
        key, secret = keys.create("crowd", day=day)
        got = at_once(server, secret, list(WAYS) * 8)
        told = [float(cost) for one in got for cost in re.findall(rb'"moa":.*?"cost":([0-9.]+)', one.body)]
        assert sum(map(refused, got)) > 64
        assert sum(told) <= spent(server, key) <= day
        assert {one.status for one in got} <= {200, 402}
        rest = [ask(server, secret, way) for way in WAYS]
        assert spent(server, key) <= day
        assert all(refused(one) for one in rest) or day - spent(server, key) >= CALL


@pytest.mark.parametrize("stream", [False, True])
def test_a_loop_of_tools_ends_with_the_money(tmp_path: Path, stream: bool) -> None:
    """The proposers advise once (20 dollars), each step is one call more of the aggregator (10)."""
    turns = list(HI)
    with priced(tmp_path) as (server, keys):
        key, secret = keys.create("loop", day=6 * CALL)
        for step in range(8):
            got = ask(server, secret, "a tool", messages=turns, stream=stream)
            assert refused(got) == (step >= 4)
            call = {"id": f"t{step}", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
            turns += [{"role": "assistant", "tool_calls": [call]}]
            turns += [{"role": "tool", "tool_call_id": f"t{step}", "content": "cold"}]
        assert spent(server, key) == 6 * CALL


def test_who_leaves_each_stream_pays_what_had_come_and_no_more_than_the_day(tmp_path: Path) -> None:
    slow = Script("one two three four five six seven eight", interval=0.2)
    with priced(tmp_path, {"agg": slow, "a": "x", "b": "x"}) as (server, keys):
        key, secret = keys.create("leaver", day=3 * CALL)
        with ThreadPoolExecutor(16) as pool:
            began = list(pool.map(lambda _: leave(server, secret), range(16)))
        until = time.monotonic() + 10
        while not server.app.idle.is_set() and time.monotonic() < until:
            time.sleep(0.01)
        assert 1 <= began.count(True) <= 3
        assert began.count(True) <= spent(server, key) <= 3 * CALL
        for _ in range(30):
            leave(server, secret)
        assert refused(ask(server, secret, "a longer answer"))
        assert spent(server, key) <= 3 * CALL


def leave(server: Served, secret: str) -> bool:
    """Ask for a stream and go at its second word; whether one came."""
    body = json.dumps({"model": "agg", "messages": HI, "stream": True}).encode()
    lines = (f"POST {CHAT} HTTP/1.1", "Host: localhost", "Content-Type: application/json", "Connection: close")
    head = "".join(
        f"{line}\r\n" for line in (*lines, f"Authorization: Bearer {secret}", f"Content-Length: {len(body)}", "")
    )
    seen = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        while b"two" not in seen and (piece := connection.recv(4096)):
            seen += piece
    return b"two" in seen


@pytest.mark.parametrize(
    ("claim", "each"),
    [("owes", 1.0), ("owes-money", 1.0), ("uses-nothing", 0.0), ("uses-a-half", 1.0), ("counts-not", 1.0)],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_a_rogue_says_it_has_used_makes_no_money(claim: str, each: float, stream: bool, tmp_path: Path) -> None:
    """Counts that cannot be are estimated (an answer of one word: a dollar); an explicit nothing is nothing."""
    assert claim in COUNTS
    with rogue("/v1") as host:
        model, hosts = f"rogue:{claim}", {"rogue": {"base_url": host.url}}
        more = {
            "agents": AGENTS | {"rogue": {"model": model, "max_tokens": 10}},
            "prices": PRICES | {model: PRICES["fake:a"]},
        }
        with priced(tmp_path, {}, hosts=hosts, **more) as (server, keys):
            key, secret = keys.create("rogue", day=2 * CALL)
            body = {"model": "rogue", "messages": HI, "stream": stream}
            got = [server.ask("POST", CHAT, body, authorization=f"Bearer {secret}") for _ in range(25)]
            admitted = sum(not refused(one) for one in got)
            assert spent(server, key) == admitted * each <= 2 * CALL
    assert admitted == (25 if not each else 11)
    assert len(host.asked) == admitted


def test_a_model_whose_price_nobody_knows_is_not_for_who_has_a_limit(tmp_path: Path) -> None:
    with rogue("/v1") as host:
        more = {"agents": AGENTS | {"dear": {"model": "far:counts-not"}}, "hosts": {"far": {"base_url": host.url}}}
        with priced(tmp_path, {}, **more) as (server, keys):
            server.app.state.catalogue.rig.wires._free["far"] = False  # as if it were not on this machine
            _, secret = keys.create("rich", day=1e6)
            body = {"model": "dear", "messages": HI}
            assert server.ask("POST", CHAT, body, authorization=f"Bearer {secret}").status == 402
    assert host.asked == []
