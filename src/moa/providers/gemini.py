"""Google's Gemini: generateContent and streamGenerateContent, what is sent and what comes back.

A tool call of a thinking model comes with a signature that must come back with it, or the next turn is refused; since no
client knows of it, it travels in the call's id, behind a tilde. Reference: ai.google.dev/api/generate-content.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import msgspec

from moa.core.errors import BadReply
from moa.core.events import Delta
from moa.core.ports import Scope
from moa.core.types import (
    Finish,
    Form,
    Image,
    Logprob,
    Message,
    Reply,
    Request,
    Sampling,
    Text,
    ToolCall,
    ToolResult,
)
from moa.providers._choices import numbered, several
from moa.providers._failure import failed_event, failed_inside
from moa.providers._saying import Saying, likely
from moa.providers._sse import ServerEvent
from moa.providers._usage import figure
from moa.providers._wire import SIGNED, Json, data_url, decoded, model_of, parsed, settings
from moa.providers.hosts import Host

FINISHES: Mapping[str, Finish] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "LANGUAGE": "content_filter",
    "MALFORMED_FUNCTION_CALL": "error",
    "UNEXPECTED_TOOL_CALL": "error",
    "TOO_MANY_TOOL_CALLS": "error",
    "MISSING_THOUGHT_SIGNATURE": "error",
    "MALFORMED_RESPONSE": "error",
    "OTHER": "error",
}


class Gemini:
    """The wire; see Wire."""

    def path(self, model: str, *, stream: bool) -> str:
        """See Wire."""
        where = f"models/{model.removeprefix('models/')}"
        return f"{where}:streamGenerateContent?alt=sse" if stream else f"{where}:generateContent"

    def headers(self, key: str) -> Mapping[str, str]:
        """See Wire."""
        return {"x-goog-api-key": key} if key else {}

    def body(self, request: Request, host: Host, *, stream: bool) -> Json:
        """See Wire."""
        call = request.call
        system = [
            {"text": part.text}
            for message in request.messages
            if message.role == "system"
            for part in message.parts
            if isinstance(part, Text)
        ]
        drawing = {**_sampling(call.sampling), **_shape(call.form)}
        return {
            **settings(systemInstruction={"parts": system} if system else None),
            "contents": _contents(_in_order_of_calls(request.messages), signed=bool(_THINKS.search(model_of(request)))),
            **settings(generationConfig=drawing or None),
            **_tools(call.form),
            **dict(host.extra),
        }

    def reading(self, scope: Scope, model: str) -> Answer:
        """See Wire."""
        return Answer(scope, model)

    def models(self, body: bytes) -> tuple[str, ...]:
        """See Wire."""
        return tuple(model.name.removeprefix("models/") for model in msgspec.json.decode(body, type=_Models).models)


def _sampling(sampling: Sampling) -> Json:
    return settings(
        temperature=sampling.temperature,
        topP=sampling.top_p,
        maxOutputTokens=sampling.max_tokens,
        seed=sampling.seed,
        stopSequences=list(sampling.stop) or None,
        thinkingConfig={"thinkingLevel": sampling.reasoning_effort} if sampling.reasoning_effort else None,
    )


def _shape(form: Form) -> Json:
    schema = parsed(form.schema, "the schema of the answer") if form.schema and form.schema != "{}" else None
    return settings(
        responseMimeType="application/json" if form.schema else None,
        responseJsonSchema=schema,
        candidateCount=form.choices if form.choices > 1 else None,
        responseLogprobs=None if form.logprobs is None else True,
        logprobs=form.logprobs or None,
    )


def _tools(form: Form) -> Json:
    if not form.tools:
        return {}
    declared = [
        settings(
            name=tool.name,
            description=tool.description or None,
            parametersJsonSchema=parsed(tool.parameters, f"the parameters of tool {tool.name}"),
        )
        for tool in form.tools
    ]
    mode = {"": None, "auto": "AUTO", "none": "NONE", "required": "ANY"}.get(form.tool_choice, "ANY")
    only = [form.tool_choice] if form.tool_choice not in ("", "auto", "none", "required") else None
    calling = settings(mode=mode, allowedFunctionNames=only)
    return {
        "tools": [{"functionDeclarations": declared}],
        **settings(toolConfig={"functionCallingConfig": calling} if calling else None),
    }


_THINKS = re.compile(r"gemini-([3-9]|\d\d)")
"""Models that take no call without a signature; older ones know none."""
UNSIGNED = {"thoughtSignature": "skip_thought_signature_validator"}
"""What Google's documentation has in place of the signature of a call that another model made (Vertex AI, "Thought signatures")."""


def _in_order_of_calls(messages: tuple[Message, ...]) -> Iterator[Message]:
    """The results of one turn's calls in the order of these: there they are matched by their place."""
    called: dict[str, int] = {}
    for is_result, group in groupby(messages, lambda message: message.role == "tool"):
        held = list(group)
        if is_result:
            held.sort(
                key=lambda message: (
                    called.get(message.parts[0].id, 0) if isinstance(message.parts[0], ToolResult) else 0
                )
            )
        for message in held:
            called |= {part.id: place for place, part in enumerate(message.parts) if isinstance(part, ToolCall)}
            yield message


def _contents(messages: Iterable[Message], *, signed: bool) -> list[Json]:
    """Turns of "user" and "model"; neighbours of one role are one turn. `signed`: the first call of each needs a signature."""
    names: dict[str, str] = {}  # of the calls so far: a host that gives no ids numbers those of each turn anew
    turns: list[Json] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "model" if message.role == "assistant" else "user"
        names |= {part.id: part.name for part in message.parts if isinstance(part, ToolCall)}
        parts = [_part(part, names) for part in message.parts]
        first = next((part for part in parts if "functionCall" in part), None)
        if signed and first is not None and "thoughtSignature" not in first:
            first |= UNSIGNED
        if turns and turns[-1]["role"] == role:
            turns[-1]["parts"] += parts
        elif parts:
            turns.append({"role": role, "parts": parts})
    return turns


def _part(part: Text | Image | ToolCall | ToolResult, names: Mapping[str, str]) -> Json:
    if isinstance(part, Text):
        return {"text": part.text}
    if isinstance(part, ToolResult):
        return {"functionResponse": {"name": names.get(part.id, part.id), "response": {"result": part.content}}}
    if isinstance(part, ToolCall):
        _, signed, signature = part.id.partition(SIGNED)
        arguments = parsed(part.arguments or "{}", f"the arguments of {part.name}")
        content: Json = {"functionCall": {"name": part.name, "args": arguments}}
        return content | {"thoughtSignature": signature} if signed else content
    inside = data_url(part.url)
    if inside is None:
        return {"fileData": {"fileUri": part.url}}
    return {"inlineData": {"mimeType": inside[0], "data": inside[1]}}


class _Named(msgspec.Struct):
    name: str


class _Models(msgspec.Struct):
    models: list[_Named]


class _Called(msgspec.Struct):
    name: str | None = None
    args: Any = None
    id: str | None = None


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    function_call: _Called | None = None
    thought_signature: str | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Likely(msgspec.Struct, rename="camel"):
    token: str | None = None
    log_probability: float | None = None


class _Step(msgspec.Struct):
    candidates: list[_Likely] | None = None


class _Logprobs(msgspec.Struct, rename="camel"):
    chosen_candidates: list[_Likely] | None = None
    top_candidates: list[_Step] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    index: int | None = None
    logprobs_result: _Logprobs | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Response(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: Any = None
    model_version: str | None = None
    error: Any = None


_DECODER = msgspec.json.Decoder(_Response)


class Answer:
    """Candidates under way; see Reading. The first is the answer, further ones become its `others`."""

    def __init__(self, scope: Scope, model: str) -> None:
        self.ended = False
        self._scope = scope
        self._first = Saying(scope, model)
        self._further: dict[int, Saying] = {}

    @property
    def finished(self) -> bool:
        """See Reading."""
        return self._first.finish is not None

    @property
    def text(self) -> str:
        """See Reading."""
        return self._first.text

    def whole(self, body: bytes) -> Iterator[Delta]:
        """See Reading."""
        yield from self._take(body)
        if self._first.finish is None and not self._first.text:
            raise BadReply("the answer holds no candidate")
        self.ended = True

    def event(self, event: ServerEvent) -> Iterator[Delta]:
        """See Reading. A stream has no end of its own: the connection ends, and the last chunk says why it stopped."""
        if event.name == "error" and (failure := failed_event(event)) is not None:
            raise failure
        yield from self._take(event.data)

    def _take(self, data: bytes) -> Iterator[Delta]:
        response = decoded(_DECODER, data, "a Gemini answer")
        if response.error:
            raise failed_inside(response.error)
        first = self._first
        first.model = response.model_version or first.model
        _count(first, response.usage_metadata)
        if response.prompt_feedback and response.prompt_feedback.block_reason:
            raise first.refused(f"the host's filter refused the prompt ({response.prompt_feedback.block_reason})")
        candidates = response.candidates or ()
        for number, candidate in zip(numbered([one.index for one in candidates], whole=True), candidates, strict=True):
            if number:
                for _ in _said(candidate, self._further.setdefault(number, Saying(Scope(), first.model))):
                    pass  # only the first is streamed
            else:
                yield from _said(candidate, first)

    def reply(self, *, ended: bool) -> Reply:
        """See Reading."""
        return several(self._first, self._further, self._scope, ended=ended)


def _said(candidate: _Candidate, saying: Saying) -> Iterator[Delta]:
    if candidate.finish_reason and candidate.finish_reason != "FINISH_REASON_UNSPECIFIED":
        saying.finish = FINISHES.get(candidate.finish_reason)
        if saying.finish is None:
            saying.finish = "stop"
            saying.notes.append(f"unknown finish reason {candidate.finish_reason[:40]!r}")
    if candidate.logprobs_result is not None:
        saying.logprobs += _likely(candidate.logprobs_result)
    for part in (candidate.content.parts if candidate.content else None) or ():
        if part.function_call is not None:
            place = saying.tools
            signed = f"{SIGNED}{part.thought_signature}" if part.thought_signature else ""
            call = (part.function_call.id or f"call_{place}") + signed
            yield saying.tool(place, call, part.function_call.name or "", part.function_call.args or {})
        elif part.text and part.thought:
            yield saying.thought(part.text)
        elif part.text:
            yield saying.said(part.text)


def _likely(result: _Logprobs) -> list[Logprob]:
    steps = result.top_candidates or ()
    found = []
    for place, chosen in enumerate(result.chosen_candidates or ()):
        top = (steps[place].candidates or ()) if place < len(steps) else ()
        found.append(likely(chosen.token, chosen.log_probability, [(one.token, one.log_probability) for one in top]))
    return found


def _count(saying: Saying, usage: Any) -> None:
    said, thoughts = figure(usage, "candidatesTokenCount"), figure(usage, "thoughtsTokenCount")
    saying.count(
        sent=figure(usage, "promptTokenCount"),
        made=None if said is None and thoughts is None else (said or 0) + (thoughts or 0),
        cached=figure(usage, "cachedContentTokenCount"),
        reasoning=thoughts,
    )
