"""What a wire is: how a Request becomes JSON, and how the JSON that comes back becomes a Reply. Pure; `remote.py` sends."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Protocol, TypeAlias, TypeVar

import msgspec

from moa.core.errors import BadReply, BadRequest
from moa.core.events import Delta
from moa.core.ports import Scope
from moa.core.types import Reply, Request
from moa.providers._sse import ServerEvent
from moa.providers.hosts import Host

Json: TypeAlias = dict[str, Any]
T = TypeVar("T")
SIGNED = "~"
"""Between the id of a tool call and Gemini's signature of it, which that host wants back."""


class Reading(Protocol):
    """One answer under way."""

    ended: bool
    """Whether the host has marked the end: nothing that matters comes after."""

    @property
    def finished(self) -> bool:
        """Whether the host has said why the answer ends: figures may come yet, and the mark of the end."""
        ...

    @property
    def text(self) -> str:
        """The text so far."""
        ...

    def whole(self, body: bytes) -> Iterable[Delta]:
        """Take in an answer that came whole.

        Raises:
            ProviderError: it is a failure, or not what this wire's answers look like.
        """
        ...

    def event(self, event: ServerEvent) -> Iterable[Delta]:
        """Take in one event of a stream; raises what `whole` raises."""
        ...

    def reply(self, *, ended: bool) -> Reply:
        """The whole reply; see `Saying.reply`."""
        ...


class Wire(Protocol):
    """One way to speak to a model over HTTP."""

    def path(self, model: str, *, stream: bool) -> str:
        """Where requests go, below the host's base address."""
        ...

    def headers(self, key: str) -> Mapping[str, str]:
        """How the key is shown, and what else the wire wants in the header."""
        ...

    def body(self, request: Request, host: Host, *, stream: bool) -> Json:
        """The whole request, ready to be encoded."""
        ...

    def reading(self, scope: Scope, model: str) -> Reading:
        """What takes in the answer."""
        ...

    def models(self, body: bytes) -> tuple[str, ...]:
        """The names in a list of models; raises msgspec.DecodeError where it is none."""
        ...


def model_of(request: Request) -> str:
    """The model's name at its host: what follows the first colon (`ollama:llama3:8b` is `llama3:8b`)."""
    name, colon, rest = request.call.model.partition(":")
    return rest if colon else name


def settings(**given: Any) -> Json:
    """Those that are set."""
    return {name: value for name, value in given.items() if value is not None}


def parsed(text: str, what: str) -> Any:
    """JSON text of a call as data.

    Raises:
        BadRequest: it is no JSON; names `what`.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadRequest(f"{what}: no JSON ({error})") from error


def data_url(url: str) -> tuple[str, str] | None:
    """The media type and the base64 text of a `data:` URL; None for any other."""
    if not url.startswith("data:"):
        return None
    head, _, data = url.removeprefix("data:").partition(",")
    return head.partition(";")[0] or "image/png", data


def plain_id(call: str) -> str:
    """The id of a tool call as a wire takes it that knows no signatures: some hosts take neither the sign nor the length."""
    head, signed, signature = call.partition(SIGNED)
    return f"{head}_{hashlib.sha256(signature.encode()).hexdigest()[:12]}" if signed else call


def strict_id(call: str) -> str:
    """The same for wires that take letters, digits, "_" and "-" alone, and at most 64 of them, whoever made the call."""
    plain = plain_id(call)
    if _STRICT.fullmatch(plain):
        return plain
    return f"{_LOOSE.sub('_', plain)[:40]}_{hashlib.sha256(plain.encode()).hexdigest()[:12]}"


def short_id(call: str) -> str:
    """The same for Mistral, which takes nine letters and digits."""
    return call if _SHORT.fullmatch(call) else hashlib.sha256(call.encode()).hexdigest()[:9]


_STRICT, _LOOSE, _SHORT = (
    re.compile(r"[A-Za-z0-9_-]{1,64}"),
    re.compile(r"[^A-Za-z0-9_-]"),
    re.compile(r"[A-Za-z0-9]{9}"),
)


def glimpse(data: bytes) -> str:
    """The first words of what came, on one line."""
    return " ".join(data[:200].decode("utf-8", "replace").split())[:80] or "(empty)"


def decoded(decoder: msgspec.json.Decoder[T], data: bytes, what: str) -> T:
    """The JSON of an answer, or of a piece of one.

    Raises:
        BadReply: it is no JSON, or not of this shape; `what` says what it should look like.
    """
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if _NO_JSON.search(data):
            with suppress(ValueError, RecursionError, msgspec.ValidationError):
                content = json.loads(data)
                json.dumps(content, ensure_ascii=False).encode()  # no half of a surrogate pair
                answer: T = msgspec.convert(content, decoder.type)
                return answer
        raise BadReply(f"the answer is not what {what} looks like ({error}): {glimpse(data)}") from error


_NO_JSON = re.compile(rb"NaN|Infinity|\d[eE]\+?\d{3}|\d{300}")
"""Numbers that JSON does not know, and that some hosts send all the same; or too large ones."""
