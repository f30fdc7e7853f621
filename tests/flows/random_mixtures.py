"""Random mixtures, as files may say them, and replies of which each says something to somebody who reads it."""

from __future__ import annotations

import json
import random
from typing import Any

from moa.config.find import load_here
from moa.config.flows import flow_of
from moa.core.errors import CallError, ConfigError
from moa.core.flow import Outcome
from moa.core.types import Call, Reply, user
from moa.flows.topology import MakeFlow

QUESTION = (user("Q?"),)
LONG = "lorem ipsum dolor sit amet " * 12
ANALYSIS = {"consensus": ["a"], "contradictions": [], "partial_coverage": [], "unique_insights": [], "blind_spots": []}
SAID = (
    "Answer: 4", "Answer: 5", "4", "five", "Answer: A", "B", '{"x": 1, "y": "a"}', '{"x": 2, "y": null}', "'a'", "ABSTAIN", "",
    "Best: Response 1", "Best: Response 2", "Ranking: Response 2 > Response 1 > 3", "Keep: 1, 2", "stop", "Keep: 1\nSTOP",
    "No faults.", "Probability: 0.7", "70 % chance", "x", "y", LONG, f"{LONG}\nAnswer: 4", f"{LONG}\nAnswer: 5",
    json.dumps(ANALYSIS),
)  # fmt: skip
INNER: dict[str, Any] = {"proposers": ["fake:p", "fake:q"], "aggregator": "fake:y"}
ASK_NOBODY = ("vote", "fields", "medoid", "best", "pool")


def settings(chance: random.Random, weights: str) -> dict[str, Any]:
    """A mixture as a file may say it; many of them are refused."""

    def members(most: int) -> list[str]:
        letters = chance.choice(("abcdef", "ab"))
        return [
            "inner" if chance.random() < 0.07 else f"fake:{chance.choice(letters)}"
            for _ in range(chance.randint(1, most))
        ]

    made: dict[str, Any] = {}
    match chance.choice(("layers", "proposers", "proposers", "agent")):
        case "layers":
            made["layers"] = [members(4) for _ in range(chance.randint(1, 3))]
        case "proposers":
            made |= {"proposers": members(5), "rounds": chance.choice((1, 1, 2, 3))}
        case _:
            made |= {"agent": "fake:a", "samples": chance.choice((2, 3, 6))}
    ways = ("synthesise", "select", "rank", "council", "fusion", *ASK_NOBODY)
    made["combine"] = how = chance.choice(ways)
    shape = chance.choice((*["layered"] * 4, "sparse", "tree", "debate", "refine", "consortium"))
    made |= {} if shape == "layered" else {"topology": shape}
    made |= {} if how in ASK_NOBODY else {"aggregator": chance.choice((*["fake:z"] * 3, "inner"))}
    if how == "rank" or chance.random() < 0.3:
        made["judges"] = chance.choice((["fake:j"], ["fake:j", "fake:k"]))
    if how == "best" or chance.random() < 0.25:
        made["verify"] = {"pattern": "4"}
    further: dict[str, tuple[float, tuple[Any, ...]]] = {
        "guard": (0.3, ("anchor",)), "sift": (0.2, (True,)), "leave_one_out": (0.2, (True,)), "weights": (0.4, (weights,)),
        "least": (0.1, (2,)), "need": (0.15, (1, 2, 3)), "window": (0.15, (2, 3)), "residual": (0.15, (True,)),
        "first": (0.15, (["fake:f", "fake:g"],)), "mode": (0.15, ("auto",)), "batch": (0.15, (2,)),
        "answers": (0.4, ("number", "choice", "json", "literal", "text")), "ranking": (0.15, ("listwise",)),
        "classifier": (0.1, ({"agent": "fake:t", "categories": ["x", "y"]},)), "gate": (0.1, ({},)),
        "routes": (0.1, ([{"to": "fake:r", "category": "x"}], [{"to": "inner", "shorter": 5}, {"to": "fake:r", "tag": "t"}])),
    }  # fmt: skip
    further |= {"keep": (0.5, (1, 2))} if shape == "sparse" else {"group": (0.5, (2,))} if shape == "tree" else {}
    return made | {name: chance.choice(values) for name, (often, values) in further.items() if chance.random() < often}


def mixture(made: dict[str, Any], **others: dict[str, Any]) -> MakeFlow | None:
    """Its flow; None where it is refused. Mixtures inside it are "inner", and the `others`."""
    mixtures = {"inner": INNER, "m": made} | others
    try:
        return flow_of(load_here(flags={"mixtures": mixtures, "store": {"keep": False}}), "m")
    except ConfigError:
        return None


def said(call: Call, chance: random.Random, failing: float) -> Outcome:
    """What becomes of a call, where a share of `failing` fails."""
    if chance.random() < failing:
        return CallError("down")
    return Reply(chance.choice(SAID), model=call.model, agent=call.agent)
