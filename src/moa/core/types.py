"""The values of moa: what is said, what is wanted of a model, and what came back.

All are frozen and compare by content: two equal messages are equal. None carries an id or a time; those belong to
events. Money is US dollars, token counts are the provider's, time is seconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Literal, TypeAlias

from moa.core.form import PLAIN as PLAIN
from moa.core.form import Form as Form
from moa.core.form import Tool as Tool
from moa.core.parts import NAMED
from moa.core.parts import Image as Image
from moa.core.parts import Part as Part
from moa.core.parts import Text as Text
from moa.core.parts import ToolCall as ToolCall
from moa.core.parts import ToolResult as ToolResult
from moa.core.parts import name_of as name_of
from moa.core.parts import named_part as named_part
from moa.core.seen import seen
from moa.core.values import quickly_made

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
Finish: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "error"]
Framing: TypeAlias = Literal["fenced", "quoted", "paper"]

PROMPT_VERSION = "1"
"""Part of every `Call.key`: raised whenever the words of `core/prompts.py` or the framing change."""


@quickly_made
@dataclass(frozen=True, slots=True)
class Message:
    """What is said: a role and its parts."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """All text parts, joined without a separator."""
        return "".join([part.text for part in self.parts if isinstance(part, Text)])


Conversation: TypeAlias = tuple[Message, ...]


def user(*parts: str | Part, **named: str | Image) -> Message:
    """A user turn; plain strings become text parts. `user("Is this urgent?", labs="K 6.8", image=Image(…))` names parts."""
    return Message("user", (*_parts(parts), *(named_part(name, said) for name, said in named.items())))


def names_of(conversation: Conversation) -> tuple[str, ...]:
    """The names of its named parts, in the order they first come."""
    named = [part.name for message in conversation for part in message.parts if isinstance(part, NAMED) and part.name]
    return tuple(dict.fromkeys(named)) if named else ()


def assistant(*parts: str | Part) -> Message:
    """An assistant turn; plain strings become text parts."""
    return Message("assistant", _parts(parts))


def system(text: str) -> Message:
    """A system message."""
    return Message("system", (Text(text),))


def _parts(parts: Iterable[str | Part]) -> tuple[Part, ...]:
    return tuple(Text(part) if isinstance(part, str) else part for part in parts)


@quickly_made
@dataclass(frozen=True, slots=True)
class Sampling:
    """How a model is to draw its answer. `None` leaves a setting to the provider."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    reasoning_effort: str | None = None

    def __post_init__(self) -> None:
        for name in ("temperature", "top_p"):  # 0 and 0.0 are equal, so their calls must have the same key
            if isinstance(getattr(self, name), int):
                object.__setattr__(self, name, float(getattr(self, name)))


@quickly_made
@dataclass(frozen=True, slots=True)
class Manner:
    """How an agent speaks: its own system prompt, and how references are shown to it (`core/prompts.py`).

    They are `shuffled`, unless who asks needs them in the order given: a judge that is asked in both orders. Of the named parts
    only those of its `view` were left to it (empty: all). Who `abstains` may say that it has nothing to say (`core/usable.py`).
    References join the last user turn; in a tool loop whose steps are advised on, they stand behind the first `behind` messages.
    """

    instructions: str = ""
    framing: Framing = "fenced"
    shuffled: bool = field(default=True, repr=False)  # the order shown is no part of a call's key, nor is what follows
    view: tuple[str, ...] = field(default=(), repr=False)
    abstains: bool = field(default=False, repr=False)
    behind: int = field(default=0, repr=False)  # of the key by itself, where it is set


@quickly_made
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or many calls. `cached` (read from the provider's cache) and `written` (to it) are parts of
    `input`; `reasoning` is part of `output`.

    `estimated`: the provider gave no usable count for (some of) it, so it was reckoned from the text.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    estimated: bool = False
    written: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input, self.output + other.output, self.cached + other.cached,
            self.reasoning + other.reasoning, self.estimated or other.estimated, self.written + other.written,
        )  # fmt: skip


@quickly_made
@dataclass(frozen=True, slots=True)
class Logprob:
    """How likely a token was (natural logarithm), and the likeliest others in its place, each as text and logarithm."""

    token: str
    logprob: float
    top_tokens: tuple[str, ...] = ()
    top_logprobs: tuple[float, ...] = ()


@quickly_made
@dataclass(frozen=True, slots=True)
class Choice:
    """A further answer of a call that asked for several."""

    text: str
    finish: Finish = "stop"
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
    logprobs: tuple[Logprob, ...] = ()


@quickly_made
@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one call.

    `cost` is in US dollars, `None` where no price is known. `notes` flags what a reader should know (a fallback, a cut).
    `others` are the further answers of a call that asked for several. `saw` are the names of the parts its author was shown.
    """

    text: str
    model: str = ""
    agent: str = ""
    finish: Finish = "stop"
    tool_calls: tuple[ToolCall, ...] = ()
    reasoning: str = ""
    usage: Usage = Usage()
    cost: float | None = None
    notes: tuple[str, ...] = ()
    logprobs: tuple[Logprob, ...] = ()
    others: tuple[Choice, ...] = ()
    saw: tuple[str, ...] = ()

    @property
    def blank(self) -> bool:
        """True where there is neither a tool call nor text that anybody sees: such a reply is no proposal."""
        text = self.text.strip()
        return not self.tool_calls and not (text[:1].isalnum() or seen(text).strip())

    def billed(self, cost: float | None, agent: str, saw: tuple[str, ...] | None = None) -> Reply:
        """The same reply with what it cost, whose it is and what that saw (`replace` takes thrice as long; each call does this)."""
        saw = self.saw if saw is None else saw
        if self.cost == cost and self.agent == agent and self.saw == saw:
            return self
        return Reply(
            self.text, self.model, agent, self.finish, self.tool_calls, self.reasoning, self.usage, cost, self.notes,
            self.logprobs, self.others, saw,
        )  # fmt: skip

    def noted(self, *notes: str) -> Reply:
        """The same reply with more notes."""
        return replace(self, notes=(*self.notes, *notes)) if notes else self


Replies: TypeAlias = tuple[Reply, ...]


Function: TypeAlias = Callable[..., object]
"""An async callable that is an agent (`providers/called.py`)."""


@quickly_made
@dataclass(frozen=True, slots=True)
class Call:
    """What a flow wants of one model. Rendered into messages by the engine, just before it is sent.

    `references` are the proposals it is given; `task` says in words what to do with them (empty: only show them).
    `sample` tells equal calls apart, so that no cache or replay folds the samples of Self-MoA into one. `fallbacks` are
    models ("host:model") that are asked in turn where this one has no answer. `function` is who answers in a model's place.
    """

    model: str
    conversation: Conversation
    references: Replies = ()
    task: str = ""
    manner: Manner = Manner()
    sampling: Sampling = Sampling()
    sample: int = 0
    agent: str = ""
    role: str = "proposer"
    form: Form = PLAIN
    fallbacks: tuple[str, ...] = ()
    function: Function | None = field(default=None, compare=False, repr=False)  # it answers to `model`
    _digests: tuple[tuple[str, str], ...] = field(default=(), init=False, compare=False, repr=False)
    _key: str = field(default="", init=False, compare=False, repr=False)

    def drawn(self, sampling: Sampling) -> Call:
        """The same call, its answer drawn so (`dataclasses.replace` takes thrice as long, and each paid call does this)."""
        return Call(
            self.model, self.conversation, self.references, self.task, self.manner, sampling, self.sample, self.agent,
            self.role, self.form, self.fallbacks, self.function,
        )  # fmt: skip

    @property
    def digests(self) -> tuple[tuple[str, str], ...]:
        """One short digest per field that makes the key, so that two calls can be compared field by field."""
        if self._digests:
            return self._digests
        references: Hashable = ()
        if self.references:
            texts, told = tuple([reference.text for reference in self.references]), self.told
            references = (texts, told) if any(told) else texts
        digests = (
            _digest_of("model", self.model),
            _digest_of("conversation", self.conversation),
            _digest_of("references", references),
            *_digests_of(self.task, self.manner, self.sampling, self.sample),
            *((_digest_of("form", self.form),) if self.form is not PLAIN and self.form != PLAIN else ()),
            *((_digest_of("behind", str(self.manner.behind)),) if self.manner.behind and self.references else ()),
        )
        object.__setattr__(self, "_digests", digests)
        return digests

    @property
    def told(self) -> tuple[str, ...]:
        """What is said of each reference's author where it saw other parts than this call: the names of those, else nothing."""
        saw = [reference.saw for reference in self.references]
        if not any(saw):
            return ()
        mine = set(names_of(self.conversation))
        return tuple([", ".join(names) if set(names) != mine else "" for names in saw])

    @property
    def key(self) -> str:
        """SHA-256 over model, conversation, references, manner, sampling, sample and prompt version (hex).

        Also over the form, where one is asked for. Never over the nonce or the display order; `agent`, `role` and
        `fallbacks` are names, not content.
        """
        if not self._key:
            joined = "".join([digest for _, digest in self.digests])
            object.__setattr__(self, "_key", hashlib.sha256(joined.encode()).hexdigest())
        return self._key


@quickly_made
@dataclass(frozen=True, slots=True)
class Request:
    """A Call rendered into messages. `nonce` fences its references (design §9). `uncut` is the call before its references were
    cut to what its model has room for, where they were: another model may have more."""

    call: Call
    messages: Conversation
    nonce: str = ""
    uncut: Call | None = field(default=None, compare=False, repr=False)


@quickly_made
@dataclass(frozen=True, slots=True)
class Late:
    """A call whose step closed before it had answered."""

    call: Call


@lru_cache(maxsize=64)
def _digest_of(name: str, content: Hashable) -> tuple[str, str]:
    """A field's name and the digest of its content, which the calls of a step mostly share; few are remembered, since a
    conversation may be large."""
    text = content if isinstance(content, str) else repr(content)
    return name, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@lru_cache(maxsize=64)
def _digests_of(task: str, manner: Manner, sampling: Sampling, sample: int) -> tuple[tuple[str, str], ...]:
    """The digests of what a step's calls are asked in one way with."""
    return (
        _digest_of("task", task),
        _digest_of("manner", manner),
        _digest_of("sampling", sampling),
        _digest_of("sample", str(sample)),
        _digest_of("prompt version", PROMPT_VERSION),
    )
