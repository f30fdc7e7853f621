"""Rules see what they say they see, and the first that holds decides."""

from __future__ import annotations

from functools import partial

import pytest

from moa.core.agents import Agent
from moa.core.flow import play
from moa.core.plan import plan
from moa.core.prices import FREE, Price
from moa.core.tokens import ASSUMED_MAX_TOKENS
from moa.core.types import Conversation, Image, Message, Text, ToolResult, assistant, user
from moa.flows.alone import alone
from moa.flows.combine import synthesise
from moa.flows.language import LANGUAGES, language_of, script_of
from moa.flows.layered import layered
from moa.flows.route import Rule, routed

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
        (Rule(A, language="de"), (user("Warum ist der Himmel blau?"),), True),
        (Rule(A, language="de"), (user("Why is the sky blue?"),), False),
        (Rule(A, language="en"), (user("Was macht das hier?\n```\nfor what in the_list: print(is_it)\n```"),), False),
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


SAID = {
    "en": ("What is 2 + 2?", "Write a poem about rain."),
    "de": ("Schreibe ein Gedicht über den Regen.", "Wie sortiere ich eine Liste in Python?"),
    "fr": ("Écris un poème sur la pluie.", "Pourquoi le ciel est-il bleu ?"),
    "es": ("Escribe un poema sobre la lluvia.", "¿Cuánto es 2 + 2?"),
    "it": ("Questo contratto è valido?", "Scrivi una poesia sulla pioggia."),
    "pt": ("Quanto é 2 + 2?", "Escreva um poema sobre a chuva."),
    "nl": ("Waarom is de lucht blauw?", "Schrijf een gedicht over de regen."),
    "sv": ("Hur sorterar jag en lista i Python?", "Varför är himlen blå?"),
    "da": ("Hvad skal jeg gøre, hvis det ikke virker efter noget tid?", "Hvad er 2 + 2?"),
    "nb": ("Hva skal jeg gjøre hvis det ikke virker etter noe tid?", "Hva er 2 + 2?"),
    "fi": ("Kirjoita runo sateesta.", "Miksi taivas on sininen?"),
    "pl": ("Czy ta umowa jest ważna?", "Napisz wiersz o deszczu."),
    "cs": ("Proč je nebe modré?", "Napiš báseň o dešti."),
    "ro": ("De ce este cerul albastru?", "Scrie o poezie despre ploaie."),
    "hu": ("Miért kék az ég?", "Írj egy verset az esőről."),
    "tr": ("Gökyüzü neden mavi?", "Yağmur hakkında bir şiir yaz."),
    "ru": ("Почему небо голубое?", "Напиши стихотворение о дожде."),
    "uk": ("Чому небо блакитне?", "Напиши вірш про дощ."),
    "bg": ("Защо небето е синьо?", "Напиши стихотворение за дъжда."),
    "el": ("Γιατί ο ουρανός είναι μπλε;",), "he": ("למה השמים כחולים",), "ar": ("لماذا السماء زرقاء",), "hi": ("आसमान नीला क्यों है",),
    "th": ("ทำไมท้องฟ้าถึงเป็นสีฟ้า",), "ko": ("하늘은 왜 파란가요",), "ja": ("空はなぜ青いのですか",), "zh": ("天空为什么是蓝色的",),
}  # fmt: skip


@pytest.mark.parametrize(("language", "texts"), SAID.items())
def test_a_text_is_of_the_language_of_its_function_words(language: str, texts: tuple[str, ...]) -> None:
    assert [language_of(text) for text in texts] == [language] * len(texts)


def test_what_tells_no_language_is_of_none() -> None:
    assert set(SAID) == set(LANGUAGES)
    for text in (
        "",
        "2 + 2",
        "Berlin",
        "OK",
        "Er denne kontrakt gyldig?",
    ):  # the last one is Danish, and might be Norwegian
        assert language_of(text) is None


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
