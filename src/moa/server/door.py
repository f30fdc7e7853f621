"""Lets a request in, or turns it away before anything is done: key, place, size, time, JSON."""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from moa.core.money import Account
from moa.server.refusals import Rejection
from moa.stores.keys import SCOPES, Key, Keys, digest

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_BYTES = 10 << 20
MOST_DEPTH = 64
BODY_SECONDS = 30.0
MOST_SECRET = 512
NOBODY = Key("", "")
"""Whoever asks where no key is needed."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may come in. `literal` are secrets told by the environment (`MOA_API_KEYS`); `open`: no key is needed.

    `hosts` are the names this server answers to (empty: any), `origins` the web pages that may ask it.
    """

    keys: Keys | None = None
    literal: tuple[str, ...] = field(default=(), repr=False)
    open: bool = False
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    most_bytes: int = MOST_BYTES
    _marks: tuple[bytes, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_marks", tuple(digest(secret) for secret in self.literal))

    def key(self, headers: Mapping[str, str], scope: str) -> Key:
        """Whose request it is.

        Raises:
            Rejection: no key, a wrong one, or one that may not do this.
            StoreFailed: it cannot be known now.
        """
        if self.open:
            return NOBODY
        secret = secret_of(headers)
        mark = digest(secret)
        for known in self._marks:
            if hmac.compare_digest(known, mark):
                return Key(f"env-{mark.hex()[:12]}", "MOA_API_KEYS", SCOPES)
        key = self.keys.find(secret) if self.keys else None
        if key is None:
            raise Rejection("Incorrect API key provided.", 401, code="invalid_api_key")
        state = key.state(time.time())
        if state != "active":
            raise Rejection(f"This API key is {state}.", 401, code="invalid_api_key")
        if scope not in key.scopes:
            raise Rejection(f"This API key may not be used for '{scope}'.", 403, code="insufficient_scope")
        return key

    def check_place(self, headers: Mapping[str, str], query: bytes) -> None:
        """See that the request is meant for this server, comes from no web page that may not ask it, and shows no key in its URL.

        Raises:
            Rejection: it is not, or does.
        """
        host = _PORT.sub("", headers.get("host", "")).strip("[]").lower()
        if self.hosts and host not in self.hosts:
            raise Rejection("This server does not answer to that host name.", 421, code="wrong_host")
        origin = headers.get("origin")
        if origin is not None and origin not in self.origins:
            raise Rejection("Web pages of that origin may not ask this server.", 403, code="wrong_origin")
        if headers.get("sec-fetch-site") == "cross-site" and origin not in self.origins:
            raise Rejection("Other sites may not ask this server.", 403, code="wrong_origin")
        if _KEY_IN_URL.search(query):
            raise Rejection(
                "Keys are sent in headers, never in a URL: this one is in logs now, revoke it.", code="key_in_url"
            )


_PORT = re.compile(r":\d*$")
_KEY_IN_URL = re.compile(rb"(^|&)(api[-_]?)?key=", re.IGNORECASE)


def tenant(key: Key) -> str:
    """In whose name a key asks; empty where no key is needed."""
    return f"key {key.id}" if key.id else ""


def payer(key: Key) -> Account | None:
    """What a key may spend a day, where that is limited."""
    return None if key.day is None else Account(tenant(key), key.day)


def secret_of(headers: Mapping[str, str]) -> str:
    """The secret a request carries, as OpenAI's or Anthropic's clients send it.

    Raises:
        Rejection: there is none, or two that differ, or it can be none.
    """
    bearer, _, rest = headers.get("authorization", "").partition(" ")
    given = [rest.strip()] if bearer.lower() == "bearer" and rest.strip() else []
    given += [headers["x-api-key"].strip()] if headers.get("x-api-key", "").strip() else []
    if not given:
        message = "You didn't provide an API key: send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'."
        raise Rejection(message, 401, code="missing_api_key")
    if len(set(given)) > 1 or len(given[0]) > MOST_SECRET or not given[0].isprintable():
        raise Rejection("Incorrect API key provided.", 401, code="invalid_api_key")
    return given[0]


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers of a request by their names in small letters; one that comes twice is joined.

    Raises:
        Rejection: two keys.
    """
    headers: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
        if name in ("authorization", "x-api-key", "host") and name in headers:
            raise Rejection(f"Two {name} headers.", 400, code="duplicate_header")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


class ClientGone(Exception):
    """Nobody is there to read the answer."""


async def body_of(headers: Mapping[str, str], receive: Receive, most: int) -> bytes:
    """A request's body.

    Raises:
        Rejection: it is too large, compressed, of another kind than JSON, or does not come.
    """
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise Rejection("Compressed requests are not taken.", 415, code="unsupported_encoding")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Rejection("Send the request with 'Content-Type: application/json'.", 415, code="unsupported_media_type")
    return await _read(headers, receive, most)


def json_of(raw: bytes) -> Any:
    """The JSON of a body.

    Raises:
        Rejection: it is none, or too deep.
    """
    if not raw.strip():
        raise Rejection("The body is empty; a JSON object is needed.", code="invalid_json")
    try:
        check_depth(raw)
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Rejection(f"We could not parse the JSON body of your request: {error}", code="invalid_json") from None


async def _read(headers: Mapping[str, str], receive: Receive, most: int) -> bytes:
    if headers.get("content-length", "0").isdigit() and int(headers.get("content-length", "0")[:20] or 0) > most:
        raise Rejection(f"The body is larger than {most} bytes.", 413, code="request_too_large")
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Rejection("The client left before its request was whole.", code="client_disconnected")
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                if size > most:
                    raise Rejection(f"The body is larger than {most} bytes.", 413, code="request_too_large")
                if not message.get("more_body", False):
                    return b"".join(pieces)
    except TimeoutError:
        raise Rejection(f"The body did not come within {BODY_SECONDS:g} s.", 408, code="request_timeout") from None


_SKIPPED = re.compile(rb'"(?:[^"\\]|\\.)*"|[^\[\]{}"]+', re.DOTALL)


def check_depth(raw: bytes) -> None:
    """See that nothing is nested more than MOST_DEPTH deep.

    Raises:
        ValueError: something is.
    """
    if raw.count(b"[") + raw.count(b"{") <= MOST_DEPTH:
        return
    depth = 0
    for sign in _SKIPPED.sub(b"", raw):
        depth += 1 if sign in b"[{" else -1
        if depth > MOST_DEPTH:
            raise ValueError(f"it is nested more than {MOST_DEPTH} deep")
