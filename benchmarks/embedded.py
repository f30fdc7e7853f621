"""What the models that ship know: each alone, voting, any of four, and the mixture `builtin`, by skill, and with a bad member.

Every question goes through the real engine (`Mixture.from_config("builtin")`): a proposer's column is what it said in those
very runs; the aggregator alone answers without references. An answer counts where it equals the known one after the normalisation
that `vote` uses. Questions are held-out ones of `training/world`, a third in phrasings that training never showed; or your own
(`--questions FILE`, lines of JSON with "question", "answer" and, if you like, "skill"). `--spelled` puts the same questions in
capitals, small letters and so on.

A bad member takes the place of each proposer in turn. What no selector can avoid is lost where the one it replaces was the only
one right; both losses are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks._graded import (
    COLUMNS,
    PROPOSERS,
    Asked,
    Results,
    best_by_skill,
    best_single,
    by_agreement,
    by_wording,
    has_both_wordings,
    interval,
    rows_of,
    share,
    table,
    totals,
    unseen_gap,
    with_interval,
)  # fmt: skip
from benchmarks._report import Figure, arguments, report, tell
from benchmarks._speed import AT_ONCE, speed
from benchmarks._standins import Player, bad_members, said_by, victims
from training.references import twin
from training.world import Question, questions, sample
from training.world.beyond import HONEST
from training.world.dress import WAYS, respelled

from moa import Agent, Mixture
from moa.core.conversation import conversation_of
from moa.core.errors import ConfigError, NotEnoughReplies
from moa.core.types import Reply
from moa.flows.vote import plurality
from moa.providers.gguf import EMBEDDED

BEYOND, FOREIGN = "beyond", 200
DEADLINE = 2.0
"""Seconds that a mixture may take where a member is slow or silent."""
HARDER = ("random, same skill", "liar with new working")
"""Members whose answers look right: what they said to another question of the same kind, or to the same with one digit changed.
Shown; they have no bar of their own."""
SEED = 20261219
"""Of the questions on which the figures of the card were measured, once."""


def agent(name: str, folder: Path | None) -> Agent:
    """A model that ships, or the one of that name in another folder, as the preset `builtin` has it."""
    model = f"local:{(folder / name).absolute()}.gguf" if folder else f"builtin:{name}"
    return Agent(model, name=name, framing="quoted", temperature=0.0, max_tokens=160)


def shipped(folder: Path | None) -> Mixture:
    """The mixture `builtin`, or the same of the models in another folder."""
    if folder is None:
        return Mixture.from_config("builtin", flags={"store": {"keep": False}})
    return Mixture([[agent(name, folder) for name in PROPOSERS]], agent("aggregator", folder))


async def ask(question: Question, mixture: Mixture, alone: Mixture, places: asyncio.Semaphore) -> Asked:
    """Put one question to the mixture and to the aggregator alone; who has no answer is wrong."""
    async with places:
        try:
            answer = await mixture.ask(question.text)
        except NotEnoughReplies:  # too long for their context
            return Asked(question, {})
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


async def ask_all(asked: Sequence[Question], folder: Path | None) -> list[Asked]:
    """All questions, AT_ONCE at a time."""
    async with shipped(folder) as mixture, Mixture([[agent("aggregator", folder)]], combine="vote") as alone:
        places = asyncio.Semaphore(AT_ONCE)
        return list(await asyncio.gather(*(ask(question, mixture, alone, places) for question in asked)))


async def play(
    results: Results,
    player: Player,
    folder: Path | None,
    members: Sequence[str] = PROPOSERS,
    deadline: float | None = None,
    again: bool = False,
) -> list[Asked]:
    """The same questions with the proposers played; `again`: a second layer, of the real ones, reads them first."""
    layers = [[Agent(f"played:{name}", name=name) for name in members]]
    layers += [[agent(name, folder) for name in members]] * again
    need = len(members) - 1 if deadline else None  # with a deadline, nobody waits for the last one
    aggregator, own = agent("aggregator", folder), {"played": player}
    mixture = Mixture(layers, aggregator, providers=own, need=need, grace=0.05, deadline=deadline)

    async def one(result: Asked, places: asyncio.Semaphore) -> Asked:
        async with places:
            try:
                text = (await mixture.ask(result.question.text)).text
            except NotEnoughReplies:
                text = ""
        return replace(result, said={**result.said, "mixture": text}, marks={})

    async with mixture:
        places = asyncio.Semaphore(AT_ONCE)
        return list(await asyncio.gather(*(one(result, places) for result in results)))


def unavoidable(results: Results) -> float:
    """Points lost by a perfect selector when each proposer in turn is no use."""
    hit = victims([result.question.text for result in results], PROPOSERS)
    left = [any(r.right(name) for name in PROPOSERS if name != hit[r.question.text]) for r in results]
    return share(results, "any") - 100 * mean(left)


async def twins(results: Results, folder: Path | None) -> dict[str, str]:
    """By question with a digit in it, what the member that a bad one replaces says to its twin."""
    hit = victims([result.question.text for result in results], PROPOSERS)
    asked = {result.question.text: twin(result.question) for result in results}
    places = asyncio.Semaphore(AT_ONCE)

    async def one(mixture: Mixture, question: str, other: str) -> tuple[str, str]:
        async with places:
            try:
                return question, (await mixture.ask(other)).text
            except NotEnoughReplies:
                return question, ""

    async with AsyncExitStack() as stack:
        alone = {
            name: await stack.enter_async_context(Mixture([[agent(name, folder)]], combine="vote"))
            for name in PROPOSERS
        }
        return dict(
            await asyncio.gather(*(one(alone[hit[text]], text, other) for text, other in asked.items() if other))
        )


async def with_bad_members(args: argparse.Namespace, results: Results) -> list[Figure]:
    """Print what each bad member costs; return the bars that concern them."""
    mixture, lost = share(results, "mixture"), unavoidable(results)
    tell(args, f"\n{'one proposer is':24}{'mixture':>24}{'loss':>22}{'unavoidable':>13}{'seconds':>9}")
    found = []
    for name, player in bad_members(results, await twins(results, args.folder)).items():
        started = time.perf_counter()
        played = await play(results, player, args.folder, deadline=DEADLINE if name in ("silent", "slow") else None)
        each = (time.perf_counter() - started) * AT_ONCE / len(results)
        loss = mixture - share(played, "mixture")
        right = with_interval(lambda some: share(some, "mixture"), played)
        pairs = list(zip(results, played, strict=True))
        lost_points = with_interval(
            lambda some: share([a for a, _ in some], "mixture") - share([b for _, b in some], "mixture"), pairs
        )
        tell(args, f"{name:24}{right:>24}{lost_points:>22}{lost:13.1f}{each:9.2f}")
        figure = name.replace(", ", "_").replace(" ", "_")
        found.append(Figure(f"{figure}.loss_above_unavoidable.points", loss - lost, 3, due=name not in HARDER))
    return found


async def with_other_layers(args: argparse.Namespace, results: Results) -> dict[str, float]:
    """Print what two layers, and references that are empty, come to."""
    second = await play(results, Player(said_by(results)), args.folder, again=True)
    empty = await play(results, Player(lambda question, member: ""), args.folder)
    two, none = (with_interval(lambda some: share(some, "mixture"), played) for played in (second, empty))
    tell(args, f"\ntwo layers of proposers: {two}")
    tell(
        args,
        f"empty references: {none}; the aggregator alone: {with_interval(lambda some: share(some, 'alone'), results)}",
    )
    return {"two layers": share(second, "mixture"), "empty references": share(empty, "mixture")}


async def with_fewer(args: argparse.Namespace, results: Results) -> list[dict[str, Any]]:
    """Print what each further proposer adds: all sets of them, every third question."""
    some, found = results[::3], []
    tell(args, f"\n{'proposers':12}{'any':>9}{'vote':>9}{'mixture':>9}")
    for number in range(1, len(PROPOSERS) + 1):
        rows = []
        for members in itertools.combinations(PROPOSERS, number):
            played = await play(some, Player(said_by(some)), args.folder, members)
            said = [{name: r.said[name] for name in members if name in r.said} for r in some]
            votes = [
                replace(r, said={"vote": voted(s, r.question.text)}, marks={}) for r, s in zip(some, said, strict=True)
            ]
            any_of = 100 * mean(any(r.right(name) for name in members) for r in some)
            rows.append((any_of, share(votes, "vote"), share(played, "mixture")))
            found.append({"members": members, **dict(zip(("any", "vote", "mixture"), rows[-1], strict=True))})
        tell(args, f"{number:<12}" + "".join(f"{mean(column):9.1f}" for column in zip(*rows, strict=True)))
    return found


def cold_start() -> float:
    """Seconds of `moa ask` from a cold start to its end, in a home of its own."""
    with tempfile.TemporaryDirectory() as home:
        started = time.perf_counter()
        command = [sys.executable, "-m", "moa", "ask", "-m", "builtin", "What is 347 + 85?"]
        subprocess.run(command, check=True, capture_output=True, env={"HOME": home, "PATH": "/usr/bin:/bin"}, cwd=home)
        return time.perf_counter() - started


def called_beyond(results: Results) -> float:
    """Per cent of the questions from their own world that got the honest sentence."""
    own = [result for result in results if result.question.answer != HONEST]
    return 100 * mean(result.said.get("mixture", "").strip() == HONEST for result in own) if own else 0.0


def figures(results: Results, foreign: Results, rate: float, alone: float) -> list[Figure]:
    """The bars that concern answers, and time."""
    shy = called_beyond(results)
    gap = [unseen_gap(results)] if has_both_wordings(results) else []
    mixture = share(results, "mixture")
    return [
        Figure("mixture.above_best_single.points", mixture - best_single(results), 20, ">="),
        Figure("mixture.above_vote.points", mixture - share(results, "vote"), 3, ">="),
        *(Figure("mixture.unseen_below_seen.points", points, 10) for points in gap),
        Figure("beyond.honest.percent", share(foreign, "mixture"), 95, ">="),
        Figure("own.called_beyond.percent", shy, 2),
        Figure("mixtures_per_second", rate, 40, ">="),
        Figure("mixtures_per_second.part_of_llama.cpp", rate / alone, 0.8, ">="),
        Figure("cold_start.seconds", cold_start(), 2),
    ]


def read_question(line: str, where: str) -> Question:
    """One line of `--questions`; its wording counts as unseen."""
    try:
        row = json.loads(line)
        conversation_of(str(row["question"]))  # an empty one is an error
        return Question(str(row.get("skill", "own")), str(row["question"]), str(row["answer"]), (), False)
    except (ValueError, KeyError, TypeError, AttributeError, ConfigError) as problem:
        message = f'{where}: {problem!r}; a line is {{"question": …, "answer": …}}, and "skill" where you like'
        raise SystemExit(message) from None


def test_set(args: argparse.Namespace) -> tuple[list[Question], list[Question]]:
    """The questions, and prompts from beyond the small world."""
    if args.questions:
        try:
            lines = args.questions.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as problem:
            raise SystemExit(f"{args.questions}: {problem}") from None
        own = [read_question(line, f"{args.questions}:{n}") for n, line in enumerate(lines, 1) if line.strip()]
        if not own:
            raise SystemExit(f"{args.questions}: no question in it")
    else:
        own = questions(4 if args.quick else args.per_skill, args.seed)
    rng, prompts = random.Random(f"{args.seed} foreign"), dict[str, Question]()
    while len(prompts) < (12 if args.quick else FOREIGN):
        prompt = sample(rng, BEYOND, held_out=True)
        prompts.setdefault(prompt.text, prompt)
    return spelled(own, args.spelled), spelled(list(prompts.values()), args.spelled)


def spelled(asked: list[Question], way: Any) -> list[Question]:
    """The same questions, typed in another way."""
    if way is None:
        return asked
    return [
        replace(one, text=respelled(one.skill, one.text, one.answer, way, random.Random(one.text))) for one in asked
    ]


def main() -> int:
    """Ask, print the tables, report."""
    parser = arguments(argparse.ArgumentParser(description=__doc__.splitlines()[0]))  # type: ignore[union-attr]
    parser.add_argument("--per-skill", type=int, default=110, help="questions a skill")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--questions", type=Path, help="your own questions, as lines of JSON, instead of a seed's")
    parser.add_argument("--folder", type=Path, help="GGUF files of other models with the same names")
    parser.add_argument(
        "--spelled", choices=WAYS, help="the same questions in this case, or with courtesies, or odd spaces"
    )
    parser.add_argument("--brief", action="store_true", help="only the answers: no bad members, no other layers")
    parser.add_argument("--quick", action="store_true", help="four questions a skill: that it runs, not what it shows")
    args = parser.parse_args()
    for name in (*PROPOSERS, "aggregator"):
        if args.folder and not (args.folder / f"{name}.gguf").is_file():
            parser.error(f"--folder {args.folder}: there is no {name}.gguf in it")
    asked, prompts = test_set(args)
    some = [question.text for question in asked[:: max(1, len(asked) // 200)]]
    *proposers, aggregator = (agent(name, args.folder) for name in (*PROPOSERS, "aggregator"))
    rates = speed(some, proposers, aggregator, args.folder or EMBEDDED)
    results = asyncio.run(ask_all(asked, args.folder))
    foreign = asyncio.run(ask_all(prompts, args.folder))
    tell(args, f"{len(results)} questions, {args.questions or f'seed {args.seed}'}, {args.spelled or 'as they are'}")
    honest = with_interval(lambda some: share(some, "mixture"), foreign)
    tell(args, f"{len(foreign)} foreign prompts, the honest sentence to {honest} per cent")
    tell(
        args, f"the honest sentence to {with_interval(called_beyond, results)} per cent of the questions of their world"
    )
    tell(args, "\n\n".join((table(results), by_wording(results), by_agreement(results), totals(results))))
    tell(
        args, f"\nmixtures a second: {rates[0]:.1f}; llama.cpp alone would come to {rates[1]:.1f} of the same requests"
    )
    bars = figures(results, foreign, *rates)
    details: dict[str, Any] = {
        "questions": len(results),
        "seed": args.seed,
        "shares": {name: {column: share(row, column) for column in COLUMNS} for name, row in rows_of(results).items()},
        "intervals": {column: interval(lambda some, c=column: share(some, c), results) for column in COLUMNS},  # type: ignore[misc]
        "best proposer per skill": best_by_skill(results),
    }
    if not args.brief:
        bars += asyncio.run(with_bad_members(args, results))
        details |= asyncio.run(with_other_layers(args, results))
    if not (args.quick or args.brief):
        details["sets of proposers"] = asyncio.run(with_fewer(args, results))
    return report(bars, args, details)


if __name__ == "__main__":
    raise SystemExit(main())
