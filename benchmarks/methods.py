"""The methods on recorded answers of real models: no model is called. Five-fold; a method never sees how right anything is in
the fold that it is scored on.

    python benchmarks/methods.py --data DIR                        # the pools below, and of other files there all models
    python benchmarks/methods.py --data DIR --pool zeroeval_gsm:gemma-2-9b-it,Qwen2-7B-Instruct,Yi-1.5-9B-Chat
    python benchmarks/methods.py --data DIR --shuffled             # with labels dealt out by chance: every gain must be zero

DIR holds JSON lines, one question a line, of any shape that `_recorded.py` reads. Each row is a method: how right it is in per
cent, how much more that is than the best single model (chosen on the other folds), with a paired bootstrap interval, and how many
calls it takes. What is not there (files, models, answers, rows enough to learn from) is said, and stops nothing else.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks._recorded import Recorded, files, of_pool, read, shuffled
from benchmarks._report import Figure, arguments, report, tell

from moa import Agent, play, user
from moa.core.types import Call, Conversation, Reply
from moa.evals import router, weights
from moa.evals.records import Record, accuracy, best_single, folds, rest
from moa.flows.escalate import escalate
from moa.flows.members import ask_member
from moa.flows.vote import vote

OPEN5 = ("Mistral-Large-2", "Meta-Llama-3.1-70B-Instruct", "Qwen2-72B-Instruct", "deepseek-v2.5-0908", "gemma-2-27b-it")
SMALL6 = (
    "gemma-2-9b-it", "Meta-Llama-3.1-8B-Instruct", "Qwen2-7B-Instruct", "Yi-1.5-9B-Chat", "Yi-1.5-34B-Chat",
    "Phi-3.5-mini-instruct", )  # fmt: skip
MID5 = ("Meta-Llama-3_1-70B", "Meta-Llama-3-70B", "jamba-1.5-large", "Qwen1.5-110B", "Qwen1.5-72B-Chat")
PRO6 = (
    "Meta-Llama-3_1-8B-Instruct", "Yi-34B", "mathstral-7B", "Mixtral-8x7B-Instruct-v0.1", "Phi-3-mini-4k-instruct",
    "c4ai-command-r-v01",
)  # fmt: skip
STRONG, FIRST3 = "gpt-4o-2024-08-06", ("Mistral-Large-2", "Meta-Llama-3.1-70B-Instruct", "Qwen2-72B-Instruct")
POOLS = {
    "gsm.open5": ("zeroeval_gsm", OPEN5), "gsm.small6": ("zeroeval_gsm", SMALL6), "crux.open5": ("zeroeval_crux", OPEN5),
    "crux.small6": ("zeroeval_crux", SMALL6), "mmlu_pro.mid5": ("mmlu_pro", MID5), "mmlu_pro.small6": ("mmlu_pro", PRO6),
    "llmrouter9": ("llmrouter9", ()),
}  # fmt: skip
RESAMPLES = 2000


@dataclass(frozen=True)
class Scored:
    """What a method came to: how right it was on each question, in one order for all methods, its calls a question, and in what
    share of them the last agent was asked, where that is an escalation."""

    right: list[float]
    calls: float
    strong: float | None = None


@dataclass(frozen=True)
class Row:
    """One line of a table: what a method came to and what it gains, with the interval; or why there is nothing to show."""

    scored: Scored | None
    gain: tuple[float, float, float] = (0.0, 0.0, 0.0)
    why: str = ""


Method = Callable[[Sequence[Record], Sequence[Record], Sequence[str]], list[tuple[str | None, float]]]
"""Of the records to learn from, those to answer, and the agents: whose answer each gets (None: none), and after how many calls."""


def single(learn: Sequence[Record], asked: Sequence[Record], agents: Sequence[str]) -> list[tuple[str | None, float]]:
    """The model that is best on the other folds."""
    return [(best_single(learn, agents), 1.0)] * len(asked)


def plurality(
    learn: Sequence[Record], asked: Sequence[Record], agents: Sequence[str]
) -> list[tuple[str | None, float]]:
    """The answer most give."""
    equal = weights.equal(learn, agents)
    return [(weights.elected(record, equal, agents), float(len(agents))) for record in asked]


def weighted(learn: Sequence[Record], asked: Sequence[Record], agents: Sequence[str]) -> list[tuple[str | None, float]]:
    """A vote by learnt weights, the same in every category."""
    learnt = weights.fit([replace(record, category="") for record in learn], agents)
    return [(weights.elected(replace(one, category=""), learnt, agents), float(len(agents))) for one in asked]


def by_category(
    learn: Sequence[Record], asked: Sequence[Record], agents: Sequence[str]
) -> list[tuple[str | None, float]]:
    """A vote by learnt weights of each category."""
    learnt = weights.fit(learn, agents)
    return [(weights.elected(record, learnt, agents), float(len(agents))) for record in asked]


def early(learn: Sequence[Record], asked: Sequence[Record], agents: Sequence[str]) -> list[tuple[str | None, float]]:
    """The flow `vote` itself, the models asked one after the other, until nothing can change the answer any more."""
    return [
        played(record, agents, lambda members: lambda conversation: vote(conversation, members, "literal"))
        for record in asked
    ]


def escalated(
    learn: Sequence[Record], asked: Sequence[Record], agents: Sequence[str]
) -> list[tuple[str | None, float]]:
    """The flow `escalate`: of the models that are most right on the other folds three, without the best; where they do not all
    agree, the best alone."""
    ranked = sorted(agents, key=lambda agent: -accuracy(learn, agent))
    return cascade(asked, (*ranked[1:4], ranked[0]))


def cascade(asked: Sequence[Record], agents: Sequence[str]) -> list[tuple[str | None, float]]:
    """The models but the last; where they do not all agree, the last one alone."""

    def made(members: list[Agent]) -> Callable[[Conversation], Any]:
        full = lambda conversation: ask_member(members[-1], conversation, (), "")  # noqa: E731
        return lambda conversation: escalate(conversation, members[:-1], full, kind="literal")

    return [played(record, agents, made) for record in asked]


def routed(learn: Sequence[Record], asked: Sequence[Record], agents: Sequence[str]) -> list[tuple[str | None, float]]:
    """The learnt router: it reads the question, and is told of no category."""
    fitted = router.fit(learn, agents)
    return [(fitted.choose(record.question), 1.0) for record in asked]


def routed_by_category(
    learn: Sequence[Record], asked: Sequence[Record], agents: Sequence[str]
) -> list[tuple[str | None, float]]:
    """The model that is best in the question's category, where that is significant."""
    chosen = router.by_category(learn, agents)
    return [(chosen.get(record.category, chosen[""]), 1.0) for record in asked]


def played(record: Record, agents: Sequence[str], made: Callable[[list[Agent]], Any]) -> tuple[str | None, float]:
    """What a flow makes of recorded answers: whose answer it gives (None: it gives none), and how many replies it took."""
    taken = []

    def said(call: Call) -> Reply:
        taken.append(call.agent)
        return Reply(record.answers[call.agent] or "", agent=call.agent)

    members = [Agent(f"recorded:{name}", name=name) for name in agents]
    reply = play(made(members)((user(record.question),)), said).answer
    return reply.agent if reply.text else None, float(len(taken))


VOTES: dict[str, Method] = {
    "plurality": plurality,
    "weighted": weighted,
    "weighted x category": by_category,
    "vote, stopped": early,
    "escalation": escalated,
}
ROUTES: dict[str, Method] = {"router": routed, "router by category": routed_by_category}


def scored(
    method: Method, records: Sequence[Record], agents: Sequence[str], parts: Sequence[Sequence[Record]]
) -> Scored:
    """A method over all folds, in the order of the records."""
    came: dict[str, tuple[float, float]] = {}
    for place, part in enumerate(parts):
        blind = [replace(record, right={}) for record in part]
        for record, (who, calls) in zip(part, method(rest(parts, place), blind, agents), strict=True):
            came[record.key] = (0.0 if who is None else record.right[who], calls)
    right, calls = zip(*(came[record.key] for record in records), strict=True)
    strong = statistics.fmean(one == min(len(agents), 4) for one in calls) if method is escalated else None
    return Scored(list(right), statistics.fmean(calls), strong)


def interval(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """Points that one is above the other, and where 95 of 100 resamples of the questions lie."""
    gaps, chance = 100 * (np.array(ours) - np.array(theirs)), np.random.default_rng(0)
    means = sorted(float(chance.choice(gaps, len(gaps)).mean()) for _ in range(RESAMPLES))
    return float(gaps.mean()), means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]


def table(records: Sequence[Record], agents: Sequence[str], seed: int) -> Iterator[tuple[str, Row]]:
    """Every method of one pool, with how it compares with the best single model."""
    parts = [part for part in folds(records, 5, seed) if part]
    base = scored(single, records, agents, parts)
    yield "best single", Row(base)
    for name, method in (VOTES | ROUTES).items():
        if why := _missing(name, records, agents):
            yield name, Row(None, why=why)
            continue
        try:
            one = scored(method, records, agents, parts)
        except ValueError as error:  # too little to learn from
            yield name, Row(None, why=str(error))
        else:
            yield name, Row(one, interval(one.right, base.right))
    oracle = Scored([max(record.right.values()) for record in records], float(len(agents)))
    yield "oracle", Row(oracle, interval(oracle.right, base.right))


def _missing(name: str, records: Sequence[Record], agents: Sequence[str]) -> str:
    """What a method would need and does not have; empty where it has all."""
    if name in VOTES and not any(answer is not None for one in records for answer in one.answers.values()):
        return "no answers are recorded"
    if "category" in name and len({record.category for record in records}) < 2:
        return "all of one category"
    return "fewer than three models" if name == "escalation" and len(agents) < 3 else ""


def show(args: argparse.Namespace, name: str, rows: dict[str, Row]) -> None:
    """Print one pool."""
    tell(args, f"\n{name:24} {'right':>6}  {'above the best single':24} {'calls':>6}")
    for method, row in rows.items():
        if row.scored is None:
            tell(args, f"{method:24} {'-':>6}  ({row.why})")
            continue
        gain, low, high = row.gain
        between = f"{gain:+5.1f} ({low:+.1f} to {high:+.1f})" if method != "best single" else ""
        strong = "" if row.scored.strong is None else f"  the best is asked on {100 * row.scored.strong:.1f} %"
        right = 100 * statistics.fmean(row.scored.right)
        tell(args, f"{method:24} {right:6.1f}  {between:24} {row.scored.calls:6.2f}{strong}")


def figures(pools: dict[str, dict[str, Row]], strict: bool) -> Iterator[Figure]:
    """The bars, for the pools that were run with the models that they are meant for."""

    def of(pool: str, method: str) -> Scored:
        return pools[pool][method].scored or Scored([float("nan")], float("nan"), float("nan"))

    for pool, method, bar in (
        ("gsm.small6", "weighted", 93.0), ("crux.small6", "weighted", 56.0), ("mmlu_pro.mid5", "weighted x category", 59.0),
        ("mmlu_pro.small6", "weighted x category", 52.5), ("gsm.escalation", "escalation", 96.5),
    ):  # fmt: skip
        if pool in pools:
            yield Figure(f"{pool}.percent", 100 * statistics.fmean(of(pool, method).right), bar, ">=", strict)
    if "crux.open5" in pools:
        gain = pools["crux.open5"]["weighted"].gain[0]
        yield Figure("crux.open5.above_best_single.points", gain, -0.3, ">=", strict)
    if "gsm.escalation" in pools:
        share = of("gsm.escalation", "escalation").strong
        yield Figure("gsm.escalation.strong_calls.share", share, 0.1, "<=", strict)
    if "llmrouter9" in pools:
        for name, due in (("router by category", strict), ("router", False)):
            gain = pools["llmrouter9"][name].gain[0]
            yield Figure(f"llmrouter9.{name.replace(' ', '_')}.above_best_single.points", gain, 4.0, ">=", due)
    if "mmlu_pro.mid5" in pools:
        early, all_of_them = of("mmlu_pro.mid5", "vote, stopped"), of("mmlu_pro.mid5", "plurality")
        same = statistics.fmean(a == b for a, b in zip(early.right, all_of_them.right, strict=True))
        saved = 1 - early.calls / all_of_them.calls
        yield Figure("mmlu_pro.mid5.early_stop.calls_saved", saved, 0.15, ">=", strict)
        yield Figure("mmlu_pro.mid5.early_stop.same_answers", same, 1.0, ">=", strict)


def pools_of(args: argparse.Namespace) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The pools to run, each a file and its models (none: all of the file): those asked for, else those named here, and one of
    each other file."""
    if args.pool:
        return {one: _asked_for(one) for one in args.pool}
    named = {file for file, _ in POOLS.values()}
    return POOLS | {file: (file, ()) for file in files(args.data) if file not in named}


def _asked_for(text: str) -> tuple[str, tuple[str, ...]]:
    file, _, models = text.partition(":")
    names = dict.fromkeys(filter(None, map(str.strip, models.split(","))))
    return file.removesuffix(".gz").removesuffix(".jsonl"), tuple(names)


def run(args: argparse.Namespace) -> Iterator[tuple[str, dict[str, Row]]]:
    """The table of each pool that can be run; what cannot is told."""
    held: dict[str, Recorded] = {}
    done = set[tuple[str, tuple[str, ...]]]()
    for name, (file, wanted) in pools_of(args).items():
        try:
            found = held[file] = held.get(file) or read(args.data, file)
        except OSError as error:
            tell(args, f"{name}: {file} cannot be read: {error.strerror or error}")
            continue
        here = tuple(agent for agent in wanted or found.models if agent in found.models)
        if gone := [agent for agent in wanted if agent not in here]:
            tell(
                args, f"{name}: {file} has no {', '.join(gone)}; it has {', '.join(found.models) or 'no graded models'}"
            )
            if not args.pool:  # the models of another folder
                name, here = file, found.models
        if not here or (file, here) in done:
            tell(args, f"{name}: nothing to compare{'' if here else ', no model is graded there'}")
            continue
        done.add((file, here))
        records, notes = of_pool(found, here)
        rows = dict(table(shuffled(records) if args.shuffled else records, here, args.seed))
        show(args, name, rows)
        for note in (*found.notes, *notes):
            tell(args, f"  {note}")
        yield name, rows
    if not args.pool and "zeroeval_gsm" in held and {*FIRST3, STRONG} <= set(held["zeroeval_gsm"].models):
        rows = gsm_escalation(held["zeroeval_gsm"], args)
        show(args, "gsm.escalation", rows)
        yield "gsm.escalation", rows


def gsm_escalation(found: Recorded, args: argparse.Namespace) -> dict[str, Row]:
    """Three open models, and gpt-4o only where they disagree, beside gpt-4o alone."""
    agents = (*FIRST3, STRONG)
    records = of_pool(found, agents)[0]
    records = shuffled(records) if args.shuffled else records
    came = cascade([replace(record, right={}) for record in records], agents)
    right = [0.0 if who is None else record.right[who] for record, (who, _) in zip(records, came, strict=True)]
    calls = [many for _, many in came]
    one = Scored(right, statistics.fmean(calls), statistics.fmean(many == len(agents) for many in calls))
    base = Scored([record.right[STRONG] for record in records], 1.0)
    return {"gpt-4o alone": Row(base), "escalation": Row(one, interval(one.right, base.right))}


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the recorded answers")
    parser.add_argument("--pool", action="append", default=[], help="FILE:MODEL,MODEL,… (no models: all of the file)")
    parser.add_argument("--seed", type=int, default=0, help="of the folds")
    parser.add_argument("--shuffled", action="store_true", help="deal the labels out by chance")
    args = arguments(parser).parse_args()
    pools = dict(run(args))
    if args.shuffled:
        tables = (rows.items() for rows in pools.values())
        gains = sum(row.gain[1] > 0 for rows in tables for name, row in rows if name != "oracle")
        return report([Figure("shuffled.gains", gains, 0.0)], args, {})
    details = {
        pool: {
            name: {"percent": 100 * statistics.fmean(row.scored.right), "calls": row.scored.calls, "gain": row.gain}
            if row.scored
            else {"why": row.why}
            for name, row in rows.items()
        }
        for pool, rows in pools.items()
    }
    return report(list(figures(pools, not args.pool)), args, {"pools": details})


if __name__ == "__main__":
    raise SystemExit(main())
