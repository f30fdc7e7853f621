"""Good requests of every route that takes one, and what they become when somebody damages them: drawn from a seed."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

Place = tuple[Any, ...]
TREE: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}
PNG = "data:image/png;base64,AAAA"
WISHES: dict[str, Any] = {
    "proposers": ["a", "b"], "aggregator": "agg", "layers": 1, "deadline": 60, "max_cost": 1, "mode": "full", "solo": False,
    "tag": "t",
    "proposals": True, "events": True, "progress": True, "parts": {"p": "x", "q": {"image_url": "https://x"}},
}  # fmt: skip
CHAT: dict[str, Any] = {
    "model": "moa/review",
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [
            {"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
        ]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "w", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "c", "content": "r"},
        {"role": "user", "content": "go"},
    ],
    "temperature": 1, "top_p": 1, "n": 1, "max_tokens": 5, "stop": ["a"], "seed": 1, "stream": False, "logprobs": True,
    "tools": [{"type": "function", "function": {"name": "w", "description": "d", "strict": True, "parameters": TREE}}],
    "tool_choice": "auto", "parallel_tool_calls": True, "logit_bias": {"1": 1}, "user": "u", "metadata": {"a": "b"},
    "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": TREE, "strict": True}},
    "reasoning_effort": "low", "moa": WISHES,
}  # fmt: skip
RESPONSES: dict[str, Any] = {
    "model": "moa/review",
    "input": [
        {"role": "developer", "content": "d"},
        {"role": "user", "content": [{"type": "input_text", "text": "q"}, {"type": "input_image", "image_url": PNG}]},
        {"type": "reasoning", "id": "r", "summary": []},
        {"type": "function_call", "call_id": "c", "name": "w", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "r"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]},
        {"role": "user", "content": "x"},
    ],
    "instructions": "i", "include": ["message.output_text.logprobs"], "max_output_tokens": 5, "metadata": {"a": "b"},
    "reasoning": {"effort": "low", "summary": "auto"}, "temperature": 1, "top_p": 1, "truncation": "auto", "stream": False,
    "text": {"format": {"type": "json_schema", "name": "x", "schema": TREE, "strict": True}, "verbosity": "low"},
    "tools": [{"type": "function", "name": "w", "parameters": TREE, "strict": True}], "tool_choice": "auto", "store": True,
    "moa": WISHES,
}  # fmt: skip
MESSAGES: dict[str, Any] = {
    "model": "moa/review", "max_tokens": 5, "system": [{"type": "text", "text": "s"}],
    "messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "q"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            {"type": "image", "source": {"type": "url", "url": "https://x"}},
        ]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "tool_use", "id": "t", "name": "w", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "r"}], "is_error": False},
            {"type": "text", "text": "go"},
        ]},
    ],
    "tools": [{"name": "w", "input_schema": TREE, "description": "d"}], "stream": False,
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}, "thinking": {"type": "enabled", "budget_tokens": 5},
    "stop_sequences": ["a"], "temperature": 1, "top_p": 1, "top_k": 1, "metadata": {"user_id": "u"},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": TREE}}, "moa": WISHES,
}  # fmt: skip
COUNTED = {name: MESSAGES[name] for name in ("model", "system", "messages", "tools", "tool_choice")}
GOOD = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": RESPONSES,
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": COUNTED,
}
"""A request of each route that sets nearly everything it may."""
NEEDED = ("model", "messages", "input", "max_tokens")
ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 1.5, -1e308, 1e308, "", "x", "\u0000", "\U000e0041\u202e", "http://evil/",
    "$ref", "#/a", "a" * 5000, [], [None], [[]], [{}], {}, {"a": None}, {"type": "x"}, {"$ref": "#"}, {"type": "function"},
    {"role": "user"}, {"": ""}, "none", "auto", "data:image/png;base64,", "(((", "(a+)+$", ["a"] * 40, {"__class__": "x"},
    {"type": ["object", "null"]}, {"allOf": [{"$ref": "#"}]}, {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}},
]  # fmt: skip
"""What is put where something else belongs."""
NAMES = ("foo", "api_base", "type", "name", "content", "__proto__", "strict")


def good(rng: random.Random, path: str) -> dict[str, Any]:
    """A good request of a route: what need not be there is, or is not."""
    body = copy.deepcopy({name: set_to for name, set_to in GOOD[path].items() if name in NEEDED or rng.random() < 0.5})
    if "stream" in body:
        body["stream"] = rng.random() < 0.5
    return body


def mutated(rng: random.Random, path: str) -> dict[str, Any]:
    """A good request with one or two things in it damaged: replaced, taken out, or put in."""
    body = good(rng, path)
    for _ in range(rng.choice((1, 1, 2))):
        *way, last = rng.choice([place for place in places(body) if place])
        inside: Any = body
        for step in way:
            inside = inside[step]
        kind, odd = rng.random(), copy.deepcopy(rng.choice(ODD))
        if kind < 0.7:
            inside[last] = odd
        elif kind < 0.85:
            del inside[last]
        elif isinstance(inside, dict):
            inside[rng.choice(NAMES)] = odd
        else:
            inside.append(odd)
    return body


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """The place of everything in a value."""
    yield place
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inside:
        yield from places(one, (*place, name))
