"""Chat completions of any compatible host: OpenAI's own, the hosts of `hosts.py`, and any other that speaks it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import msgspec

from moa.core.errors import BadReply, BadRequest, ConfigError, ProviderError, TimedOut
from moa.core.ports import Scope
from moa.core.types import Reply, Request
from moa.providers._answer import Answer, decoded
from moa.providers._chat import body, model_of
from moa.providers._failure import failed, failed_inside
from moa.providers._http import Response, Transport
from moa.providers._sse import EventStream
from moa.providers.hosts import Host

LIMIT = 32 << 20
"""Most bytes of one answer."""


class _Named(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Named]


@dataclass(frozen=True)
class OpenAI:
    """A Provider over one host. `transport` is shared by all hosts; who made it closes it."""

    host: Host
    transport: Transport
    key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.key is not None and not (self.key.isascii() and self.key.isprintable()):
            where = " or ".join(self.host.key_env) or self.host.name
            raise ConfigError(f"{where}: the key holds characters that no HTTP header may; copy it again")

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider. Streamed only where deltas are wanted."""
        model = model_of(request)
        answer = Answer(scope, model)
        try:
            content = _encoded(body(request, self.host, stream=scope.want_deltas))
            async with (
                asyncio.timeout_at(scope.deadline),
                self.transport.request("POST", self._url("chat/completions"), self._headers(), content) as response,
            ):
                return await _received(response, answer, scope)
        except TimeoutError:
            raise self._own(TimedOut("no whole answer before the deadline"), model, answer.text) from None
        except ProviderError as error:
            self._own(error, model, answer.text)
            raise

    async def models(self, seconds: float = 5.0) -> tuple[str, ...]:
        """The names of the models the host offers, sorted.

        Raises:
            ProviderError: the host does not answer within `seconds`, or not with a list.
        """
        try:
            async with (
                asyncio.timeout(seconds),
                self.transport.request("GET", self._url("models"), self._headers()) as response,
            ):
                content = await response.read(LIMIT)
                if response.status != 200:
                    raise failed(response.status, response.headers, content)
                return tuple(sorted(model.id for model in msgspec.json.decode(content, type=_Models).data))
        except TimeoutError:
            raise self._own(TimedOut(f"no answer within {seconds:g} s")) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._own(BadReply(f"no list of models came back: {error}")) from error
        except ProviderError as error:
            self._own(error)
            raise

    def _url(self, path: str) -> str:
        return f"{self.host.base_url}/{path}"

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        if not self.host.keep_alive:
            headers["Connection"] = "close"
        return headers

    def _own(self, error: ProviderError, model: str = "", partial: str = "") -> ProviderError:
        """Write into the error whose it is and what had come; never with the key, which some hosts repeat."""
        error.provider, error.model, error.partial = self.host.name, model, error.partial or partial
        if self.key and len(self.key) >= 4:
            error.args = (str(error.args[0]).replace(self.key, "[key]"),)
        return error


def _encoded(content: dict[str, object]) -> bytes:
    try:
        return msgspec.json.encode(content)
    except UnicodeEncodeError as error:
        raise BadRequest(f"the text is no valid Unicode: {error.reason}") from error


async def _received(response: Response, answer: Answer, scope: Scope) -> Reply:
    if response.status != 200:
        raise failed(response.status, response.headers, await response.read(LIMIT))
    if "text/event-stream" in response.headers.get("content-type", ""):
        return await _streamed(response, answer, scope)
    completion = decoded(await response.read(LIMIT))
    if completion.failure:
        raise failed_inside(completion.failure)
    if not completion.choices:
        raise BadReply("the answer holds no choice")
    for delta in answer.add(completion):
        if scope.want_deltas:  # asked to stream, this host sent it whole
            scope.emit(delta)
    return answer.reply(ended=True)


async def _streamed(response: Response, answer: Answer, scope: Scope) -> Reply:
    events, size = EventStream(), 0
    while piece := await response.piece():
        size += len(piece)
        if size > LIMIT:
            raise BadReply(f"the stream is longer than {LIMIT} bytes")
        for event in events.feed(piece):
            if event.data == b"[DONE]":
                await response.drain()
                return answer.reply(ended=True)
            completion = decoded(event.data)
            if completion.failure:
                raise failed_inside(completion.failure)
            for delta in answer.add(completion):
                scope.emit(delta)
    return answer.reply(ended=False)
