"""Settings of a mixture that nothing would read, or nothing fill: they are refused, since who wrote them expects something."""

from __future__ import annotations

from typing import Any, TypeAlias

from moa.flows.topology import ASK_NOBODY

Check: TypeAlias = tuple[Any, str]
"""Whether something has no effect, and what to say of it."""
OF_SEVERAL = ("combine", "sift", "window", "weights", "ranking", "ballots", "need", "grace", "least", "answers")
"""Settings that say what becomes of several answers."""


def idle(spec: Any) -> str:  # a Mixture of spec.py, which asks this of itself
    """What of a mixture would have no effect, and what to do; empty where all has."""
    many = spec.samples if spec.agent else max(map(len, (*spec.layers, spec.proposers)))
    unused = [name for name in OF_SEVERAL if spec.topology == "refine" and many == 1 and _set(spec, name)]
    plain = spec.topology == "layered" and spec.combine == "synthesise" and not spec.guard and not spec.residual
    categories = any(route.category is not None for route in spec.routes)
    checks = (
        (
            unused,
            f'{"".join(unused[:1])}: topology = "refine" with one proposer has one answer, so there is nothing to combine; '
            "leave it out, or name several proposers",
        ),
        (
            spec.prompt and not plain,
            'prompt: "paper" is how plain layers and an aggregator that synthesises read each other; it says nothing of judging, '
            "voting and the like",
        ),
        (
            categories and not spec.classifier,
            "routes: a category is told by a classifier; name its agent and its categories",
        ),
        (
            spec.topology == "debate" and max(len(spec.layers), spec.rounds) == 1,
            'rounds: topology = "debate" asks again, and there is one round; name proposers, and take 2 or more',
        ),
        (
            spec.topology == "debate" and many == 1,
            'proposers: topology = "debate" is among several, and there is one; name another, or leave topology out',
        ),
        (
            spec.combine == "fields" and _set(spec, "answers") and spec.answers != "json",
            'answers: combine = "fields" reads JSON and nothing else; leave it out',
        ),
        (spec.agent and "rounds" in spec.model_fields_set, "rounds goes with proposers; an agent has samples"),
        (
            spec.classifier and not (categories or spec.weights),
            "classifier: nothing goes by what it says; name a category in routes, or weights",
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
    )
    return next((words for odd, words in (*checks, *_of_shares(spec, many), *_of_judges(spec)) if odd), "")


def _of_shares(spec: Any, many: int) -> tuple[Check, ...]:
    """What of shares and layers would always hold, or never."""
    first = len(spec.first) or 2
    layers = max(len(spec.layers), spec.rounds)
    return (
        (
            _set(spec, "agree") and spec.agree * first <= 1,
            f"agree: of {first} asked first one by itself is a share of {1 / first:.2g}; take more, or leave it out",
        ),
        (
            spec.topology == "consortium" and many > 1 and spec.confidence * many <= 1,
            f"confidence: of {many} one by itself is a share of {1 / many if many else 0:.2g}; take more",
        ),
        (spec.residual and layers == 1, "residual: there is no older layer to read of; take 2 rounds or more"),
        (_set(spec, "grace") and spec.need is None, "grace goes with need: the seconds after so many have replied"),
        (spec.leave_one_out and many == 1, "leave_one_out: of one proposal there is none to leave out"),
    )


def _of_judges(spec: Any) -> tuple[Check, ...]:
    """What of judges would not be asked, or would have nothing to say."""
    refines, several = spec.topology == "refine", spec.combine in ("rank", "council")
    judged = spec.guard or spec.topology in ("sparse", "refine") or several or spec.combine == "fusion"
    asked = "nobody" if spec.combine in ASK_NOBODY else "only the aggregator"
    return (
        (
            spec.guard and spec.combine == "vote" and not (refines or spec.verify or spec.weights),
            "guard: what a vote gives is what most proposals say, so there is nothing to guard; leave it out, or name verify",
        ),
        (
            spec.judges and not judged,
            f'judges: combine = "{spec.combine}" asks {asked}, so there is nothing that they judge; leave them out',
        ),
        (
            len(spec.judges) > 1 and not several,
            'judges: only the first of them would be asked; several are of combine = "rank" and "council"',
        ),
        (
            spec.ranking == "listwise" and spec.ballots == "copeland" and "ballots" in spec.model_fields_set,
            'ballots: lists are counted by "borda"; "copeland" is of ranking = "pairwise"',
        ),
    )


def _set(spec: Any, name: str) -> bool:
    """Whether a setting is another than where nothing is said."""
    return bool(getattr(spec, name) != type(spec).model_fields[name].default)
