"""OpenAI's own description of its API, as far as MOA_CONFORMANCE names a folder that has it, and values checked against it."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import pytest

FILE = Path(os.environ.get("MOA_CONFORMANCE", "/nonexistent")) / "openai" / "openapi.json.gz"
Check: TypeAlias = Callable[[str, Any], None]
"""Checks a value against the schema of that name."""
EVENT_SCHEMAS = {
    "response.created": "ResponseCreatedEvent",
    "response.in_progress": "ResponseInProgressEvent",
    "response.output_item.added": "ResponseOutputItemAddedEvent",
    "response.output_item.done": "ResponseOutputItemDoneEvent",
    "response.content_part.added": "ResponseContentPartAddedEvent",
    "response.content_part.done": "ResponseContentPartDoneEvent",
    "response.output_text.delta": "ResponseTextDeltaEvent",
    "response.output_text.done": "ResponseTextDoneEvent",
    "response.reasoning_summary_part.added": "ResponseReasoningSummaryPartAddedEvent",
    "response.reasoning_summary_part.done": "ResponseReasoningSummaryPartDoneEvent",
    "response.reasoning_summary_text.delta": "ResponseReasoningSummaryTextDeltaEvent",
    "response.reasoning_summary_text.done": "ResponseReasoningSummaryTextDoneEvent",
    "response.function_call_arguments.delta": "ResponseFunctionCallArgumentsDeltaEvent",
    "response.function_call_arguments.done": "ResponseFunctionCallArgumentsDoneEvent",
    "response.custom_tool_call_input.delta": "ResponseCustomToolCallInputDeltaEvent",
    "response.custom_tool_call_input.done": "ResponseCustomToolCallInputDoneEvent",
    "response.completed": "ResponseCompletedEvent",
    "response.incomplete": "ResponseIncompleteEvent",
    "response.failed": "ResponseFailedEvent",
    "error": "ResponseErrorEvent",
}
"""Which schema an event of a streamed response has."""


@cache
def description() -> Any:
    """The whole description; skips the test where there is none."""
    if not FILE.is_file():
        pytest.skip("MOA_CONFORMANCE names no folder with openai/openapi.json.gz in it")
    return json.loads(gzip.decompress(FILE.read_bytes()))


@cache
def check() -> Check:
    """What checks values; skips the test where it cannot."""
    jsonschema = pytest.importorskip("jsonschema")
    root = _translated(description())

    @cache
    def validator(name: str) -> Any:
        return jsonschema.Draft202012Validator(
            {"$ref": f"#/components/schemas/{name}", "components": root["components"]}
        )

    def checked(name: str, value: Any) -> None:
        error = jsonschema.exceptions.best_match(validator(name).iter_errors(value))
        assert error is None, f"{name}: {error.json_path}: {error.message}"

    return checked


def parameters(name: str) -> set[str]:
    """The parameters that a request of that name may have; skips the test where they are not known."""
    schemas = description()["components"]["schemas"]

    def names(schema: dict[str, Any]) -> Iterator[str]:
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        yield from schema.get("properties", {})
        for part in schema.get("allOf", ()):
            yield from names(part)

    return set(names(schemas[name]))


def _translated(node: Any) -> Any:
    """`nullable: true` is left over from an older OpenAPI: here it is a type."""
    if isinstance(node, list):
        return [_translated(one) for one in node]
    if not isinstance(node, dict):
        return node
    done = {name: _translated(value) for name, value in node.items()}
    return {"anyOf": [done, {"type": "null"}]} if done.pop("nullable", None) is True else done
