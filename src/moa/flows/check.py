"""What a verifier says of texts, whatever it does: one that raises, or gives no number, has failed that text and not the run."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from math import isnan
from typing import TypeAlias

Verifier: TypeAlias = Callable[[str], float]
"""How good a text is: 0 or less has failed (True and False do as well)."""
LONGEST = 120
"""Characters of a problem that are told."""


def checked(verifier: Verifier, texts: Sequence[str]) -> tuple[list[float], tuple[str, ...]]:
    """The score of each text, and a note for each different problem: what raised, or was no number, has failed, and scores 0."""
    scores, problems = list[float](), dict[str, None]()
    for text in texts:
        score, problem = _score(verifier, text)
        scores.append(score)
        if problem:
            problems[f"verify: {name_of(verifier)} {problem}, which counts as failed"] = None
    return scores, tuple(problems)


def name_of(verifier: Verifier) -> str:
    """What a function is called, as in "package.module:function"."""
    named = verifier if hasattr(verifier, "__qualname__") else type(verifier)
    return f"{named.__module__}:{named.__qualname__}"


def _score(verifier: Verifier, text: str) -> tuple[float, str]:
    try:
        found: object = verifier(text)
        if inspect.iscoroutine(found):
            found.close()
        if isinstance(found, float | int) or hasattr(found, "__float__"):
            score = float(found)
            return (0.0, "gave NaN") if isnan(score) else (score, "")
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it does
        told = " ".join(f"raised {type(error).__name__}: {error}".split()).rstrip(":")
        return 0.0, told if len(told) <= LONGEST else told[:LONGEST] + "…"
    return 0.0, f"gave no number but {'None' if found is None else 'a ' + type(found).__name__}"
