"""Stops asking a model that cannot answer: after failures in a row, without credit or key, or while it says to wait."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from moa.core.errors import AuthFailed, BadReply, OutOfCredit, Overloaded, ProviderError, RateLimited
from moa.core.events import Noted
from moa.core.ports import Provider, Scope
from moa.core.types import Reply, Request

AFTER = 5
REST = 30.0
LONG_REST = 600.0
LONGEST_PAUSE = 3600.0


@dataclass(eq=False)
class Gate:
    """Whether one model may be asked. Times are those of the event loop, so no jump of the wall clock matters.

    `failed` counts failures in a row. `shut_until`: until then nothing is sent; then a single probe, and by what becomes of
    it the gate opens or stays shut. `paused_until` is what the provider itself asked for: it needs no probe.
    """

    failed: int = 0
    shut_until: float | None = None
    paused_until: float = 0.0
    probing: bool = False
    cause: ProviderError | None = None


class Gates(dict[str, Gate]):
    """The Gate of each model ("host:model"), shared by every Circuit before it."""

    def __missing__(self, model: str) -> Gate:
        gate = self[model] = Gate()
        return gate


@dataclass(frozen=True, slots=True)
class Circuit:
    """Sends only to models that can be expected to answer; what it does not send fails at once, as the last failure did.

    It opens after `after` failures in a row that are the provider's (unreachable, timed out, cut, overloaded, no answer at all),
    for `rest` seconds; after one without credit or with a bad key, for `long_rest`. Then one probe is let through, and the next
    `rest` seconds after that has failed, whether it went wrong or was told to slow down.
    While a provider has asked to wait (Retry-After), calls wait, where that fits their deadline and nobody else can answer.

    (Circuit breaker: Nygard, "Release It!", 2007.)
    """

    inner: Provider
    gates: Gates = field(default_factory=Gates, compare=False)
    after: int = AFTER
    rest: float = REST
    long_rest: float = LONG_REST
    longest: float = 60.0

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider.

        Raises:
            ProviderError: of the kind that shut the circuit; `sent` is False and `retry_after` says when it may open.
        """
        gate = self.gates[request.call.model]
        if gate.shut_until is not None or gate.paused_until:
            await self._pass(gate, request, scope)
        probing, gate.probing = gate.probing, gate.shut_until is not None or gate.probing
        mine = gate.probing and not probing
        try:
            reply = await self.inner.send(request, scope)
        except ProviderError as error:
            self._failed(gate, error, asyncio.get_running_loop().time(), scope)
            raise
        finally:
            if mine:
                gate.probing = False
        if gate.failed or gate.shut_until is not None:
            if gate.shut_until is not None:
                scope.emit(Noted("circuit", f"{request.call.model} answers again"))
            gate.failed, gate.shut_until, gate.cause = 0, None, None
        return reply

    async def _pass(self, gate: Gate, request: Request, scope: Scope) -> None:
        """Wait until the gate lets this call through, or raise."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            wait = gate.paused_until - now
            if gate.shut_until is not None and (gate.probing or now < gate.shut_until):
                raise self._shut(gate, request, max(gate.shut_until - now, wait, 0.0))
            if wait <= 0:
                break
            until = now + wait
            if scope.spare or wait > self.longest or (scope.deadline is not None and until >= scope.deadline):
                raise self._shut(gate, request, wait)
            await asyncio.sleep(wait)
        gate.paused_until = 0.0

    def _shut(self, gate: Gate, request: Request, wait: float) -> ProviderError:
        cause = gate.cause
        kind = type(cause) if isinstance(cause, AuthFailed | OutOfCredit | RateLimited) else Overloaded
        provider, _, model = request.call.model.partition(":")
        failed = cause.kind if cause else "Overloaded"  # no word of its text: it was somebody else's call
        why = f"not sent: the last call failed ({failed}); the next may go in {wait:.1f} s"
        return kind(why, provider=provider, model=model, retry_after=wait, sent=False)

    def _failed(self, gate: Gate, error: ProviderError, now: float, scope: Scope) -> None:
        if not error.sent:
            return
        if isinstance(error, RateLimited):
            if error.retry_after:
                gate.paused_until = max(gate.paused_until, now + min(error.retry_after, LONGEST_PAUSE))
                gate.cause = error if gate.shut_until is None else gate.cause
            if gate.shut_until is not None:  # it does not answer yet
                self._rest(gate, error, now + self.rest)
            return
        hopeless = isinstance(error, AuthFailed | OutOfCredit)
        if not hopeless and not error.retryable and not isinstance(error, BadReply):
            return  # the request's own fault says nothing about the model
        gate.failed += 1
        if hopeless or gate.failed >= self.after or gate.shut_until is not None:
            rest = self.long_rest if hopeless else self.rest
            if gate.shut_until is None:
                scope.emit(Noted("circuit", f"{error.kind}: {error}; it is not asked again for {rest:g} s"))
            self._rest(gate, error, now + rest)

    def _rest(self, gate: Gate, error: ProviderError, until: float) -> None:
        """Nothing is sent until then; of two reasons the one that lasts longer holds."""
        if gate.shut_until is None or until > gate.shut_until:
            gate.shut_until, gate.cause = until, error
