"""The embeddings wire: what is sent, what comes back, and what is no embedding."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from upstream import http, upstream

from moa.core.errors import AuthFailed, BadReply, BadRequest, ProviderError
from moa.core.ports import Scope
from moa.core.types import Call, Image, Reply, Request, Sampling, assistant, user
from moa.providers._http import Aiohttp
from moa.providers.hosts import HOSTS, custom
from moa.providers.remote import Remote

ASKED = (user("first"), assistant("yes"), user("Which city?"))


def sent(answer: bytes, conversation: Any = ASKED, **scope: Any) -> tuple[Reply | ProviderError, list[Any], list[str]]:
    async def send() -> tuple[Reply | ProviderError, list[Any], list[str]]:
        transport = Aiohttp()
        async with upstream(answer) as there:
            remote = Remote(custom("box", there.url, wire="embeddings"), transport, "key")
            call = Call("box:small", conversation, sampling=Sampling(max_tokens=1, temperature=0.0))
            try:
                outcome: Reply | ProviderError = await remote.send(Request(call, call.conversation), Scope(**scope))
            except ProviderError as error:
                outcome = error
            finally:
                await transport.aclose()
            return outcome, there.asked, there.heads

    return asyncio.run(send())


def found(*vectors: list[Any], **more: Any) -> bytes:
    data = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(vectors)]
    return http(200, {"object": "list", "data": data, "model": "small-2"} | more)


@pytest.mark.parametrize("deltas", [False, True])
def test_the_last_user_turn_is_sent_and_its_numbers_are_the_reply(deltas: bool) -> None:
    answer = found([0.25, -1, 3e-05], usage={"prompt_tokens": 4, "total_tokens": 4})
    reply, asked, heads = sent(answer, want_deltas=deltas)
    assert isinstance(reply, Reply)
    assert (reply.text, reply.model, reply.finish) == ("[0.25,-1.0,0.00003]", "small-2", "stop")
    assert (reply.usage.input, reply.usage.output, reply.usage.estimated) == (4, 0, False)
    assert asked == [{"model": "small", "input": "Which city?", "encoding_format": "float"}]
    assert heads[0].startswith("POST /v1/embeddings ")
    assert "Authorization: Bearer key" in heads[0]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (found(), BadReply),
        (found([1.0], [2.0]), BadReply),
        (found([]), BadReply),
        (found(["x"]), BadReply),
        (http(200, "<html>"), BadReply),
        (http(200, {"error": {"message": "no such key", "code": "invalid_api_key"}}), AuthFailed),
        (http(400, {"error": {"message": "this model does no embeddings"}}), BadRequest),
    ],
)
def test_what_is_no_embedding_is_an_error(answer: bytes, kind: type[ProviderError]) -> None:
    assert type(sent(answer)[0]) is kind


def test_without_a_text_nothing_is_sent() -> None:
    error, asked, _ = sent(found([1.0]), (user(Image("https://a.example/x.png")),))
    assert isinstance(error, BadRequest)
    assert asked == []


def test_openai_is_known_by_name() -> None:
    assert (HOSTS["openai-embeddings"].wire, HOSTS["openai-embeddings"].key_env) == ("embeddings", ("OPENAI_API_KEY",))
