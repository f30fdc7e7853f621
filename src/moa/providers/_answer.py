"""The JSON of chat completions as a Reply: whole or chunk by chunk, from any host.

Hosts leave out, null or rename fields, so every field may be missing; a field of the wrong type is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from moa.core.errors import BadReply, Cut, Refused
from moa.core.events import Delta
from moa.core.ports import Scope
from moa.core.types import Finish, Reply, ToolCall, Usage

_FINISHES: dict[str, Finish] = {
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
    "error": "error",
}


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: Any = None  # JSON text; some hosts send the object itself


class _Tool(msgspec.Struct):
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
    tool_calls: list[_Tool] | None = None


class _Choice(msgspec.Struct):
    index: int | None = None
    message: _Said | None = None
    delta: _Said | None = None
    finish_reason: str | None = None
    error: Any = None


class _Details(msgspec.Struct):
    cached_tokens: float | None = None
    reasoning_tokens: float | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: float | None = None
    completion_tokens: float | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    prompt_cache_hit_tokens: float | None = None  # DeepSeek's name
    cost: float | None = None  # OpenRouter's, US dollars


class Completion(msgspec.Struct):
    """A completion, or one chunk of it. `error` stands where a host reports a failure inside a 200."""

    model: str | None = None
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None

    @property
    def failure(self) -> Any:
        """The error object inside, of the whole or of the first choice; None where there is none."""
        return self.error or next((choice.error for choice in self.choices or () if choice.error), None)


class Answer:
    """A reply under way. Feed it completions; each gives the deltas it adds."""

    def __init__(self, scope: Scope, model: str) -> None:
        self._scope = scope
        self._model = model
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._tools: list[list[str]] = []  # id, name, arguments
        self._slots: dict[int, int] = {}  # the host's index -> ours, which has no gaps
        self._finish: str | None = None
        self._usage: _Usage | None = None

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._text)

    @property
    def finished(self) -> bool:
        """Whether the host has said why it stopped."""
        return self._finish is not None

    def add(self, completion: Completion) -> Iterator[Delta]:
        """Take in a completion or chunk; only its first choice counts."""
        self._model = completion.model or self._model
        self._usage = completion.usage or self._usage
        choice = next((choice for choice in completion.choices or () if not choice.index), None)
        if choice is None:
            return
        self._finish = choice.finish_reason or self._finish
        said = choice.message or choice.delta
        if said is not None:
            yield from self._said(said)

    def _said(self, said: _Said) -> Iterator[Delta]:
        text, thought = _texts(said.content)
        if thought := said.reasoning_content or said.reasoning or thought:
            self._reasoning.append(thought)
            yield Delta(thought, "reasoning", self._scope.attempt, self._scope.final)
        if text:
            self._text.append(text)
            yield Delta(text, "text", self._scope.attempt, self._scope.final)
        if said.refusal:
            self._refusal.append(said.refusal)
        for tool in said.tool_calls or ():
            yield self._tool(tool)

    def _tool(self, tool: _Tool) -> Delta:
        place = self._place(tool)
        held, function = self._tools[place], tool.function or _Function()
        arguments = function.arguments
        if arguments is not None and not isinstance(arguments, str):
            arguments = msgspec.json.encode(arguments).decode()
        held[0] = held[0] or tool.id or f"call_{place}"
        held[1] = held[1] or function.name or ""
        held[2] += arguments or ""
        return Delta(
            arguments or "", "tool", self._scope.attempt, self._scope.final, place, tool.id or "", function.name or ""
        )

    def _place(self, tool: _Tool) -> int:
        """Where this fragment belongs. Some hosts number nothing, or number every call 0: a new id is a new call."""
        index = tool.index
        if index is None:
            index = len(self._tools) if tool.id else max(len(self._tools) - 1, 0)
        place = self._slots.get(index)
        if place is None or (tool.id and self._tools[place][0] != tool.id):
            place = self._slots[index] = len(self._tools)
            self._tools.append(["", "", ""])
        return place

    def reply(self, *, ended: bool) -> Reply:
        """The whole reply. `ended`: the host marked the end, even if it did not say why it stopped.

        Raises:
            Cut: it neither said why it stopped nor marked the end; carries the text so far.
            Refused: there is a refusal instead of text.
            BadReply: there was no choice, or nothing in it.
        """
        if self._finish is None and not ended:
            raise Cut("the stream ended before the answer did", partial=self.text)
        text, reasoning = self.text, "".join(self._reasoning)
        tools = tuple(ToolCall(*held) for held in self._tools)
        if not text.strip() and not tools:
            if self._refusal:
                raise Refused(f"the model declined: {''.join(self._refusal)[:300]}")
            if self._finish == "content_filter":
                raise Refused("the host's filter withheld the answer")
        finish, notes = self._ending(tools)
        usage = self._usage or _Usage()
        return Reply(
            text, self._model, finish=finish, tool_calls=tools, reasoning=reasoning,
            usage=_counted(usage), cost=usage.cost, notes=notes,
        )  # fmt: skip

    def _ending(self, tools: tuple[ToolCall, ...]) -> tuple[Finish, tuple[str, ...]]:
        usual: Finish = "tool_calls" if tools else "stop"
        if self._finish is None:
            return usual, ("the host gave no finish reason",)
        finish = _FINISHES.get(self._finish.lower())
        if finish is None:
            return usual, (f"unknown finish reason {self._finish[:40]!r}",)
        return usual if finish == "stop" else finish, ()


def _texts(content: str | list[_Piece] | None) -> tuple[str, str]:
    """The text and the reasoning of a content."""
    if content is None or isinstance(content, str):
        return content or "", ""
    text = "".join(piece.text or "" for piece in content if piece.type != "thinking")
    return text, "".join(_thoughts(piece.thinking) for piece in content if piece.type == "thinking")


def _thoughts(thinking: Any) -> str:
    if isinstance(thinking, list):
        return "".join(str(piece.get("text") or "") for piece in thinking if isinstance(piece, dict))
    return thinking if isinstance(thinking, str) else ""


def _counted(usage: _Usage) -> Usage:
    sent, made = usage.prompt_tokens_details or _Details(), usage.completion_tokens_details or _Details()
    cached = sent.cached_tokens if sent.cached_tokens is not None else usage.prompt_cache_hit_tokens
    return Usage(
        _whole(usage.prompt_tokens), _whole(usage.completion_tokens), _whole(cached), _whole(made.reasoning_tokens)
    )


def _whole(count: float | None) -> int:
    """A count that is missing, negative or absurd is 0: money is never computed from it."""
    return int(count) if count is not None and 0 <= count < 1e12 else 0


_DECODER = msgspec.json.Decoder(Completion)


def decoded(data: bytes) -> Completion:
    """The completion or chunk that `data` holds.

    Raises:
        BadReply: it is no JSON, or not of this shape.
    """
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadReply(f"the answer is not what chat completions look like ({error}): {glimpse(data)}") from error


def glimpse(data: bytes) -> str:
    """The first words of what came, on one line."""
    return " ".join(data[:200].decode("utf-8", "replace").split())[:80] or "(empty)"
