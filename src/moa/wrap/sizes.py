"""How many tokens each model makes of a text, learnt from its own counts: what its context has room for goes by it."""

from __future__ import annotations

from dataclasses import dataclass, field

from moa.core.tokens import estimated_input
from moa.core.types import PLAIN, Image, Reply, Request

LONG = 1000
"""Input tokens from which a count says something: of short requests the chat template is too large a part."""
NEWEST = 0.2
"""Weight of the latest count."""
LEAST, MOST = 0.5, 3.0
"""No tokenizer makes fewer or more tokens than that of one estimated (core/tokens.py); a host that says so counts otherwise."""


@dataclass(eq=False)
class Sizes:
    """By model ("host:model"): counted tokens for each estimated one."""

    _of: dict[str, float] = field(default_factory=dict, init=False, repr=False)

    def of(self, model: str) -> float:
        """Tokens of this model for each that is estimated; 1 while nobody knows."""
        return self._of.get(model, 1.0)

    def learn(self, request: Request, reply: Reply) -> None:
        """Take in what the host counted, where it counted and little but text was sent."""
        if reply.usage.estimated or reply.usage.input < LONG or request.call.form is not PLAIN:
            return
        if any(isinstance(part, Image) for message in request.messages for part in message.parts):
            return
        model = request.call.model
        ratio = reply.usage.input / max(estimated_input(request.messages), 1)
        if LEAST <= ratio <= MOST:
            known = self._of.get(model)
            self._of[model] = ratio if known is None else known + NEWEST * (ratio - known)
