"""Rules see what they say they see, and the first that holds decides."""

from __future__ import annotations

from functools import partial

import pytest

from moa.core.agents import Agent
from moa.core.flow import play
from moa.core.plan import ASSUMED_MAX_TOKENS, plan
from moa.core.prices import FREE, Price
from moa.core.types import Conversation, Image, Message, Text, ToolResult, assistant, user
from moa.flows.alone import alone
from moa.flows.combine import synthesise
from moa.flows.layered import layered
from moa.flows.route import Rule, routed, script_of

A, B, C = (partial(alone, member=Agent(f"x:{name}", name=name)) for name in "abc")
PICTURE: Conversation = (user(Text("what is this?"), Image("https://example.com/a.png")),)
LOOP: Conversation = (user("cold?"), assistant("wait"), Message("tool", (ToolResult("1", "3 degrees"),)))


@pytest.mark.parametrize(
    ("rule", "conversation", "holds"),
    [
        (Rule(A, words=("contract", "law")), (user("Is this CONTRACT valid?"),), True),
        (Rule(A, words=("law",)), (user("a lawn"),), False),
        (Rule(A, words=("c++",)), (user("in C++, please"),), True),
        (Rule(A, words=("law",)), (user("law"), assistant("yes"), user("and then?")), False),
        (Rule(A, longer=10), (user("x" * 11),), True),
        (Rule(A, longer=10), (user("x" * 10),), False),
        (Rule(A, shorter=3), (user("hi"),), True),
        (Rule(A, shorter=3, words=("law",)), (user("hi"),), False),
        (Rule(A, code=True), (user("fix this:\ndef f(x):\n    return x"),), True),
        (Rule(A, code=True), (user("from here to there"),), False),
        (Rule(A, code=False), (user("hello"),), True),
        (Rule(A, images=True), PICTURE, True),
        (Rule(A, images=True), (user("hi"),), False),
        (Rule(A, tools=True), LOOP, True),
        (Rule(A, tools=False), LOOP, False),
        (Rule(A, script="cyrillic"), (user("Как дела, Tom?"),), True),
        (Rule(A, script="latin"), (user("123?"),), False),
    ],
)
def test_a_rule_sees_what_it_says(rule: Rule, conversation: Conversation, holds: bool) -> None:
    assert rule.holds(conversation) is holds


@pytest.mark.parametrize(
    ("text", "script"),
    [("Grüße", "latin"), ("καλημέρα", "greek"), ("שלום", "hebrew"), ("مرحبا", "arabic"), ("नमस्ते", "devanagari"), ("你好", "han"),
     ("日本語です", "kana"), ("안녕", "hangul"), ("สวัสดี", "thai"), ("12 + 3", None)],
)  # fmt: skip
def test_a_text_is_of_the_script_of_most_of_its_letters(text: str, script: str | None) -> None:
    assert script_of(text) == script


def test_the_first_rule_that_holds_decides_else_the_other_flow() -> None:
    flow = routed([Rule(A, shorter=5), Rule(B, shorter=9)], C)
    for text, agent in (("hi", "a"), ("hello!", "b"), ("good morning", "c")):
        assert play(flow((user(text),)), lambda call: call.agent).answer.text == agent


def test_a_plan_of_all_routes_counts_each_and_another_only_the_one_taken() -> None:
    dear = partial(layered, layers=[[Agent("x:d")] * 5], combine=synthesise(Agent("x:d")))
    flow = routed((Rule(dear, words=("contract",), name="dear"), Rule(A, shorter=3, name="a")), B)
    both = partial(layered, layers=[[flow, flow]], combine=synthesise(Agent("x:e")))
    asked = (user("What is this?"),)

    def price(model: str) -> Price:
        return Price(0, 1e6) if model == "x:d" else FREE

    every, taken = plan(flow, asked, price, routes=True), plan(flow, asked, price)
    assert (every.least_calls, every.most_calls, every.routes) == (1, 6, ("dear", "a"))
    assert every.worst_cost == 6 * ASSUMED_MAX_TOKENS
    assert (taken.most_calls, taken.worst_cost, taken.routes) == (1, 0.0, ())
    assert plan(both, asked, price, routes=True).most_calls == 13
