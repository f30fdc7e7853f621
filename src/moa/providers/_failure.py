"""What a host says when it fails, as one of moa's errors. Pure: it is handed the status, the header and the body."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

import msgspec

from moa.core.errors import (
    AuthFailed,
    BadReply,
    BadRequest,
    OutOfCredit,
    Overloaded,
    ProviderError,
    RateLimited,
    Refused,
    TimedOut,
    TooLong,
)
from moa.providers._sse import ServerEvent

_NO_CREDIT = {
    "insufficient_quota", "enforced_spend_limit_reached", "billing_hard_limit_reached", "billing_not_active",
    "insufficient_balance", "credits_exhausted",
}  # fmt: skip
_NO_MONEY = re.compile(
    r"credit balance is too low|credits? (are|is) (depleted|exhausted)|insufficient (balance|credits|funds)",
    re.IGNORECASE,
)
_TOO_LONG = {"context_length_exceeded", "exceed_context_size_error", "string_above_max_length", "request_too_large"}
_REFUSED = {"content_filter", "content_policy_violation", "moderation_blocked"}
_LONG_WORDS = re.compile(
    r"context (length|window|size)|maximum (context|prompt|input)|too many (input )?tokens|reduce the length"
    r"|(prompt|input|request) is too (long|large)",
    re.IGNORECASE,
)
_MODERATED = re.compile(r"\b(flagged|moderation)\b", re.IGNORECASE)  # of the input, not of the key
_STATUS_OF = (  # for an error inside a 200, which has no status of its own; the first that occurs in its code or type
    ("rate_limit", 429), ("too_many_requests", 429), ("overloaded", 529), ("authentication", 401), ("permission", 403),
    ("invalid_api_key", 401), ("invalid_request", 400), ("not_found", 404), ("timeout", 504),
)  # fmt: skip


def failed(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """The error that an HTTP answer other than a 200 is."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = _pieces(body)
    message, codes = _said(content, body)
    error = _mapped(status, message, codes, f"HTTP {status}")
    error.http_status = status
    error.retry_after = _first(retry_after(headers), _retry_delay(content))
    error.request_id = headers.get("x-request-id") or headers.get("request-id") or ""
    inner = content.get("error") if isinstance(content, dict) else None
    if isinstance(inner, dict) and isinstance(inner.get("param"), str):
        error.param = inner["param"]
    return error


def failed_inside(content: Any) -> ProviderError:
    """The error that an error object inside a 200 or a stream is."""
    message, codes = _said({"error": content}, b"")
    status = next((int(code) for code in codes if re.fullmatch("[45][0-9][0-9]", code)), None)
    if status is None:
        status = next((number for word, number in _STATUS_OF if any(word in code for code in codes)), 500)
    error = _mapped(status, message, codes, ", ".join(sorted(codes)) or "an error in place of an answer")
    error.retry_after = _retry_delay({"error": content})
    return error


def failed_event(event: ServerEvent) -> ProviderError | None:
    """The error that an event is which holds nothing of an answer; None where it is none.

    Its name says so (`event: error`), or its JSON: `{"object": "error", "message": …}`, `{"detail": …}`.
    """
    try:
        content = msgspec.json.decode(event.data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = event.data[:2000].decode("utf-8", "replace") or None
    if not isinstance(content, dict):
        return failed_inside(content) if event.name == "error" else None
    says = content.get("object") == "error" or any(content.get(word) for word in ("error", "message", "detail"))
    return failed_inside(content.get("error") or content) if says or event.name == "error" else None


def _mapped(status: int, message: str, codes: set[str], kind: str) -> ProviderError:
    text = f"{message or 'no reason given'} ({kind[:80]})"
    if status == 402 or codes & _NO_CREDIT or (status in (400, 403, 429) and _NO_MONEY.search(message)):
        return OutOfCredit(text)
    if codes & _REFUSED or (status == 403 and _MODERATED.search(message)):
        return Refused(text)
    if codes & _TOO_LONG or status == 413 or (status in (400, 422) and _LONG_WORDS.search(message)):
        return TooLong(text)
    if status in (401, 403):
        return AuthFailed(text)
    if status in (408, 504):
        return TimedOut(text)
    if status == 429:
        return RateLimited(text)
    if status >= 500:
        return Overloaded(text)
    if status >= 400:
        return BadRequest(text)
    if status >= 300:
        return BadReply(f"the host redirects (HTTP {status}), which is not followed: correct its base_url")
    return BadReply(text)


_PAIR = re.compile(rb'"(error|message|detail|code|type|status|error_code)"\s*:\s*("(?:[^"\\]|\\.)*"|\d+)')


def _pieces(body: bytes) -> Any:
    """What can be read of an error whose JSON is cut short or broken; None where that is nothing."""
    if not body.lstrip().startswith((b"{", b"[")):
        return None
    found: dict[str, Any] = {}
    for name, value in _PAIR.findall(body[:2000]):
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            found.setdefault(name.decode(), msgspec.json.decode(value))
    if "error" in found:
        return found
    return {"error": found} if found else None


def _said(content: Any, body: bytes) -> tuple[str, set[str]]:
    """The provider's own message (at most 300 characters) and every code it gives, in lower case.

    `{"error": {"message", "type", "code"}}`, `{"error": "…"}`, `{"message": …}`, `{"detail": …}` and a list of one occur.
    """
    if isinstance(content, list) and content:
        content = content[0]
    if not isinstance(content, dict):
        words = body[:2000].decode("utf-8", "replace")
        title = re.search(r"<title>(.*?)</title>", words, re.IGNORECASE | re.DOTALL)
        return _short(title.group(1) if title else words if "<" not in words else "an HTML page"), set()
    error = content.get("error")
    inner: dict[str, Any] = error if isinstance(error, dict) else content
    details = inner.get("details")
    where = (inner, content, details if isinstance(details, dict) else {})
    codes = {
        str(place[name]).lower()
        for place in where
        for name in ("code", "type", "status", "error_code")
        if place.get(name)
    }
    message = error if isinstance(error, str) else inner.get("message") or inner.get("detail") or ""
    return _short(message if isinstance(message, str) else msgspec.json.encode(message).decode()), codes


_SECRET = re.compile(
    r"(?i)\b(bearer\s+|(?:sk|pk|rk|gsk|xai|key|api[-_]?key|AIza|hf|r8)[-_=:]?)(?=[\w.-]*\d)[\w.*-]{8,}"
)


def _short(message: str) -> str:
    """At most 300 characters on one line; what looks like a key is left out: some hosts quote ours."""
    words = _SECRET.sub(r"\1…", " ".join(message.split()))
    return words if len(words) <= 300 else words[:299] + "…"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds the host asks us to wait, from `retry-after-ms` or `Retry-After`; None where it says nothing sensible.

    An HTTP date, in each of the three forms that RFC 9110 knows, is read against the answer's own Date, so that no clock of ours
    matters; against ours where it has none.
    """
    if (milliseconds := _number(headers.get("retry-after-ms", ""))) is not None:
        return milliseconds / 1000
    after = headers.get("retry-after", "")
    if (seconds := _number(after)) is not None:
        return seconds
    try:
        wait = _date(after) - _date(headers.get("date") or formatdate(usegmt=True))
    except (TypeError, ValueError, OverflowError):  # no date
        return None
    return max(wait.total_seconds(), 0.0)


def _date(text: str) -> datetime:
    """An HTTP date; one without a time zone (asctime's form, or -0000) is meant as GMT, as all of them are."""
    date = parsedate_to_datetime(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _first(*waits: float | None) -> float | None:
    return next((wait for wait in waits if wait is not None), None)


def _retry_delay(content: Any) -> float | None:
    """The wait in Google's RetryInfo, "34s" or "1.5s", among the details of an error."""
    content = content[0] if isinstance(content, list) and content else content
    error = content.get("error") if isinstance(content, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str) and delay.endswith("s"):
            return _number(delay[:-1])
    return None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
