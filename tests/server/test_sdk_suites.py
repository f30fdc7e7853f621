"""The tests that OpenAI and Anthropic keep of their own clients pass against this server, as far as they are of what it serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from served import served
from vendors import CLIENTS, ENVIRONMENTS, sources

from moa.server.door import Rules

KEYS = ("My API Key", "my-anthropic-api-key")
NAMES = (
    "gpt-6-astra", "claude-opus-5-5", "claude-mythos-preview", "claude-opus-4-5", "claude-opus-4-5-20251101", "claude-sonnet-4-5",
    "claude-sonnet-4-5-20250929",
)  # fmt: skip
"""The keys that those tests send, and the models they ask."""

STORED = "answers are kept as runs, not as objects of OpenAI's"


@dataclass(frozen=True)
class Suite:
    """One file of a vendor's tests. `exempt`: tests whose names have this in them are left out, and why; `passing`: all others."""

    of: str
    file: str
    passing: int
    exempt: Mapping[str, str] = field(default_factory=dict)
    plugin: str = ""


SUITES = (
    Suite(
        "openai", "tests/api_resources/chat/test_completions.py", 40,
        {"retrieve": STORED, "update": STORED, "list": STORED, "delete": STORED},
    ),
    Suite("openai", "tests/api_resources/test_models.py", 35, {"delete": "models are configured, not deleted by who asks them"}),
    Suite(
        "openai", "tests/api_resources/test_responses.py", 40,
        {
            "retrieve": STORED, "delete": STORED, "cancel": "nothing runs in the background: who leaves cancels",
            "compact": "makes items that only OpenAI can read",
        },
        plugin="filled",
    ),
    Suite("anthropic", "tests/api_resources/test_messages.py", 65),
)  # fmt: skip


def ran(suite: Suite, port: int, folder: Path) -> dict[str, str]:
    """How each test of it ended: empty for those that passed, else why not."""
    report = folder / "report.xml"
    selected = " and ".join(f"not {words}" for words in suite.exempt)
    plugins = [
        *(["-p", suite.plugin] if suite.plugin else []),
        *(["-p", "tests._alias_httpx"] * (suite.of == "anthropic")),
    ]
    done = ENVIRONMENTS[suite.of].run(
        "-m", "pytest", "-o", "addopts=", *plugins, "-p", "no:cacheprovider", "-q", "--tb=short", f"--junitxml={report}",
        "-k", selected, suite.file,
        folder=sources(ENVIRONMENTS[suite.of].packages[0]),
        PYTHONPATH=str(CLIENTS),
        TEST_API_BASE_URL=f"http://127.0.0.1:{port}" + "/v1" * (suite.of == "openai"),
    )  # fmt: skip
    assert report.is_file(), done.stdout + done.stderr
    cases = ElementTree.parse(report).iter("testcase")
    return {f"{case.get('classname')}.{case.get('name')}": "".join(_why(case)) for case in cases}


def _why(case: ElementTree.Element) -> list[str]:
    return [f"{one.tag}: {one.get('message')}" for one in case if one.tag in ("failure", "error", "skipped")]


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: f"{suite.of} {Path(suite.file).stem}")
def test_the_vendors_own_tests_of_its_client_pass(suite: Suite, tmp_path: Path, record_property: Any) -> None:
    agents = {name: {"model": f"fake:{name}"} for name in NAMES}
    scripts = dict.fromkeys(NAMES, "It is Paris.")
    with served(scripts, Rules(literal=KEYS), agents=agents, mixtures={}, default=None) as server:
        ended = ran(suite, server.port, tmp_path)
    record_property("passed", sum(not why for why in ended.values()))
    record_property("wanted", suite.passing)
    assert {name: why for name, why in ended.items() if why} == {}
    assert len(ended) == suite.passing
