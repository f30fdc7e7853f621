"""How long an answer is kept for its Idempotency-Key, and what of it is sent again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from served import served

from moa.server import idempotent
from moa.server.idempotent import AROUND, KEPT_SECONDS, Idempotency


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


async def sent(message: Any) -> None:
    """Nobody listens."""


def carried_out(once: Idempotency, who: str, key: str, size: int = 10) -> bool:
    """Ask once with this key; whether it was carried out, and not answered from what is kept."""

    async def ask() -> bool:
        async with once.once(who, "/v1/messages", key, b"{}") as taken:
            if taken.done:
                return False
            send = taken.sending(sent)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"x" * size})
            taken.lasts = True
            return True

    return asyncio.run(ask())


def test_no_client_makes_the_server_forget_the_answers_of_another() -> None:
    once = Idempotency(Clock())
    assert carried_out(once, "one", "mine")
    assert all(carried_out(once, "two", f"key-{n}") for n in range(3000))
    assert not carried_out(once, "one", "mine")
    assert not carried_out(once, "two", "key-0")


def test_of_one_client_the_oldest_answers_are_forgotten_where_all_are_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotent, "MOST_OF_ONE", 3 * (1000 + AROUND))
    once = Idempotency(Clock())
    assert all(carried_out(once, "one", f"key-{n}", 1000) for n in range(4))
    assert carried_out(once, "two", "key-0")
    assert not any(carried_out(once, "one", f"key-{n}", 1000) for n in (1, 2, 3))
    assert carried_out(once, "one", "key-0", 1000)


def test_after_a_day_an_answer_is_forgotten_and_so_is_who_asked() -> None:
    clock = Clock()
    once = Idempotency(clock)
    assert carried_out(once, "one", "key")
    clock.now = KEPT_SECONDS - 1
    assert not carried_out(once, "one", "key")
    clock.now = KEPT_SECONDS + 1
    assert carried_out(once, "two", "key")
    assert [*once._senders] == ["two"]


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_sent_again_has_every_header_and_the_id_of_its_request(path: str, stream: bool) -> None:
    body = {"model": "moa/review", "max_tokens": 99, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
    with served() as server:
        first, second = (server.ask("POST", path, body, idempotency_key="k") for _ in range(2))
    assert first.body == second.body
    assert first.headers.keys() == second.headers.keys()
    assert second.headers["request-id"] == second.headers["x-request-id"] != first.headers["request-id"]
