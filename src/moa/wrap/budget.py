"""Sends only what can be paid: the most an attempt can cost is set aside before it goes out, and settled when it has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from moa.core.errors import BudgetExceeded, Cut, ProviderError, TimedOut
from moa.core.events import Delta, Fact, Noted, Wasted
from moa.core.money import Ended, Entry, Hold
from moa.core.plan import worst_cost
from moa.core.ports import Ledger, Provider, Scope
from moa.core.prices import Price, cost, sensible
from moa.core.tokens import (
    MOST_TOKENS,
    completed,
    estimated,
    estimated_request,
    estimated_usage,
    most_tokens,
    tokens_of,
    wide_in,
)
from moa.core.types import Reply, Request, Sampling, Usage


@dataclass(frozen=True, slots=True)
class Budget:
    """Reserves each attempt's worst cost with the scope's accounts, and settles what it used: the provider's own figure, else
    its usage at the model's price, else, for one that was cut or cancelled, what had been heard of it, estimated. A call that
    sets no max_tokens is sent with as many as were reserved: what is usual, and no more than the model's context has room for.

    An attempt that the provider refused or failed to answer (an HTTP error), or that never went out, costs nothing.
    """

    inner: Provider
    ledger: Ledger
    price: Callable[[str], Price | None]
    context: Callable[[str], int | None] = lambda model: None

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider.

        Raises:
            BudgetExceeded: the worst cost of this attempt does not fit, or no price is known to bound it; nothing was sent.
        """
        price = self.price(request.call.model)
        hold: Hold | None = None
        worst = 0.0
        if scope.accounts:
            bounded = self._within(request)
            if price is None:
                raise _unpriced(request.call.model)
            if worst := worst_cost(bounded.call, price, bounded.messages):
                hold, request = await self.ledger.reserve(scope.accounts, worst), bounded
        heard = _Heard(scope)
        emit = heard.emit if scope.want_deltas else scope.emit
        listening = scope.but(emit=emit, heard=heard.count, sent=heard.out)
        usage, spent, ended = NOTHING, None, "failed"
        try:
            reply = _believable(await self.inner.send(request, listening), request, scope)
            usage, ended = reply.usage, "done"
            spent = reply.cost
        except ProviderError as error:
            usage = _used_by(error, request, heard)
            spent = None if error.cost is None else sensible(error.cost)
            raise
        except asyncio.CancelledError:
            usage, ended = _used(request, heard.tokens) if heard.sent or heard.size else NOTHING, "cancelled"
            raise
        finally:
            if spent is None and price is not None:
                spent = sensible(cost(usage, price))
            entry = _entry(request, scope, usage, spent, ended)  # type: ignore[arg-type]
            self.ledger.settle(hold or Hold(scope.accounts), entry)
            if hold is not None and spent is not None and spent > MORE * worst:
                scope.emit(Noted("usage", f"{request.call.model} {_BEYOND.format(spent=spent, worst=worst)}"))
            if ended != "done" and (spent or usage != NOTHING):
                scope.emit(Wasted(usage, spent))
        return reply.billed(spent, request.call.agent)

    def _within(self, request: Request) -> Request:
        """The request, held to as many output tokens as can be reserved."""
        call = request.call
        if call.sampling.max_tokens is not None:
            return request
        most, context = most_tokens(call), self.context(call.model)
        if context is not None:
            most = min(most, max(context - estimated_request(request) - MARGIN, LEAST_ANSWER))
        return Request(call.drawn(_bounded(call.sampling, most)), request.messages, request.nonce)


NOTHING = Usage()
MORE = 1.01
"""So many times what was set aside for it a call may cost before that is told."""
_BEYOND = (
    "cost ${spent:.4f}, and at its price ${worst:.4f} at most: a limit may be passed; write its price under [prices]"
)
MARGIN = 64
"""Tokens by which an input may be longer than estimated."""
LEAST_ANSWER = 256
"""Output tokens that are asked for where the context is nearly full: the model knows better whether they fit."""


def _unpriced(model: str) -> BudgetExceeded:
    return BudgetExceeded(f"no price is known for {model}, so its cost cannot be bounded; write it under [prices]")


@lru_cache(maxsize=64)
def _bounded(sampling: Sampling, most: int) -> Sampling:
    return replace(sampling, max_tokens=most)


def _believable(reply: Reply, request: Request, scope: Scope) -> Reply:
    """The reply; a cost that no call can have is taken from it, token counts that none can have are estimated, and it is told."""
    if reply.cost is not None and sensible(reply.cost) is None:
        scope.emit(Noted("usage", f"{request.call.model}: its cost makes no sense; it was reckoned from the tokens"))
        reply = replace(reply, cost=None)
    usage = reply.usage
    counts = (usage.input, usage.output, usage.cached, usage.reasoning, usage.written)
    if min(counts) < 0 or max(counts) >= MOST_TOKENS:
        sent, made = (count if 0 <= count < MOST_TOKENS else 0 for count in counts[:2])
        scope.emit(Noted("usage", f"{request.call.model}: its token counts make no sense; they were estimated"))
        guess = estimated_usage(request.messages, reply)
        reply = replace(reply, usage=completed(Usage(sent, made, estimated=True), guess))
    return reply


def _used_by(error: ProviderError, request: Request, heard: _Heard) -> Usage:
    """What an attempt that failed has used: nothing where the provider refused it (an HTTP error) or it never went out."""
    if error.usage is not None:
        return error.usage
    if error.partial or heard.size:
        return _used(request, max(estimated(error.partial), heard.tokens))
    broke = isinstance(error, TimedOut | Cut) and error.http_status is None
    return _used(request, 0) if broke and error.sent and heard.sent else NOTHING


def _used(request: Request, output: int) -> Usage:
    """What an attempt that ended before its end has used, about."""
    return Usage(estimated_request(request), output, estimated=True)


def _entry(request: Request, scope: Scope, usage: Usage, spent: float | None, ended: Ended) -> Entry:
    call = request.call
    return Entry(
        scope.run, scope.span, scope.attempt, call.role, call.agent, call.model, scope.mixture, scope.tenant,
        usage, spent, usage.estimated, ended,
    )  # fmt: skip


class _Heard:
    """Whether an attempt went out, and how much of its answer was heard."""

    __slots__ = ("_scope", "sent", "size", "wide")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.sent = False
        self.size = self.wide = 0  # characters; of them those that are not ASCII

    @property
    def tokens(self) -> int:
        """About how many tokens that is, as `estimated` reckons."""
        return tokens_of(self.size, self.wide)

    def out(self) -> None:
        """It has its place, and goes out."""
        self.sent = True
        self._scope.sent()

    def count(self, piece: Delta) -> None:
        """Count a piece that nobody wants."""
        self.size += len(piece.text)
        self.wide += wide_in(piece.text)

    def emit(self, fact: Fact) -> None:
        """Count a piece, and pass it on."""
        if isinstance(fact, Delta):
            self.count(fact)
        self._scope.emit(fact)
