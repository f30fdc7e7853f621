"""Best of n by a verifier: code that can tell a right answer, so that no judge is needed (best-of-n, arXiv 2110.14168)."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, DecimalException
from math import isnan

from moa.core.errors import ConfigError, NotEnoughReplies
from moa.core.flow import Combine
from moa.core.types import Conversation, Replies, Reply
from moa.flows.answers import Kind, answer_of
from moa.flows.check import Verifier, checked
from moa.flows.vote import plurality


def best_of(verifier: Verifier, kind: Kind = "auto") -> Combine:
    """The proposal that the verifier gives most, word for word; among equals the answer that most of them give.

    Where none passes, the answer that most give stands in, and the reply says so in its notes, as it does where the verifier
    raises or gives no number. No call is made.
    """

    async def combine(conversation: Conversation, references: Replies) -> Reply:
        if not references:
            raise NotEnoughReplies(0, 1, label="best of")
        scores, problems = checked(verifier, [reference.text for reference in references])
        best = max(scores)
        if best <= 0:
            problems = ("fallback: no proposal passed the verifier", *problems)
        passed = tuple(one for one, score in zip(references, scores, strict=True) if best <= 0 or score == best)
        return plurality(passed, kind).noted(*problems)

    return combine


def matching(pattern: str) -> Verifier:
    """A text passes where the regular expression is found in it."""
    compiled = re.compile(pattern)
    return lambda text: float(compiled.search(text) is not None)


def within(low: float | None, high: float | None) -> Verifier:
    """A text passes where its answer is a number from `low` to `high` (None: without end).

    Raises:
        ConfigError: there is no number from `low` to `high`.
    """
    if any(end is not None and isnan(end) for end in (low, high)) or (
        low is not None and high is not None and low > high
    ):
        raise ConfigError(f"number: there is none from {low} to {high}; write the least one first, then the greatest")

    def check(text: str) -> float:
        answer = answer_of(text, "number")
        try:
            above, _, below = (answer or "").partition("/")  # "1/3"
            value = None if answer is None else Decimal(above) / Decimal(below or 1)
        except DecimalException:
            return 0.0
        inside = (
            value is not None
            and (low is None or value >= Decimal(str(low)))
            and (high is None or value <= Decimal(str(high)))
        )
        return float(inside)

    return check


def obeying(problem: Callable[[str], str | None]) -> Verifier:
    """A text passes where nothing is wrong with it, as a JSON schema's check tells (`moa.config.schema.problem_of`)."""
    return lambda text: float(problem(text) is None)
