"""Real clients, unchanged, get here what they get from the vendors: answers, streams, tools, schemas, images, errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from served import AGENTS, served
from vendors import CLIENTS, ENVIRONMENTS, Environment

from moa.core.errors import RateLimited
from moa.core.types import Image, Request, ToolCall, ToolResult
from moa.providers.fake import Line, Script
from moa.server.door import Rules

OPENAI_ERRORS = {
    "no such model": "NotFoundError",
    "wrong key": "AuthenticationError",
    "wrong value": "BadRequestError",
    "no capacity": "RateLimitError",
    "broken stream": "APIError",
}
ROWS: Mapping[str, tuple[Environment, dict[str, str]]] = {
    "openai 3": (ENVIRONMENTS["openai"], OPENAI_ERRORS),
    "openai 2": (Environment("openai-2", ("openai==2.54.0",)), OPENAI_ERRORS),
    "anthropic": (ENVIRONMENTS["anthropic"], OPENAI_ERRORS | {"broken stream": "APIStatusError"}),
    "langchain": (Environment("langchain", ("langchain-openai==1.7.4", "openai==3.54.0")), OPENAI_ERRORS),
    "pydantic-ai": (
        Environment("pydantic-ai", ("pydantic-ai-slim[openai]==2.68.0", "openai==3.54.0")),
        {
            "no such model": "ModelNotFoundError 404",
            "wrong key": "ModelAuthenticationError 401",
            "wrong value": "ModelRequestRejectedError 400",
        },
    ),
    "inspect": (
        Environment("inspect", ("inspect-ai==0.3.285", "openai==3.54.0")),
        OPENAI_ERRORS | {"wrong value": "ModelGenerateError"},
    ),
    "llm": (
        Environment("llm", ("llm==0.36", "openai==3.54.0")),
        {"no such model": "NotFoundError", "wrong key": "AuthenticationError"},
    ),
}
"""Each client: where it lives, and what it raises."""


def answer(request: Request) -> Line:
    """What the models say: the aggregator calls the tool first, and keeps to the schema."""
    match request.call.model.removeprefix("fake:"):
        case "busy":
            return RateLimited("too many requests")
        case "broken":
            return Script("It is Paris.", cut=2)
        case "a" | "b" | "c":
            return "Paris"
    form, parts = request.call.form, [part for message in request.messages for part in message.parts]
    results = [part.content for part in parts if isinstance(part, ToolResult)]
    if form.tools and not results:
        return Script("", tool_calls=(ToolCall("call_1", "weather", '{"city":"Paris"}'),))
    if results:
        return f"It is {results[-1]}."
    if form.schema:
        return '{"city":"Paris"}'
    return "A red dot." if any(isinstance(part, Image) for part in parts) else "It is Paris."


@pytest.mark.parametrize("name", ROWS)
def test_a_client_gets_what_it_gets_from_its_vendor(name: str, tmp_path: Path) -> None:
    environment, errors = ROWS[name]
    script = CLIENTS / f"{name.split()[0].replace('-', '_')}_client.py"
    agents = AGENTS | {name: {"model": f"fake:{name}"} for name in ("busy", "broken")}
    with served(answer, Rules(literal=("a-key",)), agents=agents) as server:
        done = environment.run(str(script), f"http://127.0.0.1:{server.port}", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told.pop("errors") == errors
    assert {what: set(said) for what, said in told.items()} == {
        "plain": {"It is Paris."},
        "streamed": {"It is Paris."},
        "tools": {"It is 21 degrees in Paris."},
        "schema": {"Paris"},
        "image": {"A red dot."},
    }
