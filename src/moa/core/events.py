"""What happens in a run: one frozen class per fact, and `Event`, a fact with its place and time.

A run is its events, from RunStarted to exactly one RunFinished or RunFailed. `seq` counts from 0 without gaps; `span`
numbers a step or a call, `parent` the span it stands in (0 is the run itself); `time` is Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from moa.core.errors import MoaError, ProviderError
from moa.core.types import Conversation, Reply, Usage
from moa.core.values import quickly_made


@quickly_made
@dataclass(frozen=True, slots=True)
class Failure:
    """An error as a value: what a store keeps of an exception."""

    kind: str
    message: str
    code: str = ""
    provider: str = ""
    model: str = ""
    partial: str = ""

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """The failure that `error` is; anything that is no MoaError keeps its class name."""
        if isinstance(error, ProviderError):
            message = str(error.args[0]) if error.args else ""
            return cls(error.kind, message, error.code, error.provider, error.model, error.partial)
        return cls(type(error).__name__, str(error), error.code if isinstance(error, MoaError) else "")

    def __str__(self) -> str:
        whose = ":".join(part for part in (self.provider, self.model) if part)
        return " ".join(part for part in (f"{self.kind}:", f"{whose}:" if whose else "", self.message) if part)


@quickly_made
@dataclass(frozen=True, slots=True)
class RunStarted:
    """A conversation came in. `deadline` is the seconds this run may take, `conversation` is empty where prompts are not kept.

    `tenant` is in whose name it was asked, `answers` of what kind the mixture's answers are compared as (`flows/answers.py`).
    """

    mixture: str
    conversation: Conversation
    deadline: float | None = None
    tenant: str = ""
    answers: str = "auto"


@quickly_made
@dataclass(frozen=True, slots=True)
class StepStarted:
    """A flow asked for `calls` calls at once; `need` of them close the step early."""

    label: str
    calls: int
    need: int | None = None
    final: bool = False


@quickly_made
@dataclass(frozen=True, slots=True)
class CallStarted:
    """One call went out. `digests` name what made its key, field by field; `nonce` fenced its references."""

    key: str
    agent: str
    model: str
    role: str
    sample: int
    references: int
    digests: tuple[tuple[str, str], ...] = ()
    nonce: str = ""


@quickly_made
@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of an answer under way. A tool-call fragment carries `index`, `id`, `name`; its text is arguments."""

    text: str
    what: Literal["text", "reasoning", "tool"] = "text"
    attempt: int = 1
    final: bool = False
    index: int = 0
    id: str = ""
    name: str = ""


def joined(deltas: Iterable[Delta]) -> list[Delta]:
    """The same pieces, those right behind one another as one, but for those of different things and where a tool call begins."""
    groups: list[list[Delta]] = []
    for delta in deltas:
        one = groups[-1][0] if groups else delta
        same = (
            one.what == delta.what
            and one.attempt == delta.attempt
            and one.index == delta.index
            and one.final == delta.final
        )
        if groups and same and not delta.id:
            groups[-1].append(delta)
        else:
            groups.append([delta])
    return [group[0] if len(group) == 1 else _whole(group) for group in groups]


def _whole(pieces: Sequence[Delta]) -> Delta:
    first = pieces[0]
    text = "".join([one.text for one in pieces])
    return Delta(text, first.what, first.attempt, first.final, first.index, first.id, first.name)


def deltas_of(reply: Reply, attempt: int = 1, *, final: bool = False) -> tuple[Delta, ...]:
    """A whole reply as deltas: for an answer that was known before it was asked for."""
    tools = (
        Delta(call.arguments, "tool", attempt, final, place, call.id, call.name)
        for place, call in enumerate(reply.tool_calls)
    )
    spoken = ((reply.reasoning, "reasoning"), (reply.text, "text"))
    return (*(Delta(text, what, attempt, final) for text, what in spoken if text), *tools)  # type: ignore[arg-type]


@quickly_made
@dataclass(frozen=True, slots=True)
class CacheHit:
    """The answer was already known; nothing was sent."""

    key: str


@quickly_made
@dataclass(frozen=True, slots=True)
class CallRetried:
    """An attempt failed; the next goes out after `wait` seconds."""

    attempt: int
    wait: float
    failure: Failure


@quickly_made
@dataclass(frozen=True, slots=True)
class CallHedged:
    """A second attempt went out because the first is slow."""

    attempt: int


@quickly_made
@dataclass(frozen=True, slots=True)
class Wasted:
    """An attempt that gave no reply has used this all the same: it was cut, stopped, or came second. `cost` is in US dollars."""

    usage: Usage
    cost: float | None


@quickly_made
@dataclass(frozen=True, slots=True)
class CallFinished:
    """A call came back with a reply, `seconds` after it started. `late`: its step had closed before."""

    reply: Reply
    seconds: float
    late: bool = False


@quickly_made
@dataclass(frozen=True, slots=True)
class CallFailed:
    """A call ended without a reply."""

    failure: Failure
    seconds: float


@quickly_made
@dataclass(frozen=True, slots=True)
class CallCancelled:
    """A call was stopped before it ended: its step had closed, or the run ended."""

    reason: str
    seconds: float


@quickly_made
@dataclass(frozen=True, slots=True)
class StepFinished:
    """A step closed: so many replies, failures, and calls that were still under way."""

    replies: int
    failed: int
    late: int


@quickly_made
@dataclass(frozen=True, slots=True)
class Noted:
    """Something a reader of the run should know: fallback, replaced, sink, no proposal, circuit, guard verdict …"""

    reason: str
    detail: str = ""


@quickly_made
@dataclass(frozen=True, slots=True)
class RunFinished:
    """The run has its answer. `usage` and `cost` are of all its calls, but for those whose answer was known; `cost` is None where a
    price is unknown."""

    reply: Reply
    usage: Usage
    cost: float | None
    seconds: float
    degraded: bool = False


@quickly_made
@dataclass(frozen=True, slots=True)
class RunFailed:
    """The run ended without an answer: an error, or cancelled."""

    failure: Failure
    usage: Usage
    cost: float | None
    seconds: float


Fact: TypeAlias = (
    RunStarted
    | StepStarted
    | CallStarted
    | Delta
    | CacheHit
    | CallRetried
    | CallHedged
    | Wasted
    | CallFinished
    | CallFailed
    | CallCancelled
    | StepFinished
    | Noted
    | RunFinished
    | RunFailed
)

TERMINAL = (RunFinished, RunFailed)


@quickly_made
@dataclass(frozen=True, slots=True)
class Event:
    """A fact, stamped."""

    fact: Fact
    run: str
    seq: int
    time: float
    span: int = 0
    parent: int = 0
