"""Answers from a recorded run, by `Call.key`. A miss is an error naming what differs, never another reply."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import msgspec

from moa.core import errors
from moa.core.errors import BadRequest, ConfigError, MoaError, NotEnoughReplies, ProviderError, TimedOut
from moa.core.events import (
    CallCancelled,
    CallFailed,
    CallFinished,
    CallStarted,
    Event,
    Failure,
    StepFinished,
    StepStarted,
    deltas_of,
)
from moa.core.ports import Scope
from moa.core.types import Call, Reply, Request

Digests: TypeAlias = tuple[tuple[str, str], ...]
POLL, PATIENCE = 0.001, 0.5
"""Seconds between two looks at whether a step has closed, and how much longer than in the recorded run that may take."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded call: its key, the digest of each field that makes the key, and what became of it.

    `late`: it came after its step had closed, which was open for so many seconds; None where it came in time.
    """

    key: str
    digests: Digests
    outcome: Reply | Failure
    late: float | None = None


class Replay:
    """A Provider that knows only what was recorded. `source` names the recording in its errors.

    Where one call was recorded several times its outcomes come in that order, the last again and again. What came after its
    step had closed does so again.
    """

    def __init__(self, recorded: Iterable[Recorded], source: str = "the recording") -> None:
        self._source = source
        self._known: dict[str, list[Recorded]] = {}
        self._given: dict[str, int] = {}
        for one in recorded:
            self._known.setdefault(one.key, []).append(one)

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider.

        Raises:
            BadRequest: this call was not recorded; names the fields in which the nearest recorded one differs.
            MoaError: what the recorded call failed with.
        """
        await asyncio.sleep(0)  # as with any provider, calls at once take turns and can be cancelled
        call = request.call
        outcomes = self._known.get(call.key)
        if outcomes is None:
            raise BadRequest(self._miss(call), provider="replay", model=call.model)
        turn = self._given.get(call.key, 0)
        self._given[call.key] = turn + 1
        recorded = outcomes[min(turn, len(outcomes) - 1)]
        outcome = recorded.outcome
        if recorded.late is not None:
            await _until_closed(scope, recorded.late, call.model)
        if isinstance(outcome, Failure):
            raise raised(outcome)
        for delta in deltas_of(outcome, scope.attempt, final=scope.final) if scope.want_deltas else ():
            scope.emit(delta)
        return outcome

    def _miss(self, call: Call) -> str:
        head = f"no recorded call for agent {call.agent or call.model} of {self._source}"
        known = [outcomes[0] for outcomes in self._known.values() if outcomes[0].digests]
        if not known:
            return f"{head}: it holds no calls that could be compared"
        asked = dict(call.digests)
        nearest = min((_differing(asked, dict(one.digests)) for one in known), key=len)
        details = ", ".join(f"recorded {was}…, asked {now}…" for _, was, now in nearest)
        names = " and ".join(name for name, _, _ in nearest)
        return f"{head}: its {names} {'differs' if len(nearest) == 1 else 'differ'} ({details})"


async def _until_closed(scope: Scope, seconds: float, model: str) -> None:
    """Wait until the step of a call has closed.

    Raises:
        TimedOut: it stays open longer than it was in the recorded run: that closed because its time was used up.
    """
    clock = asyncio.get_running_loop().time
    ends = clock() + seconds + PATIENCE
    while scope.awaited():
        if clock() > ends:
            raise TimedOut("in the recorded run it came after its step had closed", provider="replay", model=model)
        await asyncio.sleep(POLL)


def _differing(asked: dict[str, str], recorded: dict[str, str]) -> list[tuple[str, str, str]]:
    """Name, recorded digest and asked digest of each field that differs, digests shortened."""
    names = dict.fromkeys((*asked, *recorded))
    pairs = ((name, recorded.get(name, "none"), asked.get(name, "none")) for name in names)
    return [(name, was[:6], now[:6]) for name, was, now in pairs if was != now]


def raised(failure: Failure) -> MoaError:
    """The exception that a recorded failure was; one of a class that is not ours becomes a ProviderError naming it."""
    kind = getattr(errors, failure.kind, None)
    if not (isinstance(kind, type) and issubclass(kind, MoaError)) or kind is NotEnoughReplies:
        failure = replace(failure, message=f"{failure.kind}: {failure.message}")
        kind = ProviderError
    if issubclass(kind, ProviderError):
        return kind(failure.message, provider=failure.provider, model=failure.model, partial=failure.partial)
    return kind(failure.message)


def from_events(events: Iterable[Event]) -> list[Recorded]:
    """The calls of stored runs, in the order they started: each with what it came to, late ones too.

    A call that was cancelled came to nothing: it is recorded as TimedOut.
    """
    started: dict[tuple[str, int], CallStarted] = {}
    outcomes: dict[tuple[str, int], Reply | Failure] = {}
    opened: dict[tuple[str, int], float] = {}
    open_for: dict[tuple[str, int], float] = {}
    step_of: dict[tuple[str, int], tuple[str, int]] = {}
    late: dict[tuple[str, int], float] = {}
    for event in events:
        place = (event.run, event.span)
        match event.fact:
            case StepStarted():
                opened[place] = event.time
            case StepFinished():
                open_for[place] = event.time - opened.get(place, event.time)
            case CallStarted() as fact:
                started[place], step_of[place] = fact, (event.run, event.parent)
            case CallFinished(reply=outcome) | CallFailed(failure=outcome):
                outcomes[place] = outcome
                if (step := step_of.get(place)) in open_for:
                    late[place] = open_for[step]
            case CallCancelled(reason=reason):
                text = f"cancelled in the recorded run: {reason}"
                outcomes[place] = Failure("TimedOut", text, "timeout", "replay")
    return [
        Recorded(fact.key, fact.digests, outcomes[place], late.get(place))
        for place, fact in started.items()
        if place in outcomes
    ]


class _Line(msgspec.Struct):
    """One line of a recording: exactly one of `reply` and `failure`."""

    key: str
    digests: dict[str, str] = msgspec.field(default_factory=dict)
    reply: Reply | None = None
    failure: Failure | None = None
    late: float | None = None


def read(path: Path) -> list[Recorded]:
    """The recording in a JSONL file: a line is `{"key": …, "digests": {…}, "reply": {…}}`, or with a `failure`.

    Raises:
        ConfigError: the file cannot be read, or a line is cut or wrong; names the line and what to do.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such recording") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    return [_recorded(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()]


def _recorded(line: bytes, where: str) -> Recorded:
    try:
        content = msgspec.json.decode(line, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: broken line ({error}); remove it, or record the run again") from error
    outcome = content.reply or content.failure
    if outcome is None:
        raise ConfigError(f"{where}: neither a reply nor a failure; remove the line, or record the run again")
    return Recorded(content.key, tuple(content.digests.items()), outcome, content.late)


def written(recorded: Iterable[Recorded]) -> bytes:
    """The JSONL that `read` reads."""
    lines = (
        {
            "key": one.key,
            "digests": dict(one.digests),
            ("reply" if isinstance(one.outcome, Reply) else "failure"): one.outcome,
            **({} if one.late is None else {"late": one.late}),
        }
        for one in recorded
    )
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
