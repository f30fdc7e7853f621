"""The JSON of chat completions as a Reply: whole or chunk by chunk, from any host.

Hosts leave out, null or rename fields, so every field may be missing; a field of the wrong type is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from moa.core.errors import BadReply
from moa.core.events import Delta
from moa.core.ports import Scope
from moa.core.types import Finish, Reply
from moa.providers._choices import numbered, several
from moa.providers._failure import failed_event, failed_inside
from moa.providers._saying import Saying, likely
from moa.providers._sse import ServerEvent
from moa.providers._usage import figure
from moa.providers._wire import decoded

FINISHES: Mapping[str, Finish] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "sensitive": "content_filter",  # Z.ai's
    "error": "error",
    "network_error": "error",  # Z.ai's
    "insufficient_system_resource": "error",  # DeepSeek's
}


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: Any = None  # JSON text; some hosts send the object itself


class _ToolPiece(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Piece(msgspec.Struct):
    """A part of a content that is a list: Mistral's reasoning models send those."""

    type: str | None = None
    text: str | None = None
    thinking: Any = None


class _Said(msgspec.Struct):
    """What a message or a delta holds."""

    content: str | list[_Piece] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolPiece] | None = None


class _Likely(msgspec.Struct):
    token: str | None = None
    logprob: float | None = None
    top_logprobs: list[_Likely] | None = None


class _Logprobs(msgspec.Struct):
    content: list[_Likely] | None = None


class _ChoicePiece(msgspec.Struct):
    index: int | None = None
    message: _Said | None = None
    delta: _Said | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None
    error: Any = None


class Completion(msgspec.Struct):
    """A completion, or one chunk of it. `error` stands where a host reports a failure inside a 200."""

    model: str | None = None
    choices: list[_ChoicePiece] | None = None
    usage: Any = None
    error: Any = None

    @property
    def failure(self) -> Any:
        """The error object inside, of the whole or of the first choice; None where there is none."""
        for choice in self.choices or ():
            if choice.error:
                return self.error or choice.error
        return self.error


_DECODER = msgspec.json.Decoder(Completion)
WHAT = "a chat completion"


class Answer:
    """A completion under way; see Reading. The first choice is the answer, further ones become its `others`."""

    __slots__ = ("_first", "_further", "_scope", "ended")

    def __init__(self, scope: Scope, model: str) -> None:
        self.ended = False
        self._scope = scope
        self._first = Saying(scope, model)
        self._further: dict[int, Saying] = {}

    @property
    def text(self) -> str:
        """See Reading."""
        return self._first.text

    @property
    def finished(self) -> bool:
        """See Reading."""
        return self._first.finish is not None

    def whole(self, body: bytes) -> list[Delta]:
        """See Reading."""
        completion = decoded(_DECODER, body, WHAT)
        if not completion.choices and not completion.failure:
            raise BadReply("the answer holds no choice")
        self.ended = True
        return self.add(completion)

    def event(self, event: ServerEvent) -> list[Delta]:
        """See Reading."""
        if event.data.strip() == b"[DONE]":
            self.ended = True
            return []
        if event.name == "error" and (failure := failed_event(event)) is not None:
            raise failure
        completion = decoded(_DECODER, event.data, WHAT)
        if completion.choices is None and completion.usage is None and (failure := failed_event(event)) is not None:
            raise failure
        return self.add(completion)

    def add(self, completion: Completion) -> list[Delta]:
        """Take in a completion or chunk.

        Raises:
            ProviderError: it is a failure.
        """
        if failure := completion.failure:
            raise failed_inside(failure)
        first = self._first
        first.model = completion.model or first.model
        if completion.usage is not None:
            _count(first, completion.usage)
        deltas: list[Delta] = []
        choices = completion.choices or ()
        if len(choices) == 1 and not choices[0].index:
            return _take(choices[0], first)
        whole = any(choice.message is not None for choice in choices)
        for number, choice in zip(numbered([one.index for one in choices], whole=whole), choices, strict=True):
            if number:  # only the first choice is streamed
                _take(choice, self._further.setdefault(number, Saying(Scope(), first.model)))
            else:
                deltas += _take(choice, first)
        return deltas

    def reply(self, *, ended: bool) -> Reply:
        """See Reading."""
        return several(self._first, self._further, self._scope, ended=ended)


def _take(choice: _ChoicePiece, saying: Saying) -> list[Delta]:
    if choice.finish_reason:
        saying.finish = FINISHES.get(choice.finish_reason.lower())
        if saying.finish is None:
            saying.finish = "stop"
            saying.notes.append(f"unknown finish reason {choice.finish_reason[:40]!r}")
    if choice.logprobs is not None:
        saying.logprobs += [
            likely(one.token, one.logprob, [(top.token, top.logprob) for top in one.top_logprobs or ()])
            for one in choice.logprobs.content or ()
        ]
    said = choice.message or choice.delta
    deltas: list[Delta] = []
    if said is None:
        return deltas
    text, thought = (said.content, "") if isinstance(said.content, str) else _texts(said.content)
    if thought := said.reasoning_content or said.reasoning or thought:
        deltas.append(saying.thought(thought))
    if text:
        deltas += saying.aloud(text)
    if said.refusal:
        saying.declined(said.refusal)
    if not said.tool_calls:
        return deltas
    for place, tool in enumerate(said.tool_calls, saying.tools):
        function = tool.function or _Function()
        index = tool.index if choice.message is None else place  # each is whole, whatever its number and id
        deltas.append(saying.tool(index, tool.id or "", function.name or "", function.arguments))
    return deltas


def _texts(content: list[_Piece] | None) -> tuple[str, str]:
    """The text and the reasoning of a content that is a list."""
    if content is None:
        return "", ""
    text = "".join(piece.text or "" for piece in content if piece.type != "thinking")
    return text, "".join(_thoughts(piece.thinking) for piece in content if piece.type == "thinking")


def _thoughts(thinking: Any) -> str:
    if isinstance(thinking, list):
        return "".join(str(piece.get("text") or "") for piece in thinking if isinstance(piece, dict))
    return thinking if isinstance(thinking, str) else ""


def _count(saying: Saying, usage: Any) -> None:
    cached = figure(usage, "prompt_tokens_details", "cached_tokens")
    spent = figure(usage, "cost")  # OpenRouter's, US dollars
    # with a key of one's own the model's maker is paid besides
    if spent is not None and isinstance(usage, dict) and usage.get("is_byok") is True:
        spent += figure(usage, "cost_details", "upstream_inference_cost") or 0.0
    sent, made = figure(usage, "prompt_tokens"), figure(usage, "completion_tokens")
    thought = figure(usage, "completion_tokens_details", "reasoning_tokens")
    if sent is not None and made is not None and thought and figure(usage, "total_tokens") == sent + made + thought:
        made += thought  # xAI counts it beside completion_tokens, and bills it
    saying.count(
        spent,
        sent=sent,
        made=made,
        cached=figure(usage, "prompt_cache_hit_tokens") if cached is None else cached,  # DeepSeek's name
        reasoning=thought,
    )
