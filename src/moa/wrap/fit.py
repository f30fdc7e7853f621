"""Fits a request to its model before it is sent, and learns once what a model refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise

from moa.core.errors import BadRequest, MoaError, TooLong
from moa.core.events import Noted
from moa.core.ports import Provider, Scope
from moa.core.profile import ABLE, SETTINGS, Profile, fitted, lacking, too_long
from moa.core.types import Reply, Request
from moa.core.usable import broken
from moa.wrap.sizes import Sizes

_REFUSAL = re.compile(
    r"unsupported|not supported|does(n't| not) support|not (allowed|permitted|available)|unknown|unrecognized|unexpected"
    r"|extra (inputs|fields)|invalid (parameter|field)|only the default|not compatible|must be (unset|omitted)"
    r"|can ?not (both )?be (specified|set|used)|deprecated",
    re.IGNORECASE,
)
_OTHERS = re.compile(
    r"\b(supported|allowed|valid) ((parameters|values|ones|settings) )?(are|is:)|\bdid you mean|\buse ", re.IGNORECASE
)
"""Behind these words a refusal names what would be taken instead."""
_SYSTEM = re.compile(
    r"system (role|message|prompt|instruction)s? (is|are)?\s*(not supported|unsupported|not (allowed|enabled))"
    r"|(does not|doesn't) support (the )?system (role|message|prompt|instruction)|developer instruction is not enabled",
    re.IGNORECASE,
)
_ALTERNATE = re.compile(r"roles must alternate|alternate between|consecutive (user|messages)", re.IGNORECASE)
_NAMES = {name: name for name in SETTINGS} | {
    "topP": "top_p",
    "stopSequences": "stop",
    "stop_sequences": "stop",
    "reasoning": "reasoning_effort",
    "effort": "reasoning_effort",
    "thinkingConfig": "reasoning_effort",
    "thinkingLevel": "reasoning_effort",
    "thinking level": "reasoning_effort",
    "thinking": "reasoning_effort",
    "parallel_tool_calls": "parallel_tools",
    "logprobs": "logprobs",
    "top_logprobs": "logprobs",
}
"""What providers call a setting in their errors -> its field in Profile."""


@dataclass(eq=False)
class Learnt:
    """What models have refused, on top of their profiles; by model ("host:model")."""

    of: dict[str, Profile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fit:
    """Sends a request as `profile` says its model can take it.

    Where the provider refuses a setting, or the order of turns, that is learnt, told, and the error is `mended`: whoever owns
    the attempts may send once more. What a model cannot do at all (images, tools), or what does not fit into its `context`, is an
    error before anything is sent.
    """

    inner: Provider
    profile: Callable[[str], Profile]
    learnt: Learnt = field(default_factory=Learnt)
    sizes: Sizes = field(default_factory=Sizes)
    context: Callable[[str], int | None] = lambda model: None

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider."""
        model = request.call.model
        profile = self.learnt.of.get(model) or self.profile(model)
        fit = request if profile is ABLE else self._fitted(request, profile, scope)
        if problem := too_long(fit, self.context(model)):
            provider, _, name = model.partition(":")
            what = "ask a model with a larger context, or say how large it is under [profiles]"
            raise TooLong(f"not sent: {problem}; {what}", provider=provider, model=name, sent=False)
        try:
            reply = await self.inner.send(fit, scope)
        except TooLong:
            raise
        except BadRequest as error:
            refused = _refused(error, fit)
            if refused:
                self.learnt.of[model] = replace(self.learnt.of.get(model) or profile, **{refused: False})
                error.mended = True
                scope.emit(Noted("learnt", f"{model} refuses {refused}: it is not sent to it again"))
            raise
        except MoaError:
            raise
        except Exception as error:  # foreign code: its call fails, and whoever tries again or falls back goes on
            raise broken(repr(error), request.call) from error
        if not isinstance(reply, Reply):
            raise broken(f"it returned {type(reply).__name__}, not a Reply", request.call)
        self.sizes.learn(fit, reply)
        return reply

    def _fitted(self, request: Request, profile: Profile, scope: Scope) -> Request:
        model = request.call.model
        if missing := lacking(request, profile):
            provider, _, name = model.partition(":")
            raise BadRequest(f"{missing}; ask another model", provider=provider, model=name, sent=False)
        fit, notes = fitted(request, profile)
        for note in notes:
            scope.emit(Noted("fitted", f"{model}: {note}"))
        return fit


def _refused(error: BadRequest, request: Request) -> str:
    """The field of Profile that an error says is not taken, if the request has it; empty where it says no such thing."""
    words = str(error.args[0])
    if _SYSTEM.search(words) and any(message.role == "system" for message in request.messages):
        return "system"
    if _ALTERNATE.search(words):
        roles = [message.role for message in request.messages if message.role in ("user", "assistant")]
        return "in_a_row" if any(a == b for a, b in pairwise(roles)) else ""
    if not _REFUSAL.search(words):  # it may only dislike the value
        return ""
    refused = _OTHERS.split(words)[0] if error.param is None else error.param
    found = [
        rule
        for name, rule in _NAMES.items()
        if re.search(rf"\b{name}\b", refused, re.IGNORECASE) and _has(request, rule)
    ]
    if not found:
        return ""
    return found[-1] if "both" in words else found[0]  # of two that exclude each other the first is the more usual one


def _has(request: Request, rule: str) -> bool:
    if rule in SETTINGS:
        return getattr(request.call.sampling, rule) not in (None, ())
    return getattr(request.call.form, rule) is not None
