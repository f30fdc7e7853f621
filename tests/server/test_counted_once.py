"""What is kept was bought once, and is counted once: in the answer, in the figures, and in what a key may use."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from served import AGENTS, Served, served

from moa.core.types import Usage
from moa.providers.fake import Script
from moa.server.door import Rules
from moa.stores.keys import Keys

FUNCTION = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
LOOP: list[dict[str, Any]] = [
    {"role": "user", "content": "Cold?"},
    {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": FUNCTION | {"arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "c", "content": "4 degrees"},
]
SCRIPTS = {"a": Script("coat", usage=Usage(100, 10)), "agg": Script("Take a coat.", usage=Usage(7, 2))}
PANEL = {"review": {"proposers": ["a"], "aggregator": "agg"}}


def step(server: Served, turns: int, **headers: str) -> Any:
    body = {"model": "moa/review", "messages": LOOP[:turns], "tools": [{"type": "function", "function": FUNCTION}]}
    return server.ask("POST", "/v1/chat/completions", body, **headers).json


def figures(server: Served, **headers: str) -> dict[str, float]:
    told = server.ask("GET", "/metrics", None, **headers).body.decode()
    return {name: float(value) for name, value in re.findall(r"^(moa_[^ ]+) ([0-9.e+-]+)$", told, re.MULTILINE)}


def test_advice_that_is_kept_is_counted_at_the_step_that_bought_it() -> None:
    with served(SCRIPTS, agents=AGENTS, mixtures=PANEL) as server:
        first, before = step(server, 1), figures(server)
        second, after = step(server, 3), figures(server)
    assert first["moa"]["usage"] == {"input_tokens": 107, "output_tokens": 12, "estimated": False}
    assert second["moa"]["usage"] == {"input_tokens": 7, "output_tokens": 2, "estimated": False}
    assert [agent.get("cached") for agent in second["moa"]["agents"]] == [True, None]
    more = {name: value - before.get(name, 0) for name, value in after.items()}
    assert more['moa_tokens_total{kind="input"}'] == 7
    assert more['moa_tokens_total{kind="output"}'] == 2
    assert more['moa_calls_total{model="fake:a",state="finished"}'] == 0
    assert more['moa_calls_total{model="fake:agg",state="finished"}'] == 1
    assert more['moa_call_seconds_count{model="fake:a",role="proposer"}'] == 0


def test_a_keys_tokens_a_minute_are_those_it_has_bought(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.db")
    _, secret = keys.create("one", tokens=1000)
    given = {"authorization": f"Bearer {secret}"}
    with served(SCRIPTS, Rules(keys), agents=AGENTS, mixtures=PANEL) as server:
        step(server, 1, **given)
        for _ in range(20):
            answer = step(server, 3, **given)
            assert answer["choices"][0]["message"]["content"] == "Take a coat."


def test_an_answer_from_the_cache_is_as_long_as_it_was_and_has_used_nothing() -> None:
    with served(SCRIPTS, agents=AGENTS, mixtures=PANEL, cache={"exact": True}) as server:
        first, second = (server.chat().json for _ in range(2))
    assert first["usage"] == second["usage"]
    assert first["usage"]["total_tokens"] == 9
    assert second["moa"]["usage"] == {"input_tokens": 0, "output_tokens": 0, "estimated": False}
