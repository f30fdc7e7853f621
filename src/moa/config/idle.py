"""Settings of a mixture that nothing would read, or nothing fill: they are refused, since who wrote them expects something."""

from __future__ import annotations

from typing import Any

from moa.flows.topology import ASK_NOBODY


def idle(spec: Any) -> str:  # a Mixture of spec.py, which asks this of itself
    """What of a mixture would have no effect, and what to do; empty where all has."""
    plain = spec.topology == "layered" and spec.combine == "synthesise" and not spec.guard and not spec.residual
    judged = spec.guard or spec.topology in ("sparse", "refine")
    categories = any(route.category is not None for route in spec.routes)
    sorted_by = categories or (spec.combine == "vote" and spec.weights)
    checks = (
        (
            spec.prompt and not plain,
            'prompt: "paper" is how plain layers and an aggregator that synthesises read each other; it says nothing of judging, '
            "voting and the like",
        ),
        (
            categories and not spec.classifier,
            "routes: a category is told by a classifier; name its agent and its categories",
        ),
        (spec.agent and "rounds" in spec.model_fields_set, "rounds goes with proposers; an agent has samples"),
        (
            spec.classifier and not sorted_by,
            "classifier: nothing goes by what it says; name a category in routes, or weights of a vote",
        ),
        (
            spec.verify and not (spec.combine == "best" or spec.guard or spec.first or spec.mode in ("auto", "full")),
            'verify is of combine = "best", a guard, first or a mode ("auto", or "full" where callers may say auto); name one',
        ),
        (
            spec.topology == "tree" and spec.combine in ASK_NOBODY,
            f'topology: a "tree" fuses each group by a call, and combine = "{spec.combine}" makes none; leave topology out, so '
            "that all proposals count",
        ),
        (
            spec.judges and spec.combine in ASK_NOBODY and not judged,
            f'judges: combine = "{spec.combine}" asks nobody, so there is nothing that they judge; leave them out',
        ),
    )
    return next((words for odd, words in checks if odd), "")
