"""An answer as Anthropic's Messages have it: whole, and event by event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import msgspec

from moa.core.events import Delta
from moa.core.tokens import estimated_form, estimated_input
from moa.core.types import Reply, ToolCall, Usage
from moa.server._completing import frame
from moa.server.asked import Answered, Asked, metadata
from moa.server.refusals import anthropic_error

Json = dict[str, Any]
Key: TypeAlias = str | int
"""Which block a piece belongs to: "text", "reasoning", or a tool call by its number."""


def message(asked: Asked, answered: Answered) -> Json:
    """The answer, not streamed."""
    reply = replace(answered.reply, text=answered.refusal or answered.reply.text)
    return {
        **_head(asked, answered.view.run),
        "content": [*_content(reply)],
        "stop_reason": stop_reason(reply),
        "usage": usage_of(reply.usage),
        "moa": {**metadata(answered.view, asked), **asked.echo},
    }


def stop_reason(reply: Reply) -> str:
    """Anthropic's stop reason. Never `stop_sequence`: not every host tells a stop sequence from an end."""
    if reply.finish in ("length", "content_filter"):  # also where a tool call was cut: it is not to be run
        return "max_tokens" if reply.finish == "length" else "refusal"
    return "tool_use" if reply.tool_calls else "end_turn"


def usage_of(usage: Usage) -> Json:
    """Anthropic's usage: that of the acting call; what was read from the cache or written to it is counted apart."""
    return {
        "input_tokens": max(usage.input - usage.cached - usage.written, 0),
        "cache_creation_input_tokens": usage.written,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.output,
    }


def reckoned(asked: Asked) -> int:
    """About how many input tokens a request is, with its tools and schema."""
    return estimated_input(asked.conversation) + estimated_form(asked.form)


def _head(asked: Asked, run: str) -> Json:
    return {
        "id": f"msg_{run}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _content(reply: Reply) -> Iterator[Json]:
    if reply.reasoning:
        yield {"type": "thinking", "thinking": reply.reasoning, "signature": ""}
    if reply.text:
        yield {"type": "text", "text": reply.text}
    for call in reply.tool_calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call)}


def _input(call: ToolCall) -> Json:
    """The arguments as the object they should be; what a model wrote that is none is kept as text."""
    try:
        parsed = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        parsed = None
    return parsed if isinstance(parsed, dict) else {"arguments": call.arguments}


class Speech:
    """The events of one answer; see Speaking.

    Blocks are sent one after another. Once a tool call has begun, all else is held back until the end: hosts may send the
    fragments of several calls in turns, and nobody can act on a call before the end.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._index = -1
        self._open: Key | None = None
        self._held: dict[Key, list[Delta]] = {}
        self._begun: set[Key] = set()

    def opening(self, run: str) -> bytes:
        """See Speaking. Its count of input tokens is an estimate; the end has the right one."""
        usage = usage_of(Usage(reckoned(self._asked)))
        return _event("message_start", message={**_head(self._asked, run), "usage": usage}) + _event("ping")

    def delta(self, delta: Delta) -> bytes:
        """See Speaking."""
        key: Key = delta.index if delta.what == "tool" else delta.what
        self._begun.add(key)
        if self._waits(key, delta):
            self._held.setdefault(key, []).append(delta)
            return b""
        return self._say(key, delta)

    def aside(self, what: Mapping[str, Any]) -> bytes:
        """See Speaking."""
        return _event("moa", event=what)

    def progress(self, words: str) -> bytes:
        """See Speaking. Nothing once the answer has begun: thinking stands before it."""
        if self._begun - {"reasoning"}:
            return b""
        return self._say("reasoning", Delta(f"{words}\n", "reasoning"))

    def closing(self, answered: Answered) -> bytes:
        """See Speaking."""
        reply = answered.reply
        rest = [self._say(key, _joined(deltas)) for key, deltas in self._held.items()]
        for place, call in enumerate(reply.tool_calls):
            if place not in self._begun:  # the host did not stream it
                rest.append(self._say(place, Delta(call.arguments, "tool", 1, True, place, call.id, call.name)))
        if answered.refusal:
            rest.append(self._say("text", Delta(answered.refusal)))
        end = {"stop_reason": stop_reason(reply), "stop_sequence": None}
        told = {**metadata(answered.view, self._asked), **self._asked.echo}
        last = _event("message_delta", delta=end, usage=usage_of(reply.usage), moa=told)
        return b"".join((*rest, self._stop(), last, _event("message_stop")))

    def failure(self, error: Exception) -> bytes:
        """See Speaking."""
        return frame(anthropic_error(error), event="error")

    def _waits(self, key: Key, delta: Delta) -> bool:
        if key == self._open:
            return False
        nameless = isinstance(key, int) and not delta.name
        return isinstance(self._open, int) or key in self._held or nameless

    def _say(self, key: Key, delta: Delta) -> bytes:
        start = b"" if key == self._open else self._start(key, delta)
        return start + (_event("content_block_delta", index=self._index, delta=_piece(delta)) if delta.text else b"")

    def _start(self, key: Key, delta: Delta) -> bytes:
        before = self._stop()
        self._open = key
        self._index += 1
        return before + _event("content_block_start", index=self._index, content_block=_empty(delta))

    def _stop(self) -> bytes:
        if self._open is None:
            return b""
        self._open = None
        return _event("content_block_stop", index=self._index)


def _event(name: str, **data: Any) -> bytes:
    return frame({"type": name, **data}, event=name)


def _empty(delta: Delta) -> Json:
    """The block that a piece begins."""
    if delta.what == "text":
        return {"type": "text", "text": ""}
    if delta.what == "reasoning":
        return {"type": "thinking", "thinking": "", "signature": ""}
    return {"type": "tool_use", "id": delta.id or f"call_{delta.index}", "name": delta.name, "input": {}}


def _piece(delta: Delta) -> Json:
    if delta.what == "text":
        return {"type": "text_delta", "text": delta.text}
    if delta.what == "reasoning":
        return {"type": "thinking_delta", "thinking": delta.text}
    return {"type": "input_json_delta", "partial_json": delta.text}


def _joined(deltas: Iterable[Delta]) -> Delta:
    """Pieces of one block as one."""
    pieces = [*deltas]
    call = next((piece.id for piece in pieces if piece.id), "")
    name = next((piece.name for piece in pieces if piece.name), "")
    first = pieces[0]
    text = "".join(piece.text for piece in pieces)
    return Delta(text, first.what, first.attempt, first.final, first.index, call, name)
