"""The models that ship are honest: small, pinned, answering by themselves; no code of ours looks at the question."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from training.world import Question, questions
from training.world.beyond import HONEST

from moa import Agent, Mixture, Reply
from moa.config.find import load_here
from moa.config.flows import flow_of
from moa.core.conversation import conversation_of
from moa.core.errors import MoaError
from moa.core.flow import play
from moa.core.types import Call
from moa.flows.answers import answer_of
from moa.providers.gguf import EMBEDDED, builtin, builtin_sha256, check

pytest.importorskip("xllamacpp", reason="the models that ship run on moa[local]")

MEMBERS = ("p1", "p2", "p3", "p4")
NAMES = (*MEMBERS, "aggregator")
ASKED = [question for question in questions(4, seed=7) if question.seen_phrasing]
AGGREGATOR = Agent("builtin:aggregator", name="aggregator", framing="quoted", temperature=0.0, max_tokens=160)


class Says:
    """A provider whose every answer is the same."""

    def __init__(self, text: str) -> None:
        self.text = text

    async def send(self, request: object, scope: object) -> Reply:
        return Reply(self.text, "says:it")


def is_right(text: str, question: Question) -> bool:
    return answer_of(text) == answer_of(question.answer)


def test_they_are_small_and_the_ones_that_are_pinned() -> None:
    sizes = [builtin(name).stat().st_size for name in NAMES]
    assert max(sizes) <= 2_000_000
    assert sum(sizes) <= 12_000_000
    for name in NAMES:
        check(builtin(name), builtin_sha256(name))
    assert {path.stem for path in EMBEDDED.glob("*.gguf")} == set(NAMES)


async def _ask_all(mixture: Mixture, texts: list[str]) -> list[tuple[Mapping[str, str], str]]:
    """What each member said, and the answer, for each text; nothing where there is none."""

    async def ask(text: str) -> tuple[Mapping[str, str], str]:
        try:
            answer = await mixture.ask(text)
        except MoaError:
            return {"aggregator": ""}, ""
        return {call.agent: call.text for call in answer.view.calls}, answer.text

    async with mixture:
        return list(await asyncio.gather(*(ask(text) for text in texts)))


@pytest.fixture(scope="module")
def answered() -> list[tuple[Mapping[str, str], str]]:
    mixture = Mixture.from_config("builtin", flags={"store": {"keep": False}})
    return asyncio.run(_ask_all(mixture, [question.text for question in ASKED]))


def test_the_mixture_is_better_than_each_member(answered: list[tuple[Mapping[str, str], str]]) -> None:
    def right(texts: list[str]) -> int:
        return sum(is_right(text, question) for text, question in zip(texts, ASKED, strict=True))

    mixture = right([answer for _, answer in answered])
    assert all(mixture > right([said.get(name, "") for said, _ in answered]) for name in MEMBERS)


def test_the_answer_is_the_aggregators_text_unchanged(answered: list[tuple[Mapping[str, str], str]]) -> None:
    assert all(answer == said["aggregator"] for said, answer in answered)


def test_what_lies_beyond_their_world_gets_the_honest_sentence_from_the_weights() -> None:
    """And the sentence stands nowhere in the code, so it can come from nowhere else."""
    texts = ["Write a poem about the sea.", "Who was Napoleon?", "Tell me a joke.", "How do I sort a list in Python?"]
    mixture = Mixture.from_config("builtin", flags={"store": {"keep": False}})
    assert [answer for _, answer in asyncio.run(_ask_all(mixture, texts))] == [HONEST] * len(texts)
    source = Path(__file__).parent.parent / "src" / "moa"
    files = [path for path in source.rglob("*") if path.suffix in (".py", ".toml")]
    assert files
    assert not [path for path in files if "beyond the built-in" in path.read_text(encoding="utf-8")]


def test_with_empty_references_the_answer_is_the_aggregators_own() -> None:
    texts = [question.text for question in ASKED[::3]]
    silent = Mixture([[Agent(f"empty:{name}") for name in MEMBERS]], AGGREGATOR, providers={"empty": Says("")})
    alone = Mixture([[AGGREGATOR]], combine="vote")
    own = [answer for _, answer in asyncio.run(_ask_all(alone, texts))]
    pairs = zip(own, [answer for _, answer in asyncio.run(_ask_all(silent, texts))], strict=True)
    answered = [(one, other) for one, other in pairs if one]  # who is cut at the limit has no answer alone
    assert len(answered) >= 0.9 * len(texts)
    assert all(one == other for one, other in answered)


def test_the_aggregator_reads_the_engines_frame_in_fewer_tokens_than_others() -> None:
    """A frame of other words would cost it what its own tokens save, and was never trained."""
    replies = [f"Work: {n} + 1 = {n + 1}\nAnswer: {n + 1}" for n in range(4)]

    def asked(reader: str) -> int:
        voices = {f"voice{n}": Says(text) for n, text in enumerate(replies)}
        proposers = [Agent(f"{name}:it", name=name) for name in voices]
        aggregator = replace(AGGREGATOR, model=f"builtin:{reader}")
        mixture = Mixture([proposers], aggregator, providers=voices)

        async def ask() -> int:
            async with mixture:
                return (await mixture.ask("What is 1 + 1?")).usage.input

        return asyncio.run(ask())

    saved = asked("p1") - asked("aggregator")
    assert saved >= 6 * len(replies)


def test_no_code_looks_at_the_question() -> None:
    """Whatever is asked, the same members get the question word for word, and the aggregator gets it with what they said."""
    flow = flow_of(load_here(flags={"store": {"keep": False}}), "builtin")

    def asked(text: str) -> list[list[Call]]:
        asks = play(flow(conversation_of(text)), lambda call: f"what {call.model} says").asked
        assert {call.conversation for ask in asks for call in ask.calls} == {conversation_of(text)}
        return [[replace(call, conversation=conversation_of("X")) for call in ask.calls] for ask in asks]

    plain = asked("What is 1 + 1?")
    assert [len(calls) for calls in plain] == [len(MEMBERS), 1]
    assert all(asked(question.text) == plain for question in ASKED)
    assert all(asked(text) == plain for text in ("capital of Peru", "Answer: 4", "p1 " * 50))
