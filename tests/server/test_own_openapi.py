"""Our own OpenAPI document, fuzzed by schemathesis against the server: it finds nothing.

One of its checks is left out: `positive_data_acceptance` wants everything to be accepted that fits the schema, and no schema says
which models are configured, or that a conversation must say something.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from served import served
from vendors import Environment

from moa.server.app import ROUTES
from moa.server.door import Rules

FUZZER = Environment("schemathesis", ("schemathesis==4.32.5",))


def test_schemathesis_finds_nothing(tmp_path: Path, record_property: Any) -> None:
    with served(rules=Rules(literal=("k",))) as server:
        done = FUZZER.run(
            *("-c", "from schemathesis.cli import schemathesis; schemathesis()"),
            *("run", f"http://127.0.0.1:{server.port}/openapi.json", "-H", "Authorization: Bearer k", "--seed", "1"),
            *("--max-examples", "30", "--checks", "all", "--exclude-checks", "positive_data_acceptance"),
            folder=tmp_path,
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert f"Tested: {len(ROUTES) - 1}" in done.stdout  # all but the document itself
    record_property("operations", len(ROUTES) - 1)
