"""What the models that ship know: each alone, voting, any of four, and the mixture `builtin`, by skill.

Every question goes through the real engine (`Mixture.from_config("builtin")`), so a proposer's column is what it said in those very
runs; the aggregator alone answers without references. An answer counts where it equals the known one after the normalisation
that `vote` uses. Questions are held-out ones of `training/world`, a third of them in phrasings that training never showed.

The bars are those of the issue that makes these models good, so none is due yet.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks._report import Figure, arguments, report, tell
from training.world import Question, questions

from moa import Agent, Mixture
from moa.core.errors import NotEnoughReplies
from moa.core.types import Reply
from moa.flows.answers import answer_of
from moa.flows.vote import plurality

AT_ONCE = 8
PROPOSERS = ("p1", "p2", "p3", "p4")
BEYOND = "beyond"


@dataclass(frozen=True, slots=True)
class Asked:
    """One question with what every member said; the key is the column of the table."""

    question: Question
    said: dict[str, str]

    def right(self, column: str) -> bool:
        """Whether a column's answer is the known one ("any": whether some proposer's is)."""
        if column == "any":
            return any(self.right(name) for name in PROPOSERS)
        return answer_of(self.said.get(column, "")) == answer_of(self.question.answer)


COLUMNS = (*PROPOSERS, "alone", "vote", "any", "mixture")


async def ask(question: Question, mixture: Mixture, alone: Mixture, places: asyncio.Semaphore) -> Asked:
    """Put one question to the mixture and to the aggregator alone; who has no answer is wrong."""
    async with places:
        answer = await mixture.ask(question.text)
        try:
            single = (await alone.ask(question.text)).text
        except NotEnoughReplies:  # cut at its token limit
            single = ""
    said = {call.agent: call.text for call in answer.view.calls if call.agent in PROPOSERS and call.state == "done"}
    replies = tuple(Reply(said[name]) for name in PROPOSERS if name in said)
    voted = plurality(replies).text if replies else ""
    return Asked(question, said | {"vote": voted, "mixture": answer.text, "alone": single})


async def ask_all(asked: Sequence[Question]) -> tuple[list[Asked], float]:
    """All questions, AT_ONCE at a time; and mixtures per second of a second, timed pass over some of them."""
    alone_agent = Agent("builtin:aggregator", framing="quoted", temperature=0.0, max_tokens=160)
    flags = {"store": {"keep": False}}
    async with (
        Mixture.from_config("builtin", flags=flags) as mixture,
        Mixture([[alone_agent]], combine="vote") as alone,
    ):
        places = asyncio.Semaphore(AT_ONCE)
        results = await asyncio.gather(*(ask(question, mixture, alone, places) for question in asked))
        some = asked[:: max(1, len(asked) // 100)]
        started = time.perf_counter()
        await asyncio.gather(*(one(mixture, question, places) for question in some))
        return list(results), len(some) / (time.perf_counter() - started)


async def one(mixture: Mixture, question: Question, places: asyncio.Semaphore) -> None:
    """One mixture, timed by the caller."""
    async with places:
        await mixture.ask(question.text)


def share(results: Sequence[Asked], column: str) -> float:
    """Per cent right."""
    return 100 * mean(result.right(column) for result in results) if results else float("nan")


def interval(results: Sequence[Asked], column: str, resamples: int = 1000) -> tuple[float, float]:
    """The 95 % bootstrap interval of `share`."""
    rng, right = random.Random(0), [result.right(column) for result in results]
    shares = sorted(100 * mean(rng.choices(right, k=len(right))) for _ in range(resamples))
    return shares[int(0.025 * resamples)], shares[int(0.975 * resamples)]


def table(results: Sequence[Asked]) -> str:
    """A row per skill, then seen and unseen phrasings, then all."""
    rows: list[tuple[str, Callable[[Question], bool]]] = [
        (skill, lambda question, skill=skill: question.skill == skill)  # type: ignore[misc]
        for skill in dict.fromkeys(result.question.skill for result in results)
    ]
    rows += [
        ("seen phrasings", lambda question: question.seen_phrasing),
        ("unseen phrasings", lambda question: not question.seen_phrasing),
    ]
    rows += [("all", lambda question: True)]
    lines = [f"{'per cent right':18}" + "".join(f"{column:>9}" for column in COLUMNS)]
    for name, keep in rows:
        kept = [result for result in results if keep(result.question)]
        lines.append(f"{name:18}" + "".join(f"{share(kept, column):9.1f}" for column in COLUMNS))
    return "\n".join(lines)


def cold_start() -> float:
    """Seconds of `moa ask` from a cold start to its end, in a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        started = time.perf_counter()
        command = [sys.executable, "-m", "moa", "ask", "-m", "builtin", "What is 347 + 85?"]
        subprocess.run(command, check=True, capture_output=True, env={"HOME": home, "PATH": "/usr/bin:/bin"}, cwd=home)
        return time.perf_counter() - started


def figures(results: Sequence[Asked], rate: float, cold: float) -> list[Figure]:
    """The bars of the models' own page; none is due before they are made good."""
    world = [result for result in results if result.question.skill != BEYOND]
    foreign = [result for result in results if result.question.skill == BEYOND]
    seen = [result for result in world if result.question.seen_phrasing]
    unseen = [result for result in world if not result.question.seen_phrasing]
    best = max(share(results, column) for column in (*PROPOSERS, "alone"))
    honest = answer_of(foreign[0].question.answer) if foreign else ""
    shy = 100 * mean(answer_of(result.said["mixture"]) == honest for result in world)
    mixture = share(results, "mixture")
    return [
        Figure("mixture.above_best_single.points", mixture - best, 20, ">=", due=False),
        Figure("mixture.above_vote.points", mixture - share(results, "vote"), 3, ">=", due=False),
        Figure("mixture.unseen_below_seen.points", share(seen, "mixture") - share(unseen, "mixture"), 10, due=False),
        Figure("beyond.honest.percent", share(foreign, "mixture"), 95, ">=", due=False),
        Figure("own.called_beyond.percent", shy, 2, due=False),
        Figure("mixtures_per_second", rate, 40, ">=", due=False),
        Figure("cold_start.seconds", cold, 2, due=False),
    ]


def main() -> int:
    """Ask, print the table, report."""
    parser = arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))  # type: ignore[union-attr]
    parser.add_argument("--per-skill", type=int, default=110, help="questions a skill")
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--quick", action="store_true", help="four questions a skill: that it runs, not what it shows")
    args = parser.parse_args()
    asked = questions(4 if args.quick else args.per_skill, args.seed)
    results, rate = asyncio.run(ask_all(asked))
    tell(args, table(results))
    for column in COLUMNS:
        low, high = interval(results, column)
        tell(
            args,
            f"{column:8} {share(results, column):5.1f}  (95 % of resamples: {low:.1f} to {high:.1f}; {len(results)} questions)",
        )
    details = {
        "shares": {column: share(results, column) for column in COLUMNS},
        "questions": len(results),
        "seed": args.seed,
    }
    return report(figures(results, rate, cold_start()), args, details)


if __name__ == "__main__":
    raise SystemExit(main())
