"""A model behind HTTP: one request out, one answer back, on whichever wire its host speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

import msgspec

from moa.core.errors import BadReply, BadRequest, ConfigError, ProviderError, TimedOut
from moa.core.events import Delta, Noted, joined
from moa.core.ports import Scope
from moa.core.tokens import completed, estimated_request, estimated_usage, tokens_of
from moa.core.types import Call, Conversation, Reply, Request, Usage
from moa.providers._failure import failed
from moa.providers._http import Response, Transport
from moa.providers._masked import masked
from moa.providers._sse import EventStream
from moa.providers._wire import Reading, Wire, model_of
from moa.providers.anthropic import Messages
from moa.providers.embeddings import Embeddings
from moa.providers.gemini import Gemini
from moa.providers.hosts import Host
from moa.providers.openai import Chat, renamed, uncounted
from moa.providers.responses import Responses

WIRES: dict[str, Wire] = {
    "chat": Chat(), "responses": Responses(), "anthropic": Messages(), "gemini": Gemini(), "embeddings": Embeddings(),
}  # fmt: skip
"""Every wire, by the name that a Host gives it."""

LIMIT = 32 << 20
"""Most bytes of one answer."""
MOST_OF_A_FAILURE = 1 << 20
"""Most bytes that are read of what a host says when it fails."""
AFTERWARDS = 3.0
"""Seconds that are waited for the figures, and the mark of the end, of an answer whose host has said why it stopped."""
_EVENTS = (b"event:", b"data:", b"id:", b"retry:", b":", b"\xef\xbb\xbfdata:")
"""What a stream of events begins with, and no JSON."""
_TIMED = nullcontext()  # in place of a deadline, where whoever sends keeps it
PAST = 16
"""Characters per token of `max_tokens` after which a stream is cut: no text has so long tokens, so its host does not count."""


@dataclass(frozen=True)
class Remote:
    """A Provider over one host. `transport` is shared by all hosts; who made it closes it."""

    host: Host
    transport: Transport
    key: str | None = field(default=None, repr=False)
    _headers: Mapping[str, str] = field(init=False, repr=False, compare=False)
    _learnt: dict[str, Host] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The host as one of its models wants it, where that has refused it as it is; by the model's name."""
    _refused: dict[str, set[str]] = field(default_factory=dict, init=False, repr=False, compare=False)
    """The names of what it has refused, the first of two names of one thing included."""

    def __post_init__(self) -> None:
        if self.key is not None and not (self.key.isascii() and self.key.isprintable()):
            where = " or ".join(self.host.key_env) or self.host.name
            raise ConfigError(f"{where}: the key holds characters that no HTTP header may; copy it again")
        headers = {"Content-Type": "application/json", **WIRES[self.host.wire].headers(self.key or "")}
        object.__setattr__(self, "_headers", headers if self.host.keep_alive else headers | {"Connection": "close"})

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider. Streamed only where deltas are wanted."""
        model = model_of(request)
        host, stream = self._learnt.get(model, self.host), scope.want_deltas
        wire = WIRES[host.wire]
        reading: Reading | None = None
        try:
            content = msgspec.json.encode(wire.body(request, host, stream=stream))
            url = f"{self.host.base_url}/{wire.path(model, stream=stream)}"
            async with (
                _TIMED if scope.timed else asyncio.timeout_at(scope.deadline),
                self.transport.request("POST", url, self._headers, content, again=scope.attempt == 1) as response,
            ):
                reading = wire.reading(scope, model)
                reply = await _received(response, reading, scope, request)
        except UnicodeEncodeError as error:
            raise self._own(BadRequest(f"the text is no valid Unicode: {error.reason}"), model) from error
        except TimeoutError:
            late = TimedOut("no whole answer before the deadline")
            raise self._own(late, model, reading.text if reading else "") from None
        except ProviderError as error:
            self._own(error, model, reading.text if reading else "", request.messages)
            error.mended = self._learns(error, request, host, scope)
            raise
        missing = request.call.form.choices - 1 - len(reply.others)
        if missing > 0:
            reply = reply.noted(f"{model} gave {missing} answers fewer than it was asked for")
        if reply.usage.estimated:
            return replace(reply, usage=completed(reply.usage, estimated_usage(request.messages, reply)))
        return reply

    async def models(self, seconds: float = 5.0) -> tuple[str, ...]:
        """The names of the models the host offers, sorted.

        Raises:
            ProviderError: the host does not answer within `seconds`, or not with a list.
        """
        try:
            async with (
                asyncio.timeout(seconds),
                self.transport.request("GET", f"{self.host.base_url}/models", self._headers) as response,
            ):
                if response.status != 200:
                    raise failed(response.status, response.headers, await response.readable(MOST_OF_A_FAILURE))
                return tuple(sorted(WIRES[self.host.wire].models(await response.read(LIMIT))))
        except TimeoutError:
            raise self._own(TimedOut(f"no answer within {seconds:g} s")) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._own(BadReply(f"no list of models came back: {error}")) from error
        except ProviderError as error:
            self._own(error)
            raise

    def _learns(self, error: ProviderError, request: Request, host: Host, scope: Scope) -> bool:
        """Whether a model, which has refused the limit of its answer as this host names it, or to tell its usage in a stream, is
        asked in another way from now on."""
        model, other = model_of(request), ""
        if scope.want_deltas and host.stream_usage and uncounted(error):
            what = "stream_options"
        elif request.call.sampling.max_tokens is not None and (other := renamed(error, host)):
            what = host.max_tokens
        else:
            return False
        refused = self._refused.setdefault(model, set())
        if what in refused:  # another call may have learnt it meanwhile
            return self._learnt[model] != host
        refused.add(what)
        if other in refused:  # it refuses both names: what the host takes stays
            self._learnt[model] = replace(host, max_tokens=self.host.max_tokens)
            return False
        self._learnt[model] = replace(host, max_tokens=other) if other else replace(host, stream_usage=False)
        words = f"takes {other} in place of {what}" if other else f"refuses {what}: it is not sent to it again"
        scope.emit(Noted("learnt", f"{host.name}:{model} {words}"))
        return True

    def _own(self, error: ProviderError, model: str = "", partial: str = "", shown: Conversation = ()) -> ProviderError:
        """Write into the error whose it is and what had come; never with what is ours, which some hosts repeat."""
        error.provider, error.model, error.partial = self.host.name, model, error.partial or partial
        words, number, param = (
            masked(text, self.key or "", self.host.base_url, shown)
            for text in (str(error.args[0]), error.request_id, error.param or "")
        )
        error.args, error.request_id, error.param = (words,), number, param or None
        return error


async def _received(response: Response, reading: Reading, scope: Scope, request: Request) -> Reply:
    if response.status != 200:
        raise failed(response.status, response.headers, await response.readable(MOST_OF_A_FAILURE))
    body = b""
    if "text/event-stream" in response.headers.get("content-type", "").lower():
        return await _streamed(response, reading, scope, request.call)
    while scope.want_deltas and len(body) < len(_EVENTS[0]) and (piece := await response.piece()):
        body += piece
    if body.startswith(_EVENTS):  # some hosts, and gateways before them, call a stream something else
        return await _streamed(response, reading, scope, request.call, body)
    body += await response.read(LIMIT)
    try:
        for delta in reading.whole(body):
            if scope.want_deltas:  # asked to stream, this host sent it whole
                scope.emit(delta)
    except BadReply as error:
        if body.lstrip()[:1] == b"{" and error.usage is None:  # it is the answer's beginning, and has been made
            error.usage = Usage(estimated_request(request), tokens_of(len(body), 0), estimated=True)
        raise
    return reading.reply(ended=True)


async def _streamed(response: Response, reading: Reading, scope: Scope, call: Call, piece: bytes = b"") -> Reply:
    """The reply of a stream, of which `piece` has come already."""
    events, size, said = EventStream(), 0, 0
    max_tokens, alone = call.sampling.max_tokens, call.form.choices == 1
    most = LIMIT if max_tokens is None else PAST * max_tokens + 4096
    while piece := piece or await (_last_piece(response) if alone and reading.finished else response.piece()):
        size += len(piece)
        if size > LIMIT:
            raise BadReply(f"the stream is longer than {LIMIT} bytes")
        deltas: list[Delta] = []
        try:
            for event in events.feed(piece):
                for delta in reading.event(event):
                    said += len(delta.text)
                    deltas.append(delta)
                if said > most:
                    raise BadReply(f"the stream goes on far beyond max_tokens = {max_tokens}")
                if reading.ended:
                    break
            piece = b""
        finally:
            for delta in joined(deltas):
                scope.emit(delta) if scope.want_deltas else scope.heard(delta)
        if reading.ended:
            await response.drain()
            return reading.reply(ended=True)
    return reading.reply(ended=False)


async def _last_piece(response: Response) -> bytes:
    """What comes behind the end of an answer, if anything does: some hosts mark no end, and keep the connection open."""
    try:
        async with asyncio.timeout(AFTERWARDS):
            return await response.piece()
    except TimeoutError:
        return b""
