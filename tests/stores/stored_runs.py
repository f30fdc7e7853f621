"""Runs to put into stores: every fact, with a text of the caller's choice wherever a user or a model may have said it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from moa.core.events import (
    CacheHit,
    CallCancelled,
    CallFailed,
    CallFinished,
    CallHedged,
    CallRetried,
    CallStarted,
    Delta,
    Event,
    Fact,
    Failure,
    Noted,
    RunFailed,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
)
from moa.core.types import Image, Message, Reply, ToolCall, ToolResult, Usage, system, user


def facts(text: str, *, fails: bool = False) -> Iterator[Fact]:
    """The facts of one run, every kind of them but one of the two last."""
    conversation = (
        system(text),
        user(text, Image(f"https://example.org/{text}")),
        Message("assistant", (ToolCall("1", "look", text),)),
        Message("tool", (ToolResult("1", text),)),
    )
    reply = Reply(
        text, "m", "a", tool_calls=(ToolCall("2", "n", text),), reasoning=text, usage=Usage(3, 4), notes=(text,)
    )
    failure = Failure("Cut", text, "cut", "host", "m", text)
    yield RunStarted("default", conversation, 30.0)
    yield StepStarted("layer 1", 2)
    yield CallStarted("k" * 64, "a", "m", "proposer", 0, 0, (("model", "0011"),), "nonce")
    yield Delta(text)
    yield CallStarted("l" * 64, "b", "m", "proposer", 1, 0)
    yield CacheHit("l" * 64)
    yield CallRetried(1, 0.5, failure)
    yield CallHedged(2)
    yield CallFinished(reply, 0.25)
    yield CallFailed(failure, 0.5)
    yield CallCancelled("step closed", 0.5)
    yield StepFinished(1, 1, 0)
    yield Noted("guard", text)
    yield RunFailed(failure, Usage(3, 4), 0.5, 2.0) if fails else RunFinished(reply, Usage(3, 4), 0.25, 1.5)


def run_of(
    run: str, text: str = "why is the sky blue?", started: float = 1000.0, *, fails: bool = False
) -> list[Event]:
    """A run as the recorder would stamp it."""
    return [Event(fact, run, seq, started + seq / 8, seq % 3) for seq, fact in enumerate(facts(text, fails=fails))]


def kept(events: list[Event]) -> list[Event]:
    """What a store keeps of them."""
    return [event for event in events if not isinstance(event.fact, Delta)]


def bytes_under(folder: Path) -> bytes:
    """The content of every file in a folder."""
    return b"".join(Path(where, name).read_bytes() for where, _, names in os.walk(folder) for name in names)


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that runs `script`, which finds `run_of` and the two stores imported."""
    start = "import sys\nfrom stored_runs import run_of\nfrom moa.stores.jsonl import Jsonl\n"
    start += "from moa.stores.sqlite import Sqlite\n"
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", start + script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def said(child: subprocess.Popen[str]) -> str:
    """What the process wrote until its end, which must be a good one."""
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    return out + err
