"""What every provider must keep, run over all of them; the two real ones run a real model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from moa.core.errors import BadRequest, ProviderError, TooLong
from moa.core.events import Delta
from moa.core.ports import Provider, Scope
from moa.core.types import Call, Reply, Request, Sampling, user
from moa.providers._http import Aiohttp
from moa.providers.fake import Fake
from moa.providers.local import Local
from moa.providers.remote import Remote
from moa.providers.replay import Recorded, Replay

QUESTIONS = (
    "What is 12 + 30?",
    "Spell orange backwards.",
    "What day is 2 days after Friday?",
    "Write 14 in Roman numerals.",
)


def asked(question: str, **settings: Any) -> Request:
    settings = {"temperature": 0.0, "seed": 7, "max_tokens": 24} | settings
    call = Call("any:model", (user(question),), sampling=Sampling(**settings), agent="p1")
    return Request(call, call.conversation)


@dataclass(frozen=True)
class Subject:
    """A provider under test, a request it must refuse, and with what."""

    provider: Provider
    hopeless: Request
    error: type[ProviderError]


@asynccontextmanager
async def fake(get: Callable[[str], Any]) -> AsyncIterator[Subject]:
    scripts = Fake(lambda request: BadRequest("no") if "hopeless" in request.messages[0].text else "The answer is 42.")
    yield Subject(scripts, asked("hopeless"), BadRequest)


@asynccontextmanager
async def replay(get: Callable[[str], Any]) -> AsyncIterator[Subject]:
    calls = [asked(question).call for question in QUESTIONS]
    provider = Replay(
        [Recorded(call.key, call.digests, Reply(f"The answer: {call.conversation[0].text}")) for call in calls]
    )
    yield Subject(provider, asked("never recorded"), BadRequest)


@asynccontextmanager
async def local(get: Callable[[str], Any]) -> AsyncIterator[Subject]:
    provider = Local(get("gguf"))
    yield Subject(provider, asked("too long " * 20_000), TooLong)
    provider.close()


@asynccontextmanager
async def openai(get: Callable[[str], Any]) -> AsyncIterator[Subject]:
    transport, served = Aiohttp(), get("served")
    yield Subject(Remote(served.host, transport, served.key), asked("too long " * 20_000), TooLong)
    await transport.aclose()


@pytest.fixture(params=[fake, replay, local, openai], ids=lambda kind: kind.__name__)
def held(request: pytest.FixtureRequest) -> Callable[[Callable[[Subject], Awaitable[None]]], None]:
    """Runs a test's coroutine with a provider."""
    # real models are looked up outside the loop
    get = {name: request.getfixturevalue(name) for name in ("gguf", "served") if request.param in (local, openai)}

    def run(check: Callable[[Subject], Awaitable[None]]) -> None:
        async def main() -> None:
            async with request.param(get.__getitem__) as subject:
                await check(subject)

        asyncio.run(main())

    return run


def test_a_reply_has_text_and_the_same_request_gives_it_again(held):
    async def check(subject):
        replies = [await subject.provider.send(asked(QUESTIONS[0]), Scope()) for _ in range(3)]
        assert replies[0].text.strip()
        assert len({reply.text for reply in replies}) == 1

    held(check)


def test_the_deltas_of_a_call_are_its_text(held):
    async def check(subject):
        facts = []
        scope = Scope(facts.append, want_deltas=True, final=True, attempt=2)
        reply = await subject.provider.send(asked(QUESTIONS[0]), scope)
        assert all(isinstance(fact, Delta) for fact in facts)
        assert {(fact.attempt, fact.final, fact.what) for fact in facts} == {(2, True, "text")}
        assert "".join(fact.text for fact in facts) == reply.text
        assert reply.text == (await subject.provider.send(asked(QUESTIONS[0]), Scope())).text

    held(check)


def test_nothing_is_emitted_where_no_deltas_are_wanted(held):
    async def check(subject):
        facts = []
        await subject.provider.send(asked(QUESTIONS[0]), Scope(facts.append))
        assert facts == []

    held(check)


def test_calls_at_once_do_not_mix(held):
    async def check(subject):
        alone = [(await subject.provider.send(asked(question), Scope())).text for question in QUESTIONS]
        together = await asyncio.gather(
            *(subject.provider.send(asked(question), Scope()) for question in QUESTIONS * 3)
        )
        assert [reply.text for reply in together] == alone * 3

    held(check)


def test_a_cancelled_call_ends_as_cancelled_and_leaves_the_provider_usable(held):
    async def check(subject):
        task = asyncio.create_task(subject.provider.send(asked(QUESTIONS[0]), Scope()))
        await asyncio.sleep(0)
        task.cancel("stop now")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await subject.provider.send(asked(QUESTIONS[0]), Scope())).text

    held(check)


def test_what_cannot_be_answered_is_an_error_that_names_its_provider(held):
    async def check(subject):
        for want_deltas in (False, True):
            with pytest.raises(subject.error) as caught:
                await subject.provider.send(subject.hopeless, Scope(want_deltas=want_deltas))
            assert caught.value.provider
            assert not caught.value.retryable
            assert "\n" not in str(caught.value)

    held(check)
