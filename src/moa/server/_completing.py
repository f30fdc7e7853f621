"""Chat completions, the way back: an answer, whole and chunk by chunk."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from moa.core.events import Delta
from moa.core.types import Choice, Logprob, Reply, ToolCall, Usage
from moa.server.asked import Answered, Asked, metadata
from moa.server.refusals import openai_error
from moa.server.seen import in_json

Json = dict[str, Any]


def completion(asked: Asked, answered: Answered) -> Json:
    """A whole answer."""
    reply = answered.reply
    first = Choice(reply.text, reply.finish, reply.tool_calls, reply.reasoning, reply.logprobs)
    choices = [_choice(index, choice) for index, choice in enumerate((first, *reply.others))]
    if answered.refusal:
        choices[0]["message"] |= {"content": None, "refusal": answered.refusal}
        choices[0]["finish_reason"] = "stop"
    return {
        "id": f"chatcmpl-{answered.view.run}",
        "object": "chat.completion",
        "created": int(answered.view.started),
        "model": asked.model,
        "choices": choices,
        "usage": usage_of(reply.usage),
        "moa": _told(asked, answered),
    }


def _told(asked: Asked, answered: Answered) -> Json:
    """The `moa` object of an answer."""
    return {**metadata(answered.view, asked), **asked.echo}


class Spoken:
    """The chunks of one answer; see Speaking."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._head: Json = {}
        self._tools: dict[int, bool] = {}
        self._begun = False

    def opening(self, run: str) -> bytes:
        """See Speaking."""
        head = {"id": f"chatcmpl-{run}", "object": "chat.completion.chunk", "created": int(time.time())}
        self._head = {**head, "model": self._asked.model}
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def delta(self, delta: Delta) -> bytes:
        """See Speaking."""
        self._begun = self._begun or delta.what != "reasoning"
        if delta.what == "text":
            return self._chunk({"content": delta.text})
        if delta.what == "reasoning":
            return self._chunk({"reasoning_content": delta.text})
        function: Json = {"arguments": delta.text}
        call: Json = {"index": delta.index, "function": function}
        if delta.index not in self._tools:
            call |= {"id": delta.id, "type": "function"}
            function["name"] = delta.name
        self._tools[delta.index] = self._tools.get(delta.index, False) or bool(delta.text)
        return self._chunk({"tool_calls": [call]})

    def aside(self, what: Mapping[str, Any]) -> bytes:
        """See Speaking."""
        return frame({**self._head, "choices": [], "moa": {"event": what}})

    def progress(self, words: str) -> bytes:
        """See Speaking. Once the answer itself has begun nobody waits for such words."""
        return b"" if self._begun else self._chunk({"reasoning_content": f"{words}\n"})

    def closing(self, answered: Answered) -> bytes:
        """See Speaking."""
        reply, told = (
            answered.reply,
            _told(self._asked, answered),
        )
        others = b"".join(self._whole(index, choice) for index, choice in enumerate(reply.others, 1))
        finish = "stop" if answered.refusal else finish_of(reply)
        last = self._chunk({"refusal": answered.refusal}) if answered.refusal else others
        empty = [index for index, some in self._tools.items() if not some] if finish == "tool_calls" else []
        if empty:  # called without arguments, which to a client are JSON all the same
            last += self._chunk({"tool_calls": [{"index": n, "function": {"arguments": "{}"}} for n in empty]})
        last += self._chunk({}, finish=finish, likely=_likelihoods(reply.logprobs), moa=told)
        if self._asked.usage:
            last += frame({**self._head, "choices": [], "usage": usage_of(answered.reply.usage)})
        return last + b"data: [DONE]\n\n"

    def failure(self, error: Exception) -> bytes:
        """See Speaking. An answer that broke off ends with `finish_reason: error` and without [DONE]."""
        if not self._head:
            return frame(openai_error(error))
        return self._chunk({}, finish="error", **openai_error(error))

    def _whole(self, index: int, choice: Choice) -> bytes:
        """A further choice, which no host streams piece by piece to us: all of it at once."""
        said = _choice(index, choice)["message"] | {
            "tool_calls": [_indexed(n, one) for n, one in enumerate(choice.tool_calls)]
        }
        delta = {name: value for name, value in said.items() if value}
        return self._chunk(delta, finish_of(choice), index, _likelihoods(choice.logprobs))

    def _chunk(
        self, delta: Json, finish: str | None = None, index: int = 0, likely: Json | None = None, **more: Any
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": likely, "finish_reason": finish}
        nothing = {"usage": None} if self._asked.usage else {}
        return frame({**self._head, "choices": [choice], **nothing, **more})


def frame(data: Any, event: str = "") -> bytes:
    """One server-sent event."""
    name = f"event: {event}\n".encode() if event else b""
    return name + b"data: " + in_json(data) + b"\n\n"


def finish_of(reply: Reply | Choice) -> str:
    """OpenAI's finish reason."""
    if reply.finish in ("length", "content_filter"):
        return reply.finish  # a tool call that was cut is none to be carried out
    return "tool_calls" if reply.tool_calls else "stop"


def usage_of(usage: Usage) -> Json:
    """OpenAI's usage: that of the acting call, since clients measure their context by it."""
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def _indexed(number: int, call: ToolCall) -> Json:
    return {"index": number} | tool_call(call)


def _choice(index: int, choice: Choice) -> Json:
    message: Json = {
        "role": "assistant",
        "content": choice.text or (None if choice.tool_calls else ""),
        "refusal": None,
    }
    if choice.reasoning:
        message["reasoning_content"] = choice.reasoning
    if choice.tool_calls:
        message["tool_calls"] = [tool_call(call) for call in choice.tool_calls]
    likely = _likelihoods(choice.logprobs)
    return {"index": index, "message": message, "logprobs": likely, "finish_reason": finish_of(choice)}


def _likelihoods(logprobs: tuple[Logprob, ...]) -> Json | None:
    return {"content": [_likely(one) for one in logprobs], "refusal": None} if logprobs else None


def tool_call(call: ToolCall) -> Json:
    """A tool call of an assistant's message."""
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _likely(one: Logprob) -> Json:
    pairs = zip(one.top_tokens, one.top_logprobs, strict=True)
    top = [{"token": token, "logprob": value, "bytes": list(token.encode())} for token, value in pairs]
    return {"token": one.token, "logprob": one.logprob, "bytes": list(one.token.encode()), "top_logprobs": top}
