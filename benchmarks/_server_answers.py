"""The parts of `server_faults.py` that are about answers: to bad inputs, their shapes, and keys that must not be in them.

G12: damaged requests, drawn from a seed, and the tests of bad inputs, of our own OpenAPI document (schemathesis) and of the JSON
test suite. G13: good requests, whose every answer and chunk is held against OpenAI's description of its API, and the tests that
OpenAI and Anthropic keep of their SDKs. G21: the test that provokes failures and then looks for keys everywhere.
What is a test already is run as one, and what it has counted is read from its report. MOA_CONFORMANCE names the folder with
OpenAI's description and the JSON test suite; without it, what needs them could not be measured.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "server")]

from _mutations import GOOD, good, mutated
from _report import Figure
from _upstream import Upstream
from conformance import EVENT_SCHEMAS, FILE, Check, check
from served import served

SEED = 12
SCRIPTS = dict.fromkeys(("a", "b", "c", "agg", "other"), '{"a": "ab"}')
WHOLE = {"/v1/chat/completions": "CreateChatCompletionResponse", "/v1/responses": "Response"}
BAD_INPUTS = (
    "test_bad_inputs.py",
    "test_keys.py",
    "test_closed_doors.py",
    "test_runs_outside.py",
    "test_own_openapi.py",
)
"""Where the bad inputs of the reliability page (B01 to B43, of what is served) are tests."""
MODELS_FAULT = "bad_reply"
"""The code of an error that is the model's: its answer does not obey what the request demands, which nobody else can mend."""


@dataclass
class Seen:
    """What was answered: how often which status, how much was held against OpenAI's description, and what was wrong."""

    statuses: Counter[int] = field(default_factory=Counter)
    answers: int = 0
    errors: int = 0
    ours: list[str] = field(default_factory=list)
    invalid_answers: list[str] = field(default_factory=list)
    invalid_errors: list[str] = field(default_factory=list)

    def error(self, status: int, told: Any, checked: Check, of: str) -> None:
        """Take in an error."""
        self.errors += 1
        code = told["error"].get("code") if isinstance(told, dict) and isinstance(told.get("error"), dict) else None
        if (status >= 500 or code == "internal_error") and code != MODELS_FAULT:
            self.ours.append(f"{status} {code} {of}")
        self.invalid_errors += _wrong(checked, "ErrorResponse", told, of)

    def answer(self, schema: str | None, told: Any, checked: Check, of: str) -> None:
        """Take in an answer, or a piece of one; None: it is none of OpenAI's."""
        if schema is not None:
            self.answers += 1
            self.invalid_answers += _wrong(checked, schema, told, of)


def _wrong(checked: Check, schema: str, told: Any, of: str) -> list[str]:
    try:
        checked(schema, told)
    except AssertionError as error:
        return [f"{error} {of}"]
    return []


def asked(count: int, make: Any, checked: Check) -> Seen:
    """What is answered to so many requests, over all routes that take one."""
    rng, seen, paths = random.Random(SEED), Seen(), list(GOOD)
    with served(SCRIPTS) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        for number in range(count):
            path = paths[number % len(paths)]
            body = json.dumps(make(rng, path))
            connection.request("POST", path, body, {"content-type": "application/json"})
            got = connection.getresponse()
            raw, of = got.read(), f"{path} {body:.600}"
            seen.statuses[got.status] += 1
            if got.status != 200:
                seen.error(got.status, json.loads(raw), checked, of)
            elif "event-stream" in got.headers["content-type"]:
                _streamed(seen, path, raw, checked, of)
            else:
                seen.answer(WHOLE.get(path), json.loads(raw), checked, of)
        connection.close()
    return seen


def _streamed(seen: Seen, path: str, raw: bytes, checked: Check, of: str) -> None:
    lines = [line[6:] for line in raw.decode().splitlines() if line.startswith("data: ") and line != "data: [DONE]"]
    for frame in map(json.loads, lines):
        failure = frame.get("response", {}).get("moa", {}).get("error") or frame.get("error")
        if failure:
            seen.error(200, {"error": failure}, checked, of)
        elif path == "/v1/responses":
            kind = frame["type"]  # ours are for who asked for them
            seen.answer(None if kind.startswith("moa.") else EVENT_SCHEMAS[kind], frame, checked, of)
        else:
            seen.answer("CreateChatCompletionStreamResponse" if path in WHOLE else None, frame, checked, of)


@dataclass
class Tested:
    """What became of tests, and what they have recorded: the test's name, the property's, the value."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    recorded: list[tuple[str, str, float]] = field(default_factory=list)

    def sum(self, name: str) -> float | None:
        """The sum of what was recorded under a name; None where nothing was."""
        values = [value for _, found, value in self.recorded if found == name]
        return sum(values) if values else None


def tested(*files: str) -> Tested:
    """Run these files of tests/server."""
    seen = Tested()
    paths = ("src", "tests", "tests/server")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ("-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1", f"--junitxml={report}")
        subprocess.run(
            [sys.executable, "-m", "pytest", *options, *(f"tests/server/{file}" for file in files)],
            cwd=ROOT, capture_output=True, check=False,
            env=dict(os.environ) | {"PYTHONPATH": os.pathsep.join(str(ROOT / one) for one in paths)},
        )  # fmt: skip
        cases = list(ElementTree.parse(report).iter("testcase")) if report.is_file() else []
    for case in cases:
        ways = {one.tag for one in case}
        seen.failed += bool(ways & {"failure", "error"})
        seen.skipped += "skipped" in ways
        seen.passed += not ways & {"failure", "error", "skipped"}
        for one in case.iter("property"):
            seen.recorded.append((case.get("name", ""), one.get("name", ""), float(one.get("value", "nan"))))
    return seen


def bad_inputs(running: Upstream, quick: bool) -> list[Figure]:
    """G12: what is wrong with a request is never our fault, and is told as OpenAI tells it."""
    count = 500 if quick else 5000
    tests = tested(*BAD_INPUTS)
    seen = asked(count, mutated, check()) if FILE.is_file() else None
    return [
        Figure("G12.mutations", seen and count, count, ">="),
        Figure("G12.mutations.refused", seen and sum(seen.statuses[one] for one in range(400, 500)), count / 2, ">="),
        Figure("G12.mutations.5xx", seen and _told(seen.ours), 0),
        Figure("G12.mutations.errors_not_in_openais_shape", seen and _told(seen.invalid_errors), 0),
        Figure("G12.mutations.answers_not_valid", seen and _told(seen.invalid_answers), 0),
        Figure("G12.bad_inputs.tests_passed", tests.passed, 228, ">="),
        Figure("G12.bad_inputs.tests_failed_or_skipped", tests.failed + tests.skipped, 0),
        Figure("G12.json_test_suite.files", tests.sum("json_files"), 318, ">="),
        Figure("G12.schemathesis.operations_without_a_finding", tests.sum("operations"), 11, ">="),
    ]  # fmt: skip


def _told(wrong: list[str]) -> int:
    """How many; the first of them are told."""
    for one in wrong[:5]:
        print("wrong:", one, file=sys.stderr)
    return len(wrong)


def shapes(running: Upstream, quick: bool) -> list[Figure]:
    """G13: answers are what OpenAI's and Anthropic's clients take for answers."""
    count = 100 if quick else 1000
    seen = asked(count, good, check()) if FILE.is_file() else None
    tests = tested("test_sdk_suites.py")
    found = [
        Figure("G13.good_requests_answered.percent", seen and 100 * seen.statuses[200] / count, 100, ">="),
        Figure("G13.answers_and_chunks", seen and seen.answers, count, ">="),
        Figure(
            "G13.answers_and_chunks_not_valid",
            seen and _told(seen.invalid_answers + seen.invalid_errors + seen.ours),
            0,
        ),
    ]
    for test in dict.fromkeys(test for test, _, _ in tests.recorded):
        counts = {name: value for one, name, value in tests.recorded if one == test}
        suite = test.partition("[")[2].rstrip("]").replace(" ", ".")
        found.append(Figure(f"G13.sdk.{suite}.passed", counts["passed"], counts["wanted"], ">="))
    return [*found, Figure("G13.sdk.suites", tests.passed, 4, ">=")]


def secrets(running: Upstream, quick: bool) -> list[Figure]:
    """G21: keys are nowhere, after failures of every kind with everything told."""
    tests = tested("test_secrets.py")
    return [
        Figure("G21.failures_provoked", tests.sum("failures"), 200, ">="),
        Figure("G21.sinks", tests.sum("sinks"), 250, ">="),
        Figure("G21.canary_hits", tests.sum("canary_hits"), 0),
        Figure("G21.tests_failed_or_skipped", tests.failed + tests.skipped, 0),
    ]
