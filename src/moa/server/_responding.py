"""A Response, as OpenAI's clients read it: whole, and event by event."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from moa.core.errors import TooLong
from moa.core.events import Delta
from moa.core.types import Logprob, Reply, Usage
from moa.server._completing import frame
from moa.server._tooling import Meant, meant_by, text_of
from moa.server.asked import Answered, Asked, metadata
from moa.server.chat import Json
from moa.server.refusals import openai_error, status_of

Kind: TypeAlias = Literal["reasoning", "message", "function_call", "custom_tool_call"]
_IDS: dict[Kind, str] = {"reasoning": "rs", "message": "msg", "function_call": "fc", "custom_tool_call": "ctc"}
_CALLS = ("function_call", "custom_tool_call")
_PARTS = {
    "reasoning": ("response.reasoning_summary_part", "response.reasoning_summary_text", "summary_index"),
    "message": ("response.content_part", "response.output_text", "content_index"),
}
"""Of an item with a part: how the events of the part and of its text are called, and what numbers the part."""


def response(asked: Asked, answered: Answered) -> Json:
    """The answer as a Response."""
    view, reply, items = answered.view, answered.reply, list[_Item]()
    if reply.reasoning:
        items.append(_Item("reasoning", 0, view.run, [reply.reasoning]))
    if answered.refusal:
        items.append(_Item("message", len(items), view.run, [answered.refusal], declines=True))
    elif reply.text or not reply.tool_calls:
        items.append(_Item("message", len(items), view.run, [reply.text], likely=_likely(reply.logprobs)))
    tools = meant_by(asked.echo["tools"])
    for call in reply.tool_calls:
        items.append(_call(call.name, tools, len(items), view.run, call.id, [call.arguments]))
    for item in items:
        item.status = "completed"
    items[-1].status = _status(answered)
    return _ended(_head(asked, view.run, int(view.started)), items, asked, answered)


@dataclass(slots=True)
class _Item:
    """An item of the output. `pieces` is what has come of its text, or of the arguments of a call, as hosts have them."""

    kind: Kind
    index: int
    run: str
    pieces: list[str] = field(default_factory=list)
    call: str = ""
    name: str = ""
    namespace: str = ""
    likely: list[Json] = field(default_factory=list)
    status: str = "in_progress"
    declines: bool = False
    """Whether a message is a refusal."""

    @property
    def id(self) -> str:
        return f"{_IDS[self.kind]}_{self.run}_{self.index}"

    @property
    def place(self) -> Json:
        return {"item_id": self.id, "output_index": self.index}

    @property
    def text(self) -> str:
        return "".join(self.pieces) or ("{}" if self.kind == "function_call" and self.status != "in_progress" else "")

    def part(self) -> Json:
        """The one part of a message, or of reasoning."""
        if self.kind == "reasoning":
            return {"type": "summary_text", "text": self.text}
        if self.declines:
            return {"type": "refusal", "refusal": self.text}
        return {"type": "output_text", "text": self.text, "annotations": [], "logprobs": self.likely}

    def told(self) -> Json:
        """The item as a Response holds it; one that has only begun holds no part yet."""
        head = {"id": self.id, "type": self.kind, "status": self.status}
        if self.kind in _CALLS:
            whose = {"namespace": self.namespace} if self.namespace else {}
            said = {"arguments": self.text} if self.kind == "function_call" else {"input": text_of(self.text)}
            return {**head, "call_id": self.call, **whose, "name": self.name, **said}
        parts = [self.part()] if self.pieces else []
        return (
            {**head, "summary": parts} if self.kind == "reasoning" else {**head, "role": "assistant", "content": parts}
        )


def _call(
    name: str, tools: Mapping[str, Meant], index: int, run: str, call: str, pieces: list[str] | None = None
) -> _Item:
    """A call of a function, which may be another kind of tool to the client."""
    means = tools.get(name) or Meant(name)
    kind: Kind = "custom_tool_call" if means.custom else "function_call"
    return _Item(kind, index, run, pieces or [], call=call, name=means.name, namespace=means.namespace)


class Spoken:
    """The events of one answer; see Speaking.

    A message and reasoning end where the next item begins; tool calls stay open to the end, since hosts may send them
    side by side. The text of a custom tool comes at once at its end: until then it is JSON.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._run = ""
        self._head: Json = {}
        self._sent = 0
        self._items: list[_Item] = []
        self._tools: dict[int, _Item] = {}
        self._meant = meant_by(asked.echo["tools"])

    def opening(self, run: str) -> bytes:
        """See Speaking."""
        self._run, self._head = run, _head(self._asked, run, int(time.time()))
        return self._event("response.created", response=self._head) + self._event(
            "response.in_progress", response=self._head
        )

    def delta(self, delta: Delta) -> bytes:
        """See Speaking."""
        if delta.what == "tool":
            return self._tool(delta.index, delta.id, delta.name, delta.text)
        kind: Kind = "reasoning" if delta.what == "reasoning" else "message"
        begun = b"" if self._items and self._items[-1].kind == kind else self._say(kind)
        return begun + self._more(self._items[-1], delta.text)

    def aside(self, what: Mapping[str, Any]) -> bytes:
        """See Speaking."""
        return self._event("moa.event", event=what)

    def progress(self, words: str) -> bytes:
        """See Speaking. Once the answer itself has begun nobody waits for such words."""
        if any(item.kind != "reasoning" for item in self._items):
            return b""
        return self.delta(Delta(f"{words}\n", "reasoning"))

    def closing(self, answered: Answered) -> bytes:
        """See Speaking. Where what was streamed is not the answer, the end of the message and the Response hold the answer."""
        reply, status = answered.reply, _status(answered)
        if answered.refusal:
            sent = self._say("message", declines=True) + self._more(self._items[-1], answered.refusal)
            sent += self._end(self._items[-1], "completed")
        else:
            sent = self._unheard(reply)
        messages = [item for item in self._items if item.kind == "message" and not item.declines]
        if len(messages) == 1:
            messages[0].pieces, messages[0].likely = [reply.text], _likely(reply.logprobs)
        for item in self._items:
            sent += self._end(item, status if item is self._items[-1] else "completed")
        return sent + self._event(f"response.{status}", response=_ended(self._head, self._items, self._asked, answered))

    def failure(self, error: Exception) -> bytes:
        """See Speaking. A Response knows few codes for what failed, of ours that of a full context; `moa.error` holds ours."""
        told = openai_error(error)["error"]
        if not self._head:
            fields = {name: told[name] for name in ("code", "message", "param")}
            return self._event("error", **fields, error=told)
        status = status_of(error)
        code = "rate_limit_exceeded" if status == 429 else "server_error" if status >= 500 else "invalid_prompt"
        code = told["code"] if told["code"] == TooLong.code else code
        for item in self._items:
            item.status = "incomplete" if item.status == "in_progress" else item.status
        failed = {
            "status": "failed",
            "error": {"code": code, "message": told["message"]},
            "output": [item.told() for item in self._items],
            "moa": {**self._head.get("moa", {}), "run": self._run, "error": told},
        }
        return self._event("response.failed", response=self._head | failed)

    def _event(self, kind: str, **data: Any) -> bytes:
        number = self._sent
        self._sent += 1
        return frame({"type": kind, "sequence_number": number, **data}, event=kind)

    def _tool(self, index: int, call: str, name: str, arguments: str) -> bytes:
        begun = b""
        if index not in self._tools:
            begun = self._begin(_call(name, self._meant, len(self._items), self._run, call or f"call_{index}"))
            self._tools[index] = self._items[-1]
        return begun + (self._more(self._tools[index], arguments) if arguments else b"")

    def _unheard(self, reply: Reply) -> bytes:
        """What of the answer was not streamed at all."""
        sent = b""
        if not reply.tool_calls and not any(item.kind == "message" for item in self._items):
            sent += self._say("message") + self._more(self._items[-1], reply.text)
        for index, call in enumerate(reply.tool_calls):
            if index not in self._tools:
                sent += self._tool(index, call.id, call.name, call.arguments)
        return sent

    def _say(self, kind: Kind, *, declines: bool = False) -> bytes:
        return self._begin(_Item(kind, len(self._items), self._run, declines=declines))

    def _begin(self, item: _Item) -> bytes:
        sent = b""
        if self._items and self._items[-1].kind not in _CALLS:
            sent = self._end(self._items[-1], "completed")
        self._items.append(item)
        sent += self._event("response.output_item.added", output_index=item.index, item=item.told())
        if item.kind in _CALLS:
            return sent
        part, _, number = _PARTS[item.kind]
        return sent + self._event(f"{part}.added", **item.place, **{number: 0}, part=item.part())

    def _more(self, item: _Item, text: str) -> bytes:
        item.pieces.append(text)
        if item.kind == "custom_tool_call":
            return b""
        if item.kind == "function_call":
            return self._event("response.function_call_arguments.delta", **item.place, delta=text)
        if item.declines:
            return self._event("response.refusal.delta", **item.place, content_index=0, delta=text)
        _, name, number = _PARTS[item.kind]
        likely: Json = {"logprobs": []} if item.kind == "message" else {}
        return self._event(f"{name}.delta", **item.place, **{number: 0}, delta=text, **likely)

    def _end(self, item: _Item, status: str) -> bytes:
        """The end of an item; nothing where it has ended before."""
        if item.status != "in_progress":
            return b""
        item.status = status
        if item.kind == "function_call":
            sent = self._event(
                "response.function_call_arguments.done", **item.place, name=item.name, arguments=item.text
            )
        elif item.kind == "custom_tool_call":
            text = text_of(item.text)
            sent = self._event("response.custom_tool_call_input.delta", **item.place, delta=text)
            sent += self._event("response.custom_tool_call_input.done", **item.place, input=text)
        else:
            part, name, number = _PARTS[item.kind]
            likely: Json = {"logprobs": item.likely} if item.kind == "message" else {}
            if item.declines:
                sent = self._event("response.refusal.done", **item.place, content_index=0, refusal=item.text)
            else:
                sent = self._event(f"{name}.done", **item.place, **{number: 0}, text=item.text, **likely)
            sent += self._event(f"{part}.done", **item.place, **{number: 0}, part=item.part())
        return sent + self._event("response.output_item.done", output_index=item.index, item=item.told())


def _head(asked: Asked, run: str, created: int) -> Json:
    """A Response of which nothing is known yet."""
    return {
        **asked.echo,
        "id": f"resp_{run}",
        "object": "response",
        "created_at": created,
        "model": asked.model,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "output": [],
    }


def _ended(head: Json, items: list[_Item], asked: Asked, answered: Answered) -> Json:
    status, view = _status(answered), answered.view
    why = "content_filter" if answered.reply.finish == "content_filter" else "max_output_tokens"
    return head | {
        "status": status,
        "completed_at": int(view.ended or view.started) if status == "completed" else None,
        "incomplete_details": {"reason": why} if status == "incomplete" else None,
        "output": [item.told() for item in items],
        "usage": _usage(answered.reply.usage),
        "moa": {**head.get("moa", {}), **metadata(view, asked)},
    }


def _status(answered: Answered) -> str:
    """How a Response ends; a model that declines has answered."""
    return (
        "incomplete" if not answered.refusal and answered.reply.finish in ("length", "content_filter") else "completed"
    )


def _usage(usage: Usage) -> Json:
    """OpenAI's usage: that of the acting call, since clients measure their context by it."""
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": usage.written},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }


def _likely(logprobs: tuple[Logprob, ...]) -> list[Json]:
    return [
        {
            **_token(one.token, one.logprob),
            "top_logprobs": [_token(*pair) for pair in zip(one.top_tokens, one.top_logprobs, strict=True)],
        }
        for one in logprobs
    ]


def _token(token: str, logprob: float) -> Json:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}
