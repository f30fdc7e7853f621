"""So many models at a time on a small machine, on a virtual clock."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

import pytest

from clock import run
from moa.core.errors import TimedOut
from moa.core.ports import Scope
from moa.core.types import Call, Reply, Request, user
from moa.wrap.turns import Machine, Turns


class Server:
    """A machine that loads a model when another is asked for, and fails where more are asked at once than it holds."""

    def __init__(self, models: int = 1) -> None:
        self.models = models
        self.started: list[str] = []
        self.running: list[str] = []
        self.most = 0

    async def send(self, request: Request, scope: Scope) -> Reply:
        model = request.call.model
        assert len({model, *self.running}) <= self.models, "too many models at once"
        self.started.append(f"{model} {request.call.sample}")
        self.running.append(model)
        self.most = max(self.most, len(self.running))
        try:
            await asyncio.sleep(1.0)
        finally:
            self.running.remove(model)
        return Reply(model)


def requests(*models: str) -> list[Request]:
    calls = [Call(model, (user("hi"),), sample=number) for number, model in enumerate(models)]
    return [Request(call, call.conversation) for call in calls]


def test_calls_of_one_model_run_together_and_models_one_after_the_other() -> None:
    server = Server()

    async def main() -> float:
        turns = Turns(server, Machine(at_once=2))
        await asyncio.gather(*(turns.send(request, Scope()) for request in requests(*"abcabcabc")))
        return asyncio.get_running_loop().time()

    assert run(main()) == 6.0
    assert [model for model, _ in groupby(name.split()[0] for name in server.started)] == ["a", "b", "c"]
    assert server.most == 2
    for model in "abc":
        mine = [int(name.split()[1]) for name in server.started if name.startswith(model)]
        assert mine == sorted(mine)


def test_as_many_models_run_at_once_as_the_machine_holds_each_with_all_its_places_taken_before_the_next_comes() -> None:
    server = Server(models=2)

    async def main() -> float:
        turns = Turns(server, Machine(at_once=3, most_in_a_row=3, models=2))
        await asyncio.gather(*(turns.send(request, Scope()) for request in requests(*"abcdabcdabcda")))
        return asyncio.get_running_loop().time()

    assert run(main()) == 3.0
    started = [name.split()[0] for name in server.started]
    assert (sorted(started[:6]), sorted(started[6:12]), started[12:]) == (list("aaabbb"), list("cccddd"), ["a"])
    assert server.most == 6


def test_a_model_that_never_pauses_does_not_keep_the_others_out() -> None:
    server = Server()

    async def main() -> float:
        turns = Turns(server, Machine(at_once=1, most_in_a_row=5))
        greedy = [asyncio.create_task(turns.send(request, Scope())) for request in requests(*"a" * 50)]
        await asyncio.sleep(0.5)
        await turns.send(requests("b")[0], Scope())
        when = asyncio.get_running_loop().time()
        await asyncio.gather(*greedy)
        return when

    assert run(main()) == 6.0


def test_who_gives_up_or_is_out_of_time_takes_no_turn() -> None:
    server = Server()

    async def main() -> list[Any]:
        turns = Turns(server, Machine(at_once=1))
        first, second, third = (asyncio.create_task(turns.send(request, Scope())) for request in requests(*"abc"))
        late = asyncio.create_task(turns.send(requests("d")[0], Scope(deadline=0.5)))
        await asyncio.sleep(0.7)
        second.cancel()
        return await asyncio.gather(first, second, third, late, return_exceptions=True)

    first, second, third, late = run(main())
    assert (first.text, third.text) == ("a", "c")
    assert isinstance(second, asyncio.CancelledError)
    assert isinstance(late, TimedOut)
    assert not late.sent
    assert server.started == ["a 0", "c 2"]


@pytest.mark.parametrize("models", [1, 2])
@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_cancelled_the_machine_is_free_in_the_end(seed: int, models: int) -> None:
    import random

    rng, server = random.Random(seed), Server(models)
    machine = Machine(at_once=2, most_in_a_row=3, models=models)

    async def main() -> None:
        turns = Turns(server, machine)
        tasks = [
            asyncio.create_task(turns.send(request, Scope(deadline=rng.choice((None, rng.random() * 9)))))
            for request in requests(*(rng.choice("abc") for _ in range(30)))
        ]
        for task in rng.sample(tasks, 10):
            asyncio.get_running_loop().call_later(rng.random() * 8, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)

    run(main())
    assert (machine.held, list(machine.waiting), server.running) == ({}, [], [])


class Blocking:
    """Ends as the event loop is kept from its timers for a while: what was due meanwhile comes all at once."""

    async def send(self, request: Request, scope: Scope) -> Reply:
        loop = asyncio.get_running_loop()
        done, at = loop.create_future(), loop.time() + 0.01
        loop.call_at(at, done.set_result, None)
        loop.call_at(at, time.sleep, 0.05)
        await done
        return Reply("done")


def test_a_turn_that_comes_as_its_deadline_passes_is_given_on() -> None:
    machine = Machine(at_once=1)

    async def main() -> list[Any]:
        turns, (first, late) = Turns(Blocking(), machine), requests(*"ab")
        soon = asyncio.get_running_loop().time() + 0.03
        sent = (turns.send(first, Scope()), turns.send(late, Scope(deadline=soon)))
        return await asyncio.gather(*sent, return_exceptions=True)

    _, late = asyncio.run(main())
    assert isinstance(late, TimedOut)
    assert machine.held == {}


def test_who_gets_a_turn_goes_out() -> None:
    out: list[bool] = []
    run(Turns(Server(), Machine()).send(requests("a")[0], Scope(sent=lambda: out.append(True))))
    assert out == [True]


def test_threads_with_event_loops_of_their_own_share_the_machine() -> None:
    """As `ask_sync` in a thread pool does: a turn is told to the loop that waits for it."""
    machine, running, most, lock = Machine(at_once=2), [], [0], threading.Lock()

    class Quick:
        async def send(self, request: Request, scope: Scope) -> Reply:
            with lock:
                running.append(request.call.model)
                assert len(set(running)) == 1, "two models at once"
                most[0] = max(most[0], len(running))
            await asyncio.sleep(0.001)
            with lock:
                running.remove(request.call.model)
            return Reply("ok")

    async def main() -> int:
        replies = await asyncio.gather(
            *(Turns(Quick(), machine).send(request, Scope()) for request in requests(*"abcab"))
        )
        return len(replies)

    with ThreadPoolExecutor(3) as pool:
        done = [pool.submit(asyncio.run, main()) for _ in range(9)]
        assert [one.result(timeout=30) for one in done] == [5] * 9
    assert (machine.held, list(machine.waiting), most) == ({}, [], [2])
