"""What all contenders share: the job they are handed, and how it is measured. Standard library only.

A contender is a process. It reads one JSON job per line from standard input, opens its clients, asks `warm_up`
mixtures and then `count` measured ones, one after the other, and prints one JSON line: the latency of each (seconds),
and the CPU time of the whole process and all its threads (user and system, by getrusage) for all measured ones
together. What it still owes when the last answer is there, such as rows to a store, is `settled` inside the measured
time.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Job:
    """`layers` layers of `width` proposers and an aggregator; where `streamed`, the aggregator's answer is.

    `faulty` is the model of the first proposer of each layer, `last` that of the aggregator, where they differ from the others.
    `quorum`: moa closes a layer when all but one have replied. With `patience` (seconds for each answer) it is only counted
    how many questions were answered.
    """

    base_url: str
    folder: str
    layers: int
    width: int
    model: str
    words: int
    streamed: bool
    warm_up: int
    count: int
    faulty: str = ""
    last: str = ""
    patience: float = 0.0
    quorum: bool = False
    question: str = "Which of the rivers of Europe carries the most water to the sea, and how much is it in a year?"

    def proposer(self, number: int) -> str:
        """The model of a proposer."""
        return self.faulty if self.faulty and number == 0 else self.model

    @property
    def aggregator(self) -> str:
        """The aggregator's model."""
        return self.last or self.model


@dataclass(frozen=True)
class Contender:
    """What is measured: `ask` answers the job's question by one mixture, `settled` finishes what is left to do."""

    ask: Callable[[], Awaitable[str]]
    settled: Callable[[], None] = lambda: None


def prompt(question: str, references: Sequence[str]) -> str:
    """The user's turn of a later layer or the aggregator: the question, and every proposal in full."""
    if not references:
        return question
    shown = "".join(f"\n\n[response {number}]\n{text}" for number, text in enumerate(references, 1))
    return (
        f"{question}\n\nOther models have answered the request above. Their responses follow; judge them critically, "
        f"since some may be wrong, and write the single best answer.{shown}"
    )


def serve(opened: Callable[[Job], AbstractAsyncContextManager[Contender]]) -> None:
    """Do the jobs that come in, until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not mix with our lines
    print(json.dumps({"ready": True}), file=answers, flush=True)
    with asyncio.Runner() as runner:  # one event loop for all jobs: some libraries keep clients for ever
        for line in sys.stdin:
            result = runner.run(_done(Job(**json.loads(line)), opened))
            print(json.dumps(result), file=answers, flush=True)


async def _done(job: Job, opened: Callable[[Job], AbstractAsyncContextManager[Contender]]) -> dict[str, Any]:
    async with opened(job) as contender:
        if job.patience:
            return await _answered(job, contender)
        for _ in range(job.warm_up):
            _check(await contender.ask(), job)
        contender.settled()
        gc.collect()
        before, seconds = _cpu(), []
        for _ in range(job.count):
            started = time.perf_counter()
            answer = await contender.ask()
            seconds.append(time.perf_counter() - started)
            _check(answer, job)
        contender.settled()
        return {"seconds": seconds, "cpu": _cpu() - before}


async def _answered(job: Job, contender: Contender) -> dict[str, Any]:
    """How many of the questions were answered as a whole answer, and the seconds each took, answered or not."""
    answered, seconds, problems = 0, [], []
    for _ in range(job.warm_up + job.count):
        started = time.perf_counter()
        try:
            async with asyncio.timeout(job.patience):
                answered += len((await contender.ask()).split()) == job.words
        except Exception as error:  # noqa: BLE001 - a peer may raise anything
            problems.append(f"{type(error).__name__}: {error}"[:200])
        seconds.append(time.perf_counter() - started)
    contender.settled()
    return {"answered": answered, "asked": len(seconds), "seconds": seconds[job.warm_up :], "problems": problems[:3]}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _check(answer: str, job: Job) -> None:
    if len(answer.split()) != job.words:
        raise RuntimeError(f"an answer of {job.words} words was due, {len(answer.split())} came")
