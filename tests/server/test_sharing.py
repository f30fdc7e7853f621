"""What is kept for one key serves no other: cached answers, advice, idempotent answers, and the words of failures."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from served import SCRIPTS, Got, Served, served

from moa.core.errors import BadReply, OutOfCredit, Overloaded, RateLimited
from moa.core.types import Call, Form, Image, Manner, Message, Reply, Sampling, Text, Tool, ToolCall, ToolResult, user
from moa.providers.fake import Script
from moa.server.door import Rules
from moa.stores.keys import Keys

CHAT = {"model": "moa/review", "messages": [{"role": "user", "content": "Which city?"}]}
TOOLS = [{"type": "function", "function": {"name": "weather"}}]


@contextmanager
def shared(
    folder: Path, scripts: Any = SCRIPTS, *, cached: bool = True, **settings: Any
) -> Iterator[tuple[Served, list[str]]]:
    """A server, its cache on, and four keys to it: two that were made, two of the environment."""
    keys = Keys(folder / "keys.db")
    made = [keys.create(name)[1] for name in ("one", "two")]
    with served(scripts, Rules(keys, ("three", "four")), cache={"exact": cached}, **settings) as server:
        yield server, [*made, "three", "four"]


def ask(server: Served, key: str, body: Any = None, **headers: str) -> Got:
    return server.ask(
        "POST", "/v1/chat/completions", CHAT if body is None else body, authorization=f"Bearer {key}", **headers
    )


def agents_asked(server: Served) -> list[str]:
    """Who was asked since this was asked last."""
    asked = sorted(request.call.agent for request in server.asked)
    server.asked.clear()
    return asked


ALL = ["a", "agg", "b", "c"]


@pytest.mark.parametrize("stream", [False, True])
def test_the_same_question_of_another_key_reaches_the_models(tmp_path: Path, stream: bool) -> None:
    body = CHAT | {"stream": stream}
    with shared(tmp_path) as (server, secrets):
        for secret in secrets:
            assert ask(server, secret, body).status == 200
            assert agents_asked(server) == ALL
        for secret in secrets:
            got = ask(server, secret, body)
            assert (got.status, agents_asked(server)) == (200, [])


def test_a_new_secret_of_a_key_finds_what_the_old_one_left(tmp_path: Path) -> None:
    with shared(tmp_path) as (server, secrets):
        ask(server, secrets[0])
        agents_asked(server)
        newer = Keys(tmp_path / "keys.db").rotate("one", 0)
        assert (ask(server, newer).status, agents_asked(server)) == (200, [])


def test_the_same_idempotency_key_of_another_key_is_another_request(tmp_path: Path) -> None:
    with shared(tmp_path, cached=False) as (server, secrets):
        runs = [ask(server, secret, idempotency_key="same").json["moa"]["run"] for secret in secrets * 2]
        assert agents_asked(server) == sorted(ALL * 4)
        assert runs[:4] == runs[4:]
        assert len(set(runs)) == 4
        other = CHAT | {"seed": 1}
        assert [ask(server, secret, other, idempotency_key="same").status for secret in secrets] == [422] * 4
        assert ask(server, secrets[0], other, idempotency_key="new").status == 200
        assert ask(server, secrets[1], idempotency_key="new").status == 200


def test_a_request_under_way_is_no_conflict_for_another_key(tmp_path: Path) -> None:
    with shared(tmp_path, {**SCRIPTS, "agg": Script("It is Paris.", delay=0.5)}) as (server, secrets):
        got: list[Got] = []
        asking = [
            threading.Thread(target=lambda key=key: got.append(ask(server, key, idempotency_key="same")))
            for key in secrets
        ]
        for one in asking:
            one.start()
        for one in asking:
            one.join()
    assert [one.status for one in got] == [200] * 4


def test_advice_is_bought_once_for_each_key(tmp_path: Path) -> None:
    turns: list[Any] = [{"role": "user", "content": "Shall I take a coat?"}]
    nonces = []
    with shared(tmp_path, cached=False) as (server, secrets):
        for step in range(2):
            for secret in secrets:
                assert ask(server, secret, CHAT | {"messages": turns, "tools": TOOLS}).status == 200
                nonces += [request.nonce for request in server.asked if request.call.agent == "agg"]
                assert agents_asked(server) == (["agg"] if step else ALL)
            call = {"id": "t", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
            turns += [
                {"role": "assistant", "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "t", "content": "cold"},
            ]
    assert len(set(nonces[:4])) == 4
    assert nonces[:4] == nonces[4:]


@pytest.mark.parametrize("kind", [Overloaded, BadReply, OutOfCredit, RateLimited])
def test_what_went_wrong_for_one_key_is_not_quoted_to_another(tmp_path: Path, kind: Any) -> None:
    """A model that fails is left alone for a while: who asks meanwhile is told so, and not with words from another's call."""
    error = kind("the answer is not what it looks like: dear Anna, your results", retry_after=30.0)
    limits = {"attempts": 1, "failures": 1}
    with shared(tmp_path, {"a": [error, "Paris"]}, limits=limits) as (server, secrets):
        body = CHAT | {"model": "a", "moa": {"deadline": 2.0}}
        first, second = (ask(server, secret, body) for secret in secrets[:2])
        assert agents_asked(server) == ["a"]
    assert b"not sent" in second.body or kind is OutOfCredit
    assert b"Anna" in first.body or kind is OutOfCredit
    assert b"Anna" not in second.body


def test_no_two_questions_have_one_answer(tmp_path: Path) -> None:
    """Requests of one key whose texts, written one behind the other, are the same."""

    def said(*turns: tuple[str, Any]) -> Any:
        return CHAT | {"model": "a", "messages": [{"role": role, "content": content} for role, content in turns]}

    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    asked = [
        said(("user", "onetwo")), said(("user", "one"), ("user", "two")), said(("user", parts)),
        said(("system", "one"), ("user", "two")),
        said(("user", "one"), ("assistant", "two"), ("user", "")), said(("user", "one"), ("assistant", ""), ("user", "two")),
        said(("user", "one")) | {"stop": ["two"]}, said(("user", "one")) | {"stop": ["t", "wo"]},
        said(("user", "one")) | {"tools": TOOLS}, said(("user", "one")) | {"response_format": {"type": "json_object"}},
        said(("user", "one")) | {"max_tokens": 2}, said(("user", "one")) | {"seed": 2}, said(("user", "one")) | {"n": 2},
    ]  # fmt: skip
    with shared(tmp_path, {"a": "{}"}) as (server, secrets):
        statuses = [ask(server, secrets[0], body).status for body in asked]
        assert (statuses, len(server.asked)) == ([200] * len(asked), len(asked))
        assert len({request.call.key for request in server.asked}) == len(asked)


PIECES = st.lists(
    st.text(max_size=3) | st.sampled_from(["'", '"', "', '", "),", "Text(text='", "\\", "\\'", ", ", "\n", "\0", "user", "\ud800"]),
    min_size=1, max_size=5,
)  # fmt: skip
"""Texts that are moved about: some of them look like what a key may be made of."""
PLACES = st.lists(st.integers(0, 13), min_size=5, max_size=5)


def laid(pieces: list[str], places: list[int]) -> Call:
    """A call that holds these texts in that order, each in one of its fields; neighbours of the same field are joined."""
    turns: list[Message] = []
    fields: dict[int, Any] = {}
    for place, group in itertools.groupby(zip(places, pieces, strict=False), key=lambda one: one[0]):
        text = "".join(piece for _, piece in group)
        match place:
            case 0 | 1 | 2:
                turns.append(Message(("user", "assistant", "system")[place], (Text(text),)))  # type: ignore[arg-type]
            case 3:
                turns.append(Message("user", (Text(text[:1]), Text(text[1:]))))
            case 4:
                turns.append(Message("user", (Image(text),)))
            case 5:
                turns.append(Message("tool", (ToolResult(text[:1], text[1:]),)))
            case 6:
                turns.append(Message("assistant", (ToolCall(text[:1], text[1:2], text[2:]),)))
            case 7:
                fields[7] = (*fields.get(7, ()), Reply(text))
            case 8:
                fields[8] = (*fields.get(8, ()), text)
            case _:
                fields[place] = fields.get(place, "") + text
    tools = (Tool(fields[12]),) if 12 in fields else ()
    return Call(
        fields.get(9, ""), tuple(turns), fields.get(7, ()), fields.get(10, ""), Manner(fields.get(11, "")),
        Sampling(stop=fields.get(8, ())), form=Form(tools=tools, schema=fields.get(13, "")),
    )  # fmt: skip


@given(PIECES, PLACES, PLACES, PLACES)
def test_text_that_moves_between_fields_never_makes_the_same_key(
    pieces: list[str], cuts: list[int], here: list[int], there: list[int]
) -> None:
    text = "".join(pieces)
    ends = [0, *sorted(cut % (len(text) + 1) for cut in cuts[1:]), len(text)]
    recut = [text[start:end] for start, end in itertools.pairwise(ends)]
    first = laid(pieces, here)
    for second in (laid(pieces, there), laid(recut, here), laid(recut, there), laid([text], there)):
        assert (first.key == second.key) == (first == second)


SEPARATORS = [
    "",
    "', '",
    '", "',
    "','",
    ", ",
    "\\",
    "\0",
    "\n",
    "'), Text(text='",
    "',)), Message(role='user', parts=(Text(text='",
]


@given(st.text(max_size=3), st.text(max_size=3), st.sampled_from(SEPARATORS))
def test_a_text_that_looks_like_two_never_makes_their_key(one: str, two: str, between: str) -> None:
    whole, both = (one + between + two, "end"), (one, two, "end")
    calls = [
        (
            Call("m", (user("hi"),), tuple(map(Reply, texts))), Call("m", (user("hi"),), sampling=Sampling(stop=texts)),
            Call("m", (user(*texts),)), Call("m", tuple(map(user, texts))),
            Call("m", (), form=Form(tools=tuple(map(Tool, texts)))),
        )
        for texts in (whole, both)
    ]  # fmt: skip
    assert [first.key == second.key for first, second in zip(*calls, strict=True)] == [False] * 5
