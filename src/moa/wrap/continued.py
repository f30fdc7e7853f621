"""Goes on with an answer whose stream was cut after some of it was passed on, where the model can continue a text."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from moa.core.errors import Halt, ProviderError
from moa.core.events import CallHedged, Delta, Fact, Noted
from moa.core.ports import Provider, Scope
from moa.core.profile import Profile
from moa.core.types import Reply, Request, assistant


@dataclass(frozen=True, slots=True)
class Continued:
    """Sends a request; where its answer breaks off in the middle of what was passed on, asks the same model to go on from there.

    Two texts never mix: what comes is the rest of the same one, since the model is given what it had said as the beginning of
    its own turn (`Profile.prefill`). Once only, and the reply says so.
    """

    inner: Provider
    profile: Callable[[str], Profile]

    def send(self, request: Request, scope: Scope) -> Coroutine[Any, Any, Reply]:
        """See Provider."""
        if not scope.final or not scope.want_deltas or not self.profile(request.call.model).prefill:
            return self.inner.send(request, scope)
        return self._whole(request, scope)

    async def _whole(self, request: Request, scope: Scope) -> Reply:
        heard = _Heard(scope.emit, scope.attempt)
        try:
            return await self.inner.send(request, scope.but(emit=heard.emit))
        except ProviderError as error:
            if not error.retryable or not heard.text or heard.tools:
                raise
            scope.emit(Noted("continued", f"{error.kind}: {error}; the same model is asked to go on from there"))
            begun = replace(request, messages=(*request.messages, assistant(heard.text)))
            try:
                rest = await self.inner.send(begun, scope.but(attempt=heard.attempt + 1))
            except Halt:
                raise error from None  # no money to go on: the call has failed, the run goes on
            return replace(rest, text=heard.text + rest.text).noted(
                "continued: the stream was cut, and the rest written after"
            )


class _Heard:
    """What was passed on so far."""

    def __init__(self, emit: Callable[[Fact], None], attempt: int) -> None:
        self._emit = emit
        self.attempt = attempt  # the last that was sent
        self.text = ""
        self.tools = False

    def emit(self, fact: Fact) -> None:
        """Keep a piece, and pass it on."""
        if isinstance(fact, Delta):
            self.text += fact.text if fact.what == "text" else ""
            self.tools = self.tools or fact.what == "tool"
        if isinstance(fact, Delta | CallHedged):
            self.attempt = max(self.attempt, fact.attempt)
        self._emit(fact)
