"""Every error moa raises, by reach.

    MoaError                 .status: what an HTTP face answers; .code, .param: what OpenAI-shaped errors carry
    ├─ ConfigError           the mixture, the file or the input is wrong; before any call
    ├─ CallError             this branch has no answer; its step may go on
    │  ├─ ProviderError      whose: provider, model, request id, retry_after; .retryable
    │  │    Unreachable · TimedOut · Cut · RateLimited · Overloaded              (retryable)
    │  │    BadRequest · TooLong · AuthFailed · OutOfCredit · Refused · BadReply   (not)
    │  ├─ Abstained          it has nothing to say: no failure, no reply and no vote
    │  └─ NotEnoughReplies   got, need, causes
    ├─ StoreFailed           the store cannot be read or written now; no new run is started
    └─ Halt                  the run ends now: BudgetExceeded · DeadlinePassed · Blocked

Cancellation is not in the tree; nobody swallows it. Foreign exceptions are translated in one place per provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from moa.core.types import Usage


class MoaError(Exception):
    """Whatever moa raises. `status` is HTTP's; `code` and `param` are those of OpenAI-shaped errors."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    param: str | None = None

    @property
    def kind(self) -> str:
        """The name of the class: what events and stores keep."""
        return type(self).__name__


class ConfigError(MoaError):
    """Something the user wrote is wrong; says where, and what to do. Raised before any call."""

    status = 400
    code = "invalid_config"


class CallError(MoaError):
    """One branch has no answer; its step may go on without it.

    `formed`: the caller asks for a form (tools, a schema, several choices, logprobs), so that no proposal can stand in.
    """

    status = 502
    code = "call_failed"
    formed: bool = False


class Abstained(CallError):
    """An agent has nothing to say: it is named and counted as such, and is neither a failure nor a proposal nor a vote."""

    code = "abstained"


class ProviderError(CallError):
    """A provider gave no usable answer. `retry_after` is in seconds.

    `sent`: whether anything went out. `resent`: it went out twice, since the first connection was an old one. `mended`: what was
    refused has been learnt, and the same call can go out again without it. `usage`, `cost` (US dollars): what the provider says
    it has used and cost all the same.
    """

    code = "provider_error"
    retryable: ClassVar[bool] = False
    usage: Usage | None = None
    cost: float | None = None
    resent: bool = False

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        model: str = "",
        request_id: str = "",
        retry_after: float | None = None,
        http_status: int | None = None,
        partial: str = "",
        sent: bool = True,
        mended: bool = False,
    ) -> None:
        super().__init__(message)
        self.provider = provider
        self.model = model
        self.request_id = request_id
        self.retry_after = retry_after
        self.http_status = http_status
        self.partial = partial
        self.sent = sent
        self.mended = mended

    def __str__(self) -> str:
        whose = ":".join(part for part in (self.provider, self.model) if part)
        return f"{whose}: {self.args[0]}" if whose else str(self.args[0])


class Unreachable(ProviderError):
    """No connection: refused, no such host, TLS trouble."""

    code = "unreachable"
    retryable = True


class TimedOut(ProviderError):
    """No answer in the time given."""

    status = 504
    code = "timeout"
    retryable = True


class Cut(ProviderError):
    """The answer ended before its end; `partial` holds what had come."""

    code = "cut"
    retryable = True


class RateLimited(ProviderError):
    """429: too many requests. `retry_after` is a minimum wait, where the provider named one."""

    status = 429
    code = "rate_limited"
    retryable = True


class Overloaded(ProviderError):
    """5xx or 529: the provider, or our own store, is overloaded."""

    status = 503
    code = "overloaded"
    retryable = True


class BadRequest(ProviderError):
    """The provider refuses the request itself (400, 404, 422)."""

    status = 400
    code = "bad_request"


class TooLong(BadRequest):
    """The conversation does not fit the model's context."""

    code = "context_length_exceeded"


class AuthFailed(ProviderError):
    """The key is missing, wrong, or may not use this model (401, 403)."""

    status = 401
    code = "auth_failed"


class OutOfCredit(ProviderError):
    """Quota or credit is used up (402, `insufficient_quota`): waiting does not help, so it is never retried."""

    status = 402
    code = "out_of_credit"


class Refused(ProviderError):
    """The model, or its provider's filter, declined to answer. `said`: in the model's own words, where it says so in some."""

    code = "refused"
    said = ""


class BadReply(ProviderError):
    """What came back is no answer: empty, reasoning only, HTML, broken JSON, cut at max_tokens."""

    code = "bad_reply"


class NotEnoughReplies(CallError):
    """A step closed with fewer replies than it needs."""

    code = "not_enough_replies"

    def __init__(self, got: int, need: int, causes: tuple[BaseException, ...] = (), label: str = "") -> None:
        self.got, self.need, self.causes, self.label = got, need, causes, label
        why = "; ".join(dict.fromkeys(f"{type(cause).__name__}: {cause}" for cause in causes)) or "none came in time"
        super().__init__(f"{label or 'step'}: {got} of {need} replies needed ({why})")


class StoreFailed(MoaError):
    """The store cannot be read or written now (disk full, file locked); nothing was lost that a message does not name."""

    status = 503
    code = "store_failed"


class Halt(MoaError):
    """The run ends now; no step goes on."""

    status = 400
    code = "halted"


class BudgetExceeded(Halt):
    """The money allowed does not suffice."""

    status = 402
    code = "budget_exceeded"


class DeadlinePassed(Halt):
    """The run's deadline has passed and a flow asked for more."""

    status = 504
    code = "deadline_passed"


class Blocked(Halt):
    """A guard says no."""

    status = 403
    code = "blocked"
