"""When a model is not asked, on a virtual clock."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from clock import run
from moa.core.errors import AuthFailed, BadRequest, OutOfCredit, Overloaded, ProviderError, RateLimited
from moa.core.events import Noted
from moa.core.ports import Scope
from moa.core.types import Call, Request, user
from moa.providers.fake import Fake, Script
from moa.wrap.circuit import LONG_REST, Circuit

CALL = Call("fake:a", (user("hi"),))
REQUEST = Request(CALL, CALL.conversation)


class Asked:
    """A circuit before a scripted provider, and when each call went out."""

    def __init__(self, script: Any, **rules: Any) -> None:
        self.times: list[float] = []
        self.facts: list[Any] = []

        def line(request: Request) -> Any:
            now = asyncio.get_running_loop().time()
            self.times.append(now)
            return script(now) if callable(script) else script

        self.circuit = Circuit(Fake(line), **rules)

    async def send(self, **scope: Any) -> str:
        """What came back: a text, or the name of an error."""
        try:
            return (await self.circuit.send(REQUEST, Scope(self.facts.append, **scope))).text
        except ProviderError as error:
            return error.kind if error.sent else f"not sent: {error.kind}"


def test_it_opens_after_failures_in_a_row_probes_once_an_interval_and_closes() -> None:
    async def main() -> tuple[Asked, list[str]]:
        asked = Asked(lambda now: Overloaded("down") if now < 60 else "up", after=3, rest=10.0)
        outcomes = []
        for _ in range(100):
            outcomes.append(await asked.send())
            await asyncio.sleep(1.0)
        return asked, outcomes

    asked, outcomes = run(main())
    assert outcomes[:4] == ["Overloaded"] * 3 + ["not sent: Overloaded"]
    assert asked.times[:9] == [0.0, 1.0, 2.0, 12.0, 22.0, 32.0, 42.0, 52.0, 62.0]
    assert outcomes[62:] == ["up"] * 38
    assert [fact.reason for fact in asked.facts if isinstance(fact, Noted)] == ["circuit", "circuit"]


def test_only_one_probe_at_a_time_is_let_through() -> None:
    async def main() -> list[str]:
        asked = Asked(lambda now: Overloaded("down") if now < 5 else Script("up", delay=3.0), after=1, rest=10.0)
        await asked.send()
        await asyncio.sleep(10.0)
        return list(await asyncio.gather(*(asked.send() for _ in range(8))))

    assert sorted(run(main())) == ["not sent: Overloaded"] * 7 + ["up"]


def test_a_probe_that_is_cancelled_frees_its_place() -> None:
    async def main() -> str:
        asked = Asked(lambda now: Overloaded("down") if now < 5 else Script("up", delay=3.0), after=1, rest=10.0)
        await asked.send()
        await asyncio.sleep(10.0)
        probe = asyncio.create_task(asked.send())
        await asyncio.sleep(1.0)
        probe.cancel()
        await asyncio.wait((probe,))
        return await asked.send()

    assert run(main()) == "up"


@pytest.mark.parametrize("after", [None, 2.0])
def test_a_probe_that_is_told_to_slow_down_shuts_the_gate_for_another_interval(after: float | None) -> None:
    """F08: at most one probe an interval, whatever it is answered."""
    slow = RateLimited("slow down", retry_after=after)

    async def main() -> list[float]:
        asked = Asked(lambda now: Overloaded("down") if now == 0 else slow if now < 60 else "up", after=1, rest=10.0)
        for _ in range(70):
            await asked.send()
            await asyncio.sleep(1.0)
        return asked.times

    assert run(main())[:8] == [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 61.0]


def test_a_probe_told_to_wait_longer_than_the_interval_is_followed_by_none_before_that() -> None:
    async def main() -> list[float]:
        slow = RateLimited("slow down", retry_after=25.0)
        asked = Asked(lambda now: Overloaded("down") if now == 0 else slow, after=1, rest=10.0)
        for _ in range(50):
            await asked.send(spare=True)
            await asyncio.sleep(1.0)
        return asked.times

    assert run(main()) == [0.0, 10.0, 35.0]


def test_what_was_still_under_way_does_not_shorten_the_rest_of_a_model_without_credit() -> None:
    async def main() -> tuple[str, list[float]]:
        asked = Asked(lambda now: OutOfCredit("empty") if now else Script(failure=Overloaded("down"), delay=5.0))
        straggler = asyncio.create_task(asked.send())
        await asyncio.sleep(1.0)
        await asked.send()
        await straggler
        await asyncio.sleep(LONG_REST / 2)
        return await asked.send(), asked.times

    assert run(main()) == ("not sent: OutOfCredit", [0.0, 1.0])


def test_nobody_waits_for_a_pause_behind_which_nothing_would_be_sent() -> None:
    async def main() -> tuple[str, float]:
        asked = Asked(
            lambda now: (
                RateLimited("slow down", retry_after=20.0) if now else Script(failure=OutOfCredit("empty"), delay=5.0)
            )
        )
        straggler = asyncio.create_task(asked.send())
        await asyncio.sleep(1.0)
        await asked.send()
        await straggler
        return await asked.send(), asyncio.get_running_loop().time()

    assert run(main()) == ("not sent: OutOfCredit", 5.0)


def test_a_success_between_failures_starts_the_count_anew() -> None:
    async def main() -> list[str]:
        asked = Asked(lambda now: "up" if now % 3 == 2 else Overloaded("down"), after=3)
        outcomes = []
        for _ in range(30):
            outcomes.append(await asked.send())
            await asyncio.sleep(1.0)
        return outcomes

    assert not [outcome for outcome in run(main()) if outcome.startswith("not sent")]


def test_the_requests_own_fault_says_nothing_about_the_model() -> None:
    async def main() -> list[str]:
        asked = Asked(BadRequest("no"), after=1)
        return [await asked.send() for _ in range(5)]

    assert run(main()) == ["BadRequest"] * 5


@pytest.mark.parametrize("error", [OutOfCredit("empty"), AuthFailed("no such key")])
def test_without_credit_or_key_it_opens_at_once_and_for_long(error: ProviderError) -> None:
    async def main() -> tuple[list[str], list[float]]:
        asked = Asked(error)
        outcomes = [await asked.send()]
        await asyncio.sleep(LONG_REST - 1)
        outcomes.append(await asked.send())
        await asyncio.sleep(2)
        outcomes.append(await asked.send())
        return outcomes, asked.times

    outcomes, times = run(main())
    assert outcomes == [error.kind, f"not sent: {error.kind}", error.kind]
    assert times == [0.0, LONG_REST + 1]


def test_a_provider_that_asks_to_wait_is_left_alone_for_so_long() -> None:
    """F05."""

    async def main() -> tuple[list[str], list[float], float]:
        asked = Asked(lambda now: RateLimited("slow down", retry_after=2.0) if now == 0 else "up")
        outcomes = [await asked.send()]
        outcomes.append(await asked.send(spare=True))  # somebody else can answer: nobody waits
        outcomes += await asyncio.gather(*(asked.send() for _ in range(3)))
        return outcomes, asked.times, asyncio.get_running_loop().time()

    outcomes, times, when = run(main())
    assert outcomes == ["RateLimited", "not sent: RateLimited", "up", "up", "up"]
    assert (times, when) == ([0.0, 2.0, 2.0, 2.0], 2.0)


def test_nobody_waits_to_the_deadline() -> None:
    async def main() -> tuple[str, float]:
        asked = Asked(RateLimited("slow down", retry_after=20.0))
        await asked.send()
        return await asked.send(deadline=10.0), asyncio.get_running_loop().time()

    assert run(main()) == ("not sent: RateLimited", 0.0)


def test_models_have_gates_of_their_own() -> None:
    async def main() -> str:
        asked = Asked(Overloaded("down"), after=1)
        await asked.send()
        other = Request(Call("fake:b", CALL.conversation), CALL.conversation)
        asked.circuit.inner.scripts = {"b": "up"}  # type: ignore[attr-defined]
        return (await asked.circuit.send(other, Scope())).text

    assert run(main()) == "up"
