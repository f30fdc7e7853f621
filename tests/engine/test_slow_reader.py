"""Whoever watches a run and reads slowly: what waits for it stays small (F22), and no long piece is taken for slowness."""

from __future__ import annotations

import asyncio
from functools import partial

from clock import run as on_virtual_clock
from moa.core.agents import Agent
from moa.core.events import Delta, Event, RunFinished
from moa.core.types import user
from moa.engine.watch import PIECE, Order, watch
from moa.flows.alone import alone
from moa.providers.fake import Fake, Script

WORDS = 10_000


def order(script: Script) -> Order:
    flow = partial(alone, member=Agent("fake:a"))
    return Order(flow, (user("What is 2 + 2?"),), Fake({"a": script}), deltas="final")


def pieces_after(seconds: float) -> tuple[list[str], int]:
    """The pieces of a long answer to who begins to read so late, and how many events waited for it."""

    async def main() -> tuple[list[str], int]:
        async with watch(order(Script("word " * WORDS, interval=0.001))) as watching:
            await asyncio.sleep(seconds)
            waiting = len(watching._events)
            return [event.fact.text async for event in watching if isinstance(event.fact, Delta)], waiting

    return on_virtual_clock(main())


def test_the_answer_comes_word_by_word_to_who_reads_and_in_larger_pieces_to_who_is_behind() -> None:
    """A word by itself takes up fifty times its length."""
    there, _ = pieces_after(0.01)
    behind, waiting = pieces_after(1000.0)
    assert "".join(behind) == "".join(there) == "word " * WORDS
    assert len(there) == WORDS
    assert waiting < 100
    assert max(map(len, behind)) < PIECE + 10


def test_one_long_piece_ends_no_run() -> None:
    async def main() -> Event:
        async with watch(order(Script("x" * 300_000))) as watching:
            return [event async for event in watching][-1]

    assert isinstance(on_virtual_clock(main()).fact, RunFinished)
