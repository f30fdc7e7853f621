"""Methods that are special cases of others ask exactly what these ask; the paper's layout is that of its implementation."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moa.config.flows import flow_of
from moa.config.load import load
from moa.core.agents import Agent
from moa.core.flow import Ask, Flow, play
from moa.core.prompts import render
from moa.core.seen import seen
from moa.core.types import Call, Conversation, Message, Reply, Text, assistant, system, user
from moa.flows.combine import synthesise
from moa.flows.layered import layered
from moa.flows.self_moa import self_moa
from moa.flows.sparse import sparse
from moa.flows.topology import Layout, topology
from moa.flows.tree import tree

QUESTION = (user("What is the capital of Peru?"),)
PANEL = [Agent(f"x:{name}", temperature=0.7) for name in "abcd"]
A, B, C, D = PANEL
AGGREGATOR = Agent("x:aggregator")


def said(call: Call) -> str:
    """A text of its own for every call, so that no mix-up stays hidden."""
    return f"{call.agent} {call.sample} {hashlib.sha256(call.key.encode()).hexdigest()[:8]}"


def asked(flow: Flow[Reply]) -> tuple[Reply, list[Ask]]:
    played = play(flow, said)
    return played.answer, [step for step in played.asked if isinstance(step, Ask) and step.label != "keep"]


def same(one: Flow[Reply], other: Flow[Reply]) -> None:
    (answer, steps), (answer2, steps2) = asked(one), asked(other)
    assert answer == answer2
    assert [[call.key for call in step.calls] for step in steps] == [
        [call.key for call in step.calls] for step in steps2
    ]
    rules = [[(step.final, step.keep, step.need) for step in some] for some in (steps, steps2)]
    assert rules[0] == rules[1]


@pytest.mark.parametrize("samples", [1, 2, 6])
def test_self_moa_is_one_layer_of_the_same_agent(samples: int) -> None:
    same(
        self_moa(QUESTION, A, samples, synthesise(AGGREGATOR)),
        layered(QUESTION, [[A] * samples], synthesise(AGGREGATOR)),
    )


@pytest.mark.parametrize("window", [4, 5, 100])
def test_a_sliding_window_that_holds_all_is_one_shot(window: int) -> None:
    same(layered(QUESTION, [PANEL], synthesise(AGGREGATOR, window)), layered(QUESTION, [PANEL], synthesise(AGGREGATOR)))


def test_a_narrower_window_is_not() -> None:
    narrow, whole = (layered(QUESTION, [PANEL], synthesise(AGGREGATOR, window)) for window in (3, None))
    assert len(asked(narrow)[1]) == 3
    assert len(asked(whole)[1]) == 2


@pytest.mark.parametrize("layers", [[PANEL], [PANEL, PANEL], [[A, B], [C, D], [A, B]]])
@pytest.mark.parametrize("rules", [{}, {"need": 2}])
def test_sparse_layers_that_keep_all_are_layers(layers: list[list[Agent]], rules: dict[str, int]) -> None:
    keep = max(map(len, layers))
    same(
        sparse(QUESTION, layers, synthesise(AGGREGATOR), B, keep=keep, **rules),
        layered(QUESTION, layers, synthesise(AGGREGATOR), **rules),
    )


def test_so_they_are_where_some_are_copies() -> None:
    def copying(call: Call) -> str:
        return "one and the same words, again and again " * 9 if call.agent in ("x:a", "x:b") else said(call)

    layers = [PANEL, PANEL]
    one = play(sparse(QUESTION, layers, synthesise(AGGREGATOR), B, keep=4), copying)
    other = play(layered(QUESTION, layers, synthesise(AGGREGATOR)), copying)
    assert one.answer == other.answer
    assert [[call.key for call in ask.calls] for ask in one.asked] == [
        [call.key for call in ask.calls] for ask in other.asked
    ]


def test_a_tree_of_one_group_is_a_layer() -> None:
    same(tree(QUESTION, [PANEL], synthesise(AGGREGATOR)), layered(QUESTION, [PANEL], synthesise(AGGREGATOR)))


def test_the_same_holds_of_what_a_configuration_makes() -> None:
    agents = {name: {"model": f"fake:{name}"} for name in ("a", "b", "c", "agg")}
    loaded = load(
        flags={
            "agents": agents,
            "mixtures": {
                "samples": {"agent": "a", "samples": 3, "aggregator": "agg"},
                "repeated": {"proposers": ["a", "a", "a"], "aggregator": "agg"},
                "one group": {"topology": "tree", "proposers": ["a", "b", "c"], "group": 3, "aggregator": "agg"},
                "keeps all": {"topology": "sparse", "proposers": ["a", "b", "c"], "keep": 3, "aggregator": "agg"},
                "wide": {"proposers": ["a", "b", "c"], "window": 3, "aggregator": "agg"},
                "plain": {"proposers": ["a", "b", "c"], "aggregator": "agg"},
            },
        }
    )
    same(flow_of(loaded, "samples")(QUESTION), flow_of(loaded, "repeated")(QUESTION))
    for name in ("one group", "keeps all", "wide"):
        same(flow_of(loaded, name)(QUESTION), flow_of(loaded, "plain")(QUESTION))


def test_layers_of_no_layout_are_the_plain_ones() -> None:
    layers = [list(PANEL), list(PANEL)]
    made = topology(layers, AGGREGATOR, "synthesise", layout=Layout("layered"))
    same(made(QUESTION), layered(QUESTION, layers, synthesise(AGGREGATOR)))


def as_the_papers_implementation_does(messages: Conversation, references: list[str], words: str) -> Conversation:
    """Its `inject_references_to_messages`, in our types: appended to the system message, or in a new one in front; numbered from 1
    in the order asked; user turns stay as they are (field.md describes it)."""
    block = words + "".join(f"\n{number}. {text}" for number, text in enumerate(references, 1))
    if messages[0].role == "system":
        return (system(f"{messages[0].text}\n\n{block}"), *messages[1:])
    return (system(block), *messages)


texts = st.text(min_size=1, max_size=30)
visible = texts.filter(lambda text: seen(text) == text)
turns = st.lists(st.tuples(texts, texts), max_size=3)


@given(st.one_of(st.none(), texts), turns, texts, st.lists(visible, min_size=1, max_size=6))
def test_the_papers_prompt_lays_its_messages_out_as_its_implementation_does(
    first: str | None, before: list[tuple[str, str]], last: str, references: list[str]
) -> None:
    talk = [message for asked, answered in before for message in (user(asked), assistant(answered))]
    conversation = (*([system(first)] if first is not None else []), *talk, user(last))
    made = render(Agent("x:a", framing="paper").call(conversation, tuple(map(Reply, references))), "0" * 32)
    words = made[0].text.removeprefix(f"{first}\n\n" if first is not None else "").partition("\n1. ")[0]
    assert made == as_the_papers_implementation_does(conversation, references, words)
    assert words.endswith("Responses from models:")
    assert [message.role for message in made] == [
        "system",
        *(message.role for message in conversation if message.role != "system"),
    ]


@pytest.mark.parametrize(("name", "calls"), [("paper", [6, 6, 1]), ("paper-lite", [6, 1])])
def test_the_papers_presets_lay_their_messages_out_as_its_implementation_does(name: str, calls: list[int]) -> None:
    played = play(flow_of(load({}, folder=Path("/")), name)((system("Be kind."), *QUESTION)), said)
    assert [len(ask.calls) for ask in played.asked] == calls
    before: list[str] = []
    for ask in played.asked:
        for call in ask.calls:
            made = render(call, "0" * 32)
            words = made[0].text.removeprefix("Be kind.\n\n").partition("\n1. ")[0]
            wanted = (
                as_the_papers_implementation_does(call.conversation, before, words) if before else call.conversation
            )
            assert made == wanted
        before = [said(call) for call in ask.calls]


def test_without_references_the_papers_layout_adds_nothing() -> None:
    message: Message = user(Text("What is the capital of Peru?"))
    assert render(Agent("x:a", framing="paper").call((message,)), "0" * 32) == (message,)
