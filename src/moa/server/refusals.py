"""Why a request is turned away, and how OpenAI and Anthropic say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moa.core.errors import (
    AuthFailed,
    BadRequest,
    ConfigError,
    MoaError,
    NotEnoughReplies,
    OutOfCredit,
    Overloaded,
    ProviderError,
    RateLimited,
    StoreFailed,
    TimedOut,
)
from moa.server.seen import OF_KEY

BUSY_SECONDS = 1


class Rejection(MoaError):
    """A request that is not served. `status` is HTTP's; `retry_after` is in seconds; `headers` go with it."""

    def __init__(
        self,
        message: str,
        status: int = 400,
        *,
        code: str = "invalid_request",
        param: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.headers = headers or {}
        self.status = status  # type: ignore[misc]
        self.code = code  # type: ignore[misc]
        self.param = param or None
        self.retry_after = retry_after


def status_of(error: Exception) -> int:
    """The HTTP status of an error. What a provider says of our key or credit is no fault of the client's: 502."""
    match error:
        case NotEnoughReplies():
            causes = [cause for cause in error.causes if isinstance(cause, Exception)]
            kinds = {status_of(cause) for cause in causes}
            return kinds.pop() if len(kinds) == 1 else 502
        case BadRequest() | RateLimited() | Overloaded() | TimedOut():
            return error.status
        case ProviderError():
            return 502
        case MoaError():
            return error.status
    return 500


def meant(error: Exception) -> Exception:
    """The error itself; of a step of one call, which says no more than the call, the call's."""
    while isinstance(error, NotEnoughReplies) and error.need == len(error.causes) == 1:
        if not isinstance(cause := error.causes[0], Exception):
            break
        error = cause
    return error


def wait_of(error: Exception) -> float | None:
    """The seconds after which it is worth asking again; None where that is unknown."""
    waits = (
        [wait_of(cause) for cause in error.causes if isinstance(cause, Exception)]
        if isinstance(error, NotEnoughReplies)
        else []
    )
    own: float | None = getattr(error, "retry_after", None)
    if own is None and isinstance(error, StoreFailed | Overloaded):
        own = BUSY_SECONDS
    return own if own is not None else max((wait for wait in waits if wait is not None), default=None)


def words_of(error: Exception) -> tuple[str, str, str | None]:
    """What an error says, its code, and the parameter it concerns."""
    error = meant(error)
    if not isinstance(error, MoaError):
        return "the server has a bug; its log says more", "internal_error", None
    if isinstance(error, AuthFailed | OutOfCredit):
        return OF_KEY, error.code, None
    if isinstance(error, NotEnoughReplies):
        why = "; ".join(dict.fromkeys(words_of(cause)[0] for cause in error.causes if isinstance(cause, Exception)))
        codes = {words_of(cause)[1] for cause in error.causes if isinstance(cause, Exception)}
        return (
            f"{error.label or 'step'}: {error.got} of {error.need} replies needed ({why or 'none came in time'})",
            codes.pop() if len(codes) == 1 and status_of(error) < 500 else error.code,
            None,
        )
    if isinstance(error, StoreFailed) or (isinstance(error, Overloaded) and not error.provider):
        return "the server cannot keep its records now; try again", error.code, None
    return str(error), error.code, error.param


def openai_error(error: Exception) -> dict[str, Any]:
    """The error as OpenAI has it."""
    text, code, param = words_of(error)
    status = status_of(error)
    kind = {
        401: "authentication_error",
        402: "insufficient_quota",
        403: "permission_error",
        429: "rate_limit_error",
    }.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": text, "type": kind, "param": param, "code": _OPENAIS.get(code, code)}}


_OPENAIS = {"rate_limited": "rate_limit_exceeded"}
"""Codes that OpenAI has another word for."""


def anthropic_error(error: Exception) -> dict[str, Any]:
    """The error as Anthropic has it."""
    text, code, param = words_of(error)
    status = status_of(error)
    kind = {
        401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error",
        413: "request_too_large", 429: "rate_limit_error", 503: "overloaded_error", 504: "timeout_error",
    }.get(status, "api_error" if status >= 500 else "invalid_request_error")  # fmt: skip
    details = (
        {"details": {"error_code": code}} if code.startswith("thread_") else {}
    )  # by these its SDK knows what to do
    return {"type": "error", "error": {"type": kind, "message": text, "param": param, "code": code, **details}}


def is_bug(error: Exception) -> bool:
    """Whether nobody but us is to blame."""
    return not isinstance(error, MoaError)


def unavailable(name: str, param: str = "model", what: str = "model") -> Rejection:
    """What the client is told where the configuration is wrong, which is the operator's to read."""
    return Rejection(f"The {what} '{name}' cannot be called now.", 503, code="model_not_available", param=param)


def operators(error: Exception) -> ConfigError | None:
    """What of an error is the operator's to read, and no client's: that the configuration is wrong. It names files and keys."""
    wrong = error.__cause__ if isinstance(error, Rejection) else error
    return wrong if isinstance(wrong, ConfigError) and wrong.param is None else None


def wrong(param: str, why: str) -> Rejection:
    """What is said of a value that is not served."""
    return Rejection(f"Invalid value for '{param}': {why}.", param=param, code="invalid_value")
