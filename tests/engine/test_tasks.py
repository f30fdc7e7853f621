"""The tasks of a run: the first that raises ends all, in their order; whoever waits for them is cancelled for nothing else."""

from __future__ import annotations

import asyncio

import pytest

from clock import run
from moa.engine.tasks import RUN_ENDED, Tasks


async def _sleeps(number: int, ended: list[int]) -> None:
    try:
        await asyncio.sleep(60.0)
    except asyncio.CancelledError as stop:
        ended.append(number if str(stop) == RUN_ENDED else -1)
        raise


async def _breaks(seconds: float) -> None:
    await asyncio.sleep(seconds)
    raise ZeroDivisionError


def test_the_first_that_raises_ends_all_in_the_order_they_were_started() -> None:
    ended = list[int]()

    async def body() -> None:
        async with Tasks() as tasks:
            for number in range(100):
                tasks.start(_sleeps(number, ended))
            tasks.start(_breaks(1.0))
            await asyncio.sleep(30.0)

    async def main() -> tuple[float, int]:
        with pytest.raises(ZeroDivisionError):
            await body()
        task = asyncio.current_task()
        assert task is not None
        return asyncio.get_running_loop().time(), task.cancelling()

    assert run(main()) == (1.0, 0)
    assert ended == list(range(100))


def test_leaving_ends_all_in_order_and_one_that_breaks_at_its_end_is_told() -> None:
    ended = list[int]()

    async def breaks_at_its_end() -> None:
        try:
            await asyncio.sleep(60.0)
        finally:
            await asyncio.sleep(1.0)
            raise KeyError("late")

    async def body() -> None:
        async with Tasks() as tasks:
            for number in range(50):
                tasks.start(_sleeps(number, ended))
            tasks.start(breaks_at_its_end())
            await asyncio.sleep(0)

    with pytest.raises(KeyError, match="late"):
        run(body())
    assert ended == list(range(50))


@pytest.mark.parametrize("times", [1, 2])
def test_who_is_cancelled_waits_for_the_end_of_all_and_stays_cancelled(times: int) -> None:
    cleaned = list[str]()

    async def slow_to_end() -> None:
        try:
            await asyncio.sleep(60.0)
        finally:
            try:
                await asyncio.sleep(2.0)
                cleaned.append("whole")
            except asyncio.CancelledError:
                cleaned.append("cut")
                raise

    async def body() -> None:
        async with Tasks() as tasks:
            tasks.start(slow_to_end())
            await asyncio.sleep(60.0)

    async def main() -> float:
        task = asyncio.create_task(body())
        for _ in range(times):
            await asyncio.sleep(1.0)
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return asyncio.get_running_loop().time()

    assert run(main()) == (3.0 if times == 1 else 2.0)
    assert cleaned == ["whole" if times == 1 else "cut"]


def test_an_error_of_the_body_comes_out_bare_and_tasks_that_are_done_are_forgotten() -> None:
    async def body() -> None:
        async with Tasks() as tasks:
            assert await tasks.start(asyncio.sleep(1.0, "done")) == "done"
            assert len(tasks) == 0
            raise LookupError

    with pytest.raises(LookupError):
        run(body())
