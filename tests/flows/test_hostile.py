"""Texts made to break whoever reads an answer out of them: no method raises, and none loses the others' answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from moa import Mixture
from moa.config.schema import problem_of
from moa.core.errors import MoaError
from moa.core.types import ToolCall
from moa.flows.answers import answer_of
from moa.flows.best_of import within
from moa.flows.chance import probability_of
from moa.server._messaging import _input

HOSTILE = {
    "nested list": "[" * 3000,
    "nested whole list": "[" * 3000 + "]" * 3000,
    "nested object": '{"abstain":' * 3000 + "1" + "}" * 3000,
    "nested fence": "```json\n" + '{"a":' * 3000 + "1" + "}" * 3000 + "\n```",
    "great power": "Answer: 1e1000000",
    "small power": "Answer: 1e-1000000",
    "absurd power": "Answer: 1e" + "9" * 30,
    "many digits": "Answer: " + "7" * 5000,
    "many digits in JSON": '{"probability": ' + "7" * 400 + ', "score": 1e999}',
    "best response": "Best: Response " + "1" * 5000,
    "ranking": "Ranking: " + "1" * 5000 + " > 2",
    "infinite": '{"probability": Infinity, "a": NaN}',
    "surrogate": "Answer: \ud800",
    "nul": "Answer: \0",
}
KINDS = ("auto", "number", "choice", "json", "literal", "text")
PANEL: dict[str, Any] = {"proposers": ["fake:a", "fake:b", "fake:c"]}
ACTED: dict[str, Any] = PANEL | {"aggregator": "fake:d"}
METHODS: dict[str, dict[str, Any]] = {
    "vote": PANEL | {"combine": "vote"},
    "synthesise": ACTED,
    "select": ACTED | {"combine": "select"},
    "rank": ACTED | {"combine": "rank"},
    "listwise": ACTED | {"combine": "rank", "ranking": "listwise"},
    "council": ACTED | {"combine": "council"},
    "fusion": ACTED | {"combine": "fusion"},
    "fields": PANEL | {"combine": "fields"},
    "pool": PANEL | {"combine": "pool"},
    "medoid": PANEL | {"combine": "medoid"},
    "best": PANEL | {"combine": "best", "verify": {"number": [0, 100]}},
    "guard": ACTED | {"guard": "anchor", "judges": ["fake:e"]},
    "debate": ACTED | {"topology": "debate", "rounds": 2},
    "refine": ACTED | {"topology": "refine"},
    "consortium": ACTED | {"topology": "consortium"},
    "sparse": ACTED
    | {"topology": "sparse", "layers": [["fake:a", "fake:b", "fake:c"]] * 2, "keep": 2, "judges": ["fake:e"]},
    "sift": ACTED | {"sift": True},
    "leave one out": ACTED | {"leave_one_out": True},
    "first": ACTED | {"first": ["fake:e", "fake:f"]},
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_an_answer_is_read_out_of_whatever_text(text: str) -> None:
    for kind in KINDS:
        assert isinstance(answer_of(text, kind), str | None)
    assert within(0, 100)(text) in (0.0, 1.0)
    assert 0.0 <= (probability_of(text) or 0.0) <= 1.0


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_schema_and_the_arguments_of_a_tool_are_read_out_of_whatever_text(text: str) -> None:
    assert isinstance(problem_of('{"type": "object", "required": ["a"]}')(text), str)
    assert isinstance(_input(ToolCall("1", "look", text)), dict)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("method", METHODS)
def test_no_method_breaks_on_what_its_members_and_judges_say(method: str, text: str) -> None:
    """Who says nothing else is `fake:`, which echoes the question."""
    settings = {
        key: value for key, value in METHODS[method].items() if key != "proposers" or "layers" not in METHODS[method]
    }
    flags = {"mixtures": {"m": settings}, "store": {"keep": False}}

    async def main() -> str:
        async with Mixture.from_config("m", flags=flags) as mixture:
            return (await mixture.ask(text)).text

    try:
        asyncio.run(main())
    except MoaError:  # nobody states a probability, say, or passes the check
        assert method in ("pool", "best", "fields", "consortium")
