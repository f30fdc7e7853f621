"""What the models that ship know: each alone, voting, any of four, and the mixture `builtin`, by skill, and with a bad member.

Every question goes through the real engine (`Mixture.from_config("builtin")`): a proposer's column is what it said in those
very runs; the aggregator alone answers without references. An answer counts where it equals the known one after the normalisation
that `vote` uses. Questions are held-out ones of `training/world`, a third in phrasings that training never showed; or your own
(`--questions FILE`, lines of JSON with "question", "answer" and, if you like, "skill").

A bad member takes the place of each proposer in turn. What no selector can avoid is lost where the one it replaces was the only
one right; both losses are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks._report import Figure, arguments, report, tell
from benchmarks._standins import Player, Spoil, lie, victims
from training.world import Question, questions, sample
from training.world.beyond import HONEST

from moa import Agent, Mixture
from moa.core.errors import NotEnoughReplies
from moa.core.types import Reply
from moa.flows.answers import answer_of
from moa.flows.vote import plurality

AT_ONCE = 8
PROPOSERS = ("p1", "p2", "p3", "p4")
COLUMNS = (*PROPOSERS, "alone", "vote", "any", "mixture")
AGGREGATOR = Agent("builtin:aggregator", name="aggregator", framing="quoted", temperature=0.0, max_tokens=160)
BEYOND, FOREIGN, RESAMPLES = "beyond", 200, 1000
SLOW = 3.0
"""Seconds that the slow member takes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question with what every member said; the key is the column of the table."""

    question: Question
    said: Mapping[str, str]

    def right(self, column: str) -> bool:
        """Whether a column's answer is the known one ("any": whether some proposer's is)."""
        if column == "any":
            return any(self.right(name) for name in PROPOSERS)
        return answer_of(self.said.get(column, "")) == answer_of(self.question.answer)


async def ask(question: Question, mixture: Mixture, alone: Mixture, places: asyncio.Semaphore) -> Asked:
    """Put one question to the mixture and to the aggregator alone; who has no answer is wrong."""
    async with places:
        answer = await mixture.ask(question.text)
        try:
            single = (await alone.ask(question.text)).text
        except NotEnoughReplies:  # cut at its token limit
            single = ""
    said = {call.agent: call.text for call in answer.view.calls if call.agent in PROPOSERS and call.state == "done"}
    return Asked(question, said | {"vote": voted(said, question.text), "mixture": answer.text, "alone": single})


def voted(said: Mapping[str, str], question: str) -> str:
    """The answer most proposers gave; chance among equals, the same in every run."""
    replies = [Reply(said[name]) for name in PROPOSERS if name in said]
    random.Random(question).shuffle(replies)
    return plurality(tuple(replies)).text if replies else ""


async def ask_all(asked: Sequence[Question]) -> tuple[list[Asked], float]:
    """All questions, AT_ONCE at a time; and mixtures per second of a second, timed pass over some of them."""
    flags = {"store": {"keep": False}}
    async with (
        Mixture.from_config("builtin", flags=flags) as mixture,
        Mixture([[AGGREGATOR]], combine="vote") as alone,
    ):
        places = asyncio.Semaphore(AT_ONCE)
        results = await asyncio.gather(*(ask(question, mixture, alone, places) for question in asked))
        some = asked[:: max(1, len(asked) // 200)]
        started = time.perf_counter()
        await asyncio.gather(*(_one(mixture, question, places) for question in some))
        return list(results), len(some) / (time.perf_counter() - started)


async def _one(mixture: Mixture, question: Question, places: asyncio.Semaphore) -> None:
    async with places:
        await mixture.ask(question.text)


async def play(
    results: Sequence[Asked], player: Player, members: Sequence[str] = PROPOSERS, layers: int = 1
) -> list[Asked]:
    """The same questions with the proposers played; layers of real proposers follow where more than one is asked for."""
    first = [Agent(f"played:{name}", name=name) for name in members]
    later = [[Agent(f"builtin:{name}", framing="quoted", temperature=0.0, max_tokens=160) for name in members]]
    need = max(1, len(members) - 1)
    mixture = Mixture(
        [first, *later * (layers - 1)], AGGREGATOR, providers={"played": player}, need=need, grace=0.05
    )  # fmt: skip

    async def one(result: Asked, places: asyncio.Semaphore) -> Asked:
        async with places:
            try:
                text = (await mixture.ask(result.question.text)).text
            except NotEnoughReplies:
                text = ""
        return replace(result, said={**result.said, "mixture": text})

    async with mixture:
        places = asyncio.Semaphore(AT_ONCE)
        return list(await asyncio.gather(*(one(result, places) for result in results)))


def bad_members(results: Sequence[Asked]) -> dict[str, Player]:
    """A player for each kind of bad member, in place of each proposer in turn."""
    rng = random.Random(0)
    said = {result.question.text: result.said for result in results}
    hit = victims([result.question.text for result in results], PROPOSERS)
    alike: dict[str, list[Asked]] = {}
    for result in results:
        alike.setdefault(result.question.skill, []).append(result)
    lies = {r.question.text: lie(r.said.get(hit[r.question.text], ""), r.question.answer, rng) for r in results}
    random_ = {r.question.text: rng.choice(results).said.get(hit[r.question.text], "") for r in results}
    near = {
        r.question.text: rng.choice(alike[r.question.skill]).said.get(hit[r.question.text], "") for r in results
    }  # fmt: skip
    bare = {text: "Answer:" + reply.rpartition("Answer:")[2] for text, reply in lies.items()}

    def spoilt(instead: Mapping[str, str | None]) -> Spoil:
        return lambda question, member: (
            instead.get(question) if member == hit[question] else said[question].get(member, "")
        )

    return {
        "liar": Player(spoilt(lies)),
        "random": Player(spoilt(random_)),
        "random, same skill": Player(spoilt(near)),
        "liar without working": Player(spoilt(bare)),
        "silent": Player(spoilt({})),
        "slow": Player(
            lambda question, member: said[question].get(member, ""),
            lambda question, member: SLOW if member == hit[question] else 0.0,
        ),
    }


def unavoidable(results: Sequence[Asked]) -> float:
    """Points lost by a perfect selector when each proposer in turn is no use."""
    hit = victims([result.question.text for result in results], PROPOSERS)
    left = [any(r.right(name) for name in PROPOSERS if name != hit[r.question.text]) for r in results]
    return share(results, "any") - 100 * mean(left)


def share(results: Sequence[Asked], column: str) -> float:
    """Per cent right."""
    return 100 * mean(result.right(column) for result in results) if results else float("nan")


def interval(figure: Callable[[Sequence[Asked]], float], results: Sequence[Asked]) -> tuple[float, float]:
    """The 95 % bootstrap interval of a figure over questions."""
    rng = random.Random(0)
    figures = sorted(figure(rng.choices(results, k=len(results))) for _ in range(RESAMPLES))
    return figures[int(0.025 * RESAMPLES)], figures[int(0.975 * RESAMPLES)]


def frozen(results: Sequence[Asked]) -> list[Asked]:
    """The same results with only right or wrong kept, so that resampling them is quick."""
    return [_Marked(r.question, {}, {column: r.right(column) for column in COLUMNS}) for r in results]


@dataclass(frozen=True, slots=True)
class _Marked(Asked):
    marks: Mapping[str, bool]

    def right(self, column: str) -> bool:
        return self.marks[column]


def best_single(results: Sequence[Asked]) -> float:
    """Per cent right of the best model by itself."""
    return max(share(results, column) for column in (*PROPOSERS, "alone"))


def best_by_skill(results: Sequence[Asked]) -> float:
    """Per cent right if each skill went to the proposer that is best at it."""
    skills = {result.question.skill for result in results}
    parts = [[result for result in results if result.question.skill == skill] for skill in skills]
    return sum(len(part) * max(share(part, name) for name in PROPOSERS) for part in parts) / len(results)


def rows_of(results: Sequence[Asked]) -> dict[str, list[Asked]]:
    """A row per skill, then seen and unseen phrasings, then all."""
    skills = dict.fromkeys(result.question.skill for result in results)
    rows = {skill: [result for result in results if result.question.skill == skill] for skill in skills}
    return rows | {
        "seen phrasings": [result for result in results if result.question.seen_phrasing],
        "unseen phrasings": [result for result in results if not result.question.seen_phrasing],
        "all": list(results),
    }


def table(results: Sequence[Asked]) -> str:
    """Per cent right of every column, by row."""
    lines = [f"{'per cent right':18}" + "".join(f"{column:>9}" for column in COLUMNS)]
    lines += [
        f"{name:18}" + "".join(f"{share(row, column):9.1f}" for column in COLUMNS)
        for name, row in rows_of(results).items()
    ]
    return "\n".join(lines)


def by_agreement(results: Sequence[Asked]) -> str:
    """Vote and mixture by how many proposers are right."""
    lines = [f"{'proposers right':18}{'of all':>9}{'vote':>9}{'mixture':>9}"]
    for number in range(len(PROPOSERS) + 1):
        row = [result for result in results if sum(result.right(name) for name in PROPOSERS) == number]
        size = 100 * len(row) / len(results)
        lines.append(f"{number:<18}{size:9.1f}{share(row, 'vote'):9.1f}{share(row, 'mixture'):9.1f}")
    return "\n".join(lines)


def cold_start() -> float:
    """Seconds of `moa ask` from a cold start to its end, in a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        started = time.perf_counter()
        command = [sys.executable, "-m", "moa", "ask", "-m", "builtin", "What is 347 + 85?"]
        subprocess.run(command, check=True, capture_output=True, env={"HOME": home, "PATH": "/usr/bin:/bin"}, cwd=home)
        return time.perf_counter() - started


def figures(results: Sequence[Asked], foreign: Sequence[Asked], rate: float, cold: float) -> list[Figure]:
    """The bars that concern answers, and time."""
    rows = rows_of(results)
    own = [result for result in results if result.question.answer != HONEST]
    shy = 100 * mean(result.said["mixture"].strip() == HONEST for result in own)
    gap = share(rows["seen phrasings"], "mixture") - share(rows["unseen phrasings"], "mixture")
    mixture = share(results, "mixture")
    return [
        Figure("mixture.above_best_single.points", mixture - best_single(results), 20, ">="),
        Figure("mixture.above_vote.points", mixture - share(results, "vote"), 3, ">="),
        Figure("mixture.unseen_below_seen.points", gap, 10),
        Figure("beyond.honest.percent", share(foreign, "mixture"), 95, ">="),
        Figure("own.called_beyond.percent", shy, 2),
        Figure("mixtures_per_second", rate, 40, ">="),
        Figure("cold_start.seconds", cold, 2),
    ]


async def with_bad_members(args: argparse.Namespace, results: Sequence[Asked]) -> list[Figure]:
    """Print what each bad member costs, what two layers and empty references do; return the bars that concern them."""
    mixture, lost = share(results, "mixture"), unavoidable(results)
    tell(
        args, f"\n{'one proposer is':24}{'mixture':>9}{'95 % interval':>18}{'loss':>7}{'unavoidable':>13}{'seconds':>9}"
    )
    found = []
    for name, player in bad_members(results).items():
        started = time.perf_counter()
        played = await play(results, player)
        each = (time.perf_counter() - started) * AT_ONCE / len(results)
        low, high = interval(lambda some: share(some, "mixture"), frozen(played))
        loss = mixture - share(played, "mixture")
        span = f"{low:.1f} to {high:.1f}"
        tell(args, f"{name:24}{share(played, 'mixture'):9.1f}{span:>18}{loss:7.1f}{lost:13.1f}{each:9.2f}")
        found.append(
            Figure(f"{name.replace(', ', '_').replace(' ', '_')}.loss_above_unavoidable.points", loss - lost, 3)
        )
    said = {result.question.text: result.said for result in results}
    second = await play(results, Player(lambda question, member: said[question].get(member, "")), layers=2)
    tell(args, f"two layers of proposers: {share(second, 'mixture'):.1f}")
    empty = await play(results, Player(lambda question, member: ""))
    tell(args, f"empty references: {share(empty, 'mixture'):.1f}, the aggregator alone: {share(results, 'alone'):.1f}")
    return found


def test_set(args: argparse.Namespace) -> tuple[list[Question], list[Question]]:
    """The questions, and prompts from beyond the small world."""
    if args.questions:
        rows = [json.loads(line) for line in args.questions.read_text(encoding="utf-8").splitlines() if line.strip()]
        own = [Question(row.get("skill", "own"), row["question"], row["answer"], (), False) for row in rows]
    else:
        own = questions(4 if args.quick else args.per_skill, args.seed)
    rng = random.Random(f"{args.seed} foreign")
    return own, [sample(rng, BEYOND, held_out=True) for _ in range(12 if args.quick else FOREIGN)]


def describe(args: argparse.Namespace, results: Sequence[Asked]) -> None:
    """Tables, and totals with their intervals."""
    tell(args, table(results))
    tell(args, "\n" + by_agreement(results) + "\n")
    marked = frozen(results)
    totals: dict[str, Callable[[Sequence[Asked]], float]] = {
        column: lambda some, column=column: share(some, column)  # type: ignore[misc]
        for column in COLUMNS
    }
    totals |= {
        "best proposer per skill": best_by_skill,
        "mixture above best single": lambda some: share(some, "mixture") - best_single(some),
        "mixture above vote": lambda some: share(some, "mixture") - share(some, "vote"),
    }
    for name, figure in totals.items():
        low, high = interval(figure, marked)
        tell(args, f"{name:26}{figure(marked):6.1f}   95 % of resamples: {low:.1f} to {high:.1f}")


def main() -> int:
    """Ask, print the tables, report."""
    parser = arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))  # type: ignore[union-attr]
    parser.add_argument("--per-skill", type=int, default=110, help="questions a skill")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--questions", type=Path, help="your own questions, as lines of JSON, instead of a seed's")
    parser.add_argument("--quick", action="store_true", help="four questions a skill: that it runs, not what it shows")
    args = parser.parse_args()
    asked, prompts = test_set(args)
    results, rate = asyncio.run(ask_all(asked))
    foreign, _ = asyncio.run(ask_all(prompts))
    tell(args, f"{len(results)} questions, seed {args.seed}")
    describe(args, results)
    bars = figures(results, foreign, rate, cold_start()) + asyncio.run(with_bad_members(args, results))
    details = {
        "questions": len(results),
        "seed": args.seed,
        "shares": {name: {column: share(row, column) for column in COLUMNS} for name, row in rows_of(results).items()},
    }
    return report(bars, args, details)


SEED = 20261122
"""Of the questions the figures of the card were measured on, once."""


if __name__ == "__main__":
    raise SystemExit(main())
