"""The methods on recorded answers of real models: no model is called. Five-fold; a method never sees how right anything is in
the fold that it is scored on.

    python benchmarks/methods.py --data DIR                        # the pools that DIR's README names
    python benchmarks/methods.py --data DIR --pool zeroeval_gsm:gemma-2-9b-it,Qwen2-7B-Instruct,Yi-1.5-9B-Chat
    python benchmarks/methods.py --data DIR --shuffled             # with labels dealt out by chance: every gain must be zero

DIR holds gzipped JSON lines, one question a line: `question`, `models` (by name: `ans`, `ok`), perhaps `category`; or `scores`
by model. Each row is a method: how right it is in per cent, how much more that is than the best single model (chosen on the
other folds), with a paired bootstrap interval, and how many calls it takes.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks._report import Figure, arguments, report, tell

from moa import Agent, play, user
from moa.core.types import Call, Conversation, Reply
from moa.evals import router, weights
from moa.evals.records import Record, best_single, folds, rest
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
    """What a method came to: how right it was on each question, in one order for all methods, and its calls a question."""

    right: list[float]
    calls: float


Method = Callable[[Sequence[Record], Sequence[Record], Sequence[str]], list[tuple[str | None, float]]]
"""Of the records to learn from, those to answer (without how right anything is), and the agents: whose answer each gets (None:
none), and after how many calls."""


def canonical(answer: Any) -> str | None:
    """An answer as it compares: a Python literal or number by its value, else as it stands."""
    if answer is None or str(answer).strip() == "":
        return None
    text = str(answer).strip()
    try:
        return repr(ast.literal_eval(text))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def read(data: Path, name: str) -> list[Record]:
    """The records of one file."""
    found = []
    with gzip.open(data / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        for number, line in enumerate(file):
            row = json.loads(line)
            category = str(row.get("category") or (row["task"] if "scores" in row else ""))
            key = str(row.get("qid", number))
            if "scores" in row:
                scores = {model: float(score or 0.0) for model, score in row["scores"].items()}
                found.append(Record(row["question"], {}, scores, category, key))
            else:
                answers = {model: canonical(one.get("ans")) for model, one in row["models"].items()}
                right = {model: float(one.get("ok") or 0.0) for model, one in row["models"].items()}
                found.append(Record(row["question"], answers, right, category, key))
    return found


def shuffled(records: Sequence[Record]) -> list[Record]:
    """The same, each with the labels of another, by whose place they stand in: agents stay as good, and nothing can be learnt of
    questions or agreement."""
    models = list(records[0].right)
    columns = {
        model: random.Random(model).sample([one.right[model] for one in records], len(records)) for model in models
    }
    return [replace(one, right={m: columns[m][n] for m in models}) for n, one in enumerate(records)]


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
        played(record, agents, lambda members: lambda conversation: vote(conversation, members, "text"))
        for record in asked
    ]


def escalated(
    learn: Sequence[Record], asked: Sequence[Record], agents: Sequence[str]
) -> list[tuple[str | None, float]]:
    """The flow `escalate`: the models but the last; where they do not all agree, the last one alone. Its calls are counted."""

    def made(members: list[Agent]) -> Callable[[Conversation], Any]:
        full = lambda conversation: ask_member(members[-1], conversation, (), "")  # noqa: E731
        return lambda conversation: escalate(conversation, members[:-1], full, kind="text")

    return [(who, float(calls == len(agents))) for who, calls in (played(record, agents, made) for record in asked)]


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
    """What a flow makes of recorded answers: whose answer it gives, and how many replies it took."""
    taken = []

    def said(call: Call) -> Reply:
        taken.append(call.agent)
        answer = record.answers[call.agent]
        return Reply("" if answer is None else f"{answer}", agent=call.agent)

    members = [Agent(f"recorded:{name}", name=name) for name in agents]
    reply = play(made(members)((user(record.question),)), said).answer
    return reply.agent, float(len(taken))


VOTES: dict[str, Method] = {
    "plurality": plurality,
    "weighted": weighted,
    "weighted x category": by_category,
    "vote, stopped": early,
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
    return Scored(list(right), statistics.fmean(calls))


def interval(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """Points that one is above the other, and where 95 of 100 resamples of the questions lie."""
    gaps, chance = [100 * (a - b) for a, b in zip(ours, theirs, strict=True)], random.Random(0)
    means = sorted(statistics.fmean(chance.choices(gaps, k=len(gaps))) for _ in range(RESAMPLES))
    return statistics.fmean(gaps), means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)]


def table(
    records: Sequence[Record], agents: Sequence[str], seed: int
) -> Iterator[tuple[str, Scored, tuple[float, float, float]]]:
    """Every method of one pool, with how it compares with the best single model."""
    parts = folds(records, 5, seed)
    has_answers = bool(records[0].answers)
    many = len({record.category for record in records}) > 1
    base = scored(single, records, agents, parts)
    yield "best single", base, (0.0, 0.0, 0.0)
    methods = (VOTES if has_answers else {}) | ROUTES
    for name, method in methods.items():
        if many or "category" not in name:
            one = scored(method, records, agents, parts)
            yield name, one, interval(one.right, base.right)
    oracle = Scored([max(record.right[agent] for agent in agents) for record in records], float(len(agents)))
    yield "oracle", oracle, interval(oracle.right, base.right)


def show(args: argparse.Namespace, name: str, rows: dict[str, tuple[Scored, tuple[float, float, float]]]) -> None:
    """Print one pool."""
    tell(args, f"\n{name:24} {'right':>6}  {'above the best single':24} {'calls':>6}")
    for method, (one, (gain, low, high)) in rows.items():
        between = f"{gain:+5.1f} ({low:+.1f} to {high:+.1f})" if method != "best single" else ""
        tell(args, f"{method:24} {100 * statistics.fmean(one.right):6.1f}  {between:24} {one.calls:6.2f}")


def figures(pools: dict[str, dict[str, tuple[Scored, tuple[float, float, float]]]], strict: bool) -> list[Figure]:
    """The bars, for the pools that were run."""
    found = []
    for pool, method, bar in (
        ("gsm.small6", "weighted", 93.0), ("crux.small6", "weighted", 56.0), ("mmlu_pro.mid5", "weighted x category", 59.0),
        ("mmlu_pro.small6", "weighted x category", 52.5), ("gsm.escalation", "escalation", 96.5),
    ):  # fmt: skip
        if pool in pools:
            found.append(
                Figure(f"{pool}.percent", 100 * statistics.fmean(pools[pool][method][0].right), bar, ">=", strict)
            )
    if "crux.open5" in pools:
        found.append(
            Figure("crux.open5.above_best_single.points", pools["crux.open5"]["weighted"][1][0], -0.3, ">=", strict)
        )
    if "gsm.escalation" in pools:
        found.append(
            Figure(
                "gsm.escalation.strong_calls.share", pools["gsm.escalation"]["escalation"][0].calls, 0.1, "<=", strict
            )
        )
    if "llmrouter9" in pools:
        for name, due in (("router by category", strict), ("router", False)):
            gain = pools["llmrouter9"][name][1][0]
            found.append(Figure(f"llmrouter9.{name.replace(' ', '_')}.above_best_single.points", gain, 4.0, ">=", due))
    if "mmlu_pro.mid5" in pools:
        rows = pools["mmlu_pro.mid5"]
        saved = 1 - rows["vote, stopped"][0].calls / rows["plurality"][0].calls
        same = statistics.fmean(
            a == b for a, b in zip(rows["vote, stopped"][0].right, rows["plurality"][0].right, strict=True)
        )
        found.append(Figure("mmlu_pro.mid5.early_stop.calls_saved", saved, 0.15, ">=", strict))
        found.append(Figure("mmlu_pro.mid5.early_stop.same_answers", same, 1.0, ">=", strict))
    return found


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the recorded answers")
    parser.add_argument("--pool", action="append", default=[], help="FILE:MODEL,MODEL,… (no models: all of the file)")
    parser.add_argument("--seed", type=int, default=0, help="of the folds")
    parser.add_argument("--shuffled", action="store_true", help="deal the labels out by chance")
    args = arguments(parser).parse_args()
    wanted = {one: (one.partition(":")[0], tuple(filter(None, one.partition(":")[2].split(",")))) for one in args.pool}
    files: dict[str, list[Record]] = {}
    pools: dict[str, dict[str, tuple[Scored, tuple[float, float, float]]]] = {}
    for name, (file, agents) in (wanted or POOLS).items():
        if not (args.data / f"{file}.jsonl.gz").exists():
            tell(args, f"{name}: there is no {file}.jsonl.gz in {args.data}")
            continue
        files[file] = files.get(file) or (shuffled(read(args.data, file)) if args.shuffled else read(args.data, file))
        agents = agents or tuple(files[file][0].right)
        if missing := [agent for agent in agents if agent not in files[file][0].right]:
            tell(args, f"{name}: {file} has no {', '.join(missing)}; it has {', '.join(files[file][0].right)}")
            continue
        pools[name] = {method: (one, gain) for method, one, gain in table(files[file], agents, args.seed)}
        show(args, name, pools[name])
    if not wanted and "zeroeval_gsm" in files:
        records, agents = files["zeroeval_gsm"], (*FIRST3, STRONG)
        parts = folds(records, 5, args.seed)
        base = scored(lambda learn, asked, agents: [(STRONG, 1.0)] * len(asked), records, agents, parts)
        one = scored(escalated, records, agents, parts)
        pools["gsm.escalation"] = {
            "gpt-4o alone": (base, (0.0, 0.0, 0.0)),
            "escalation": (one, interval(one.right, base.right)),
        }
        show(args, "gsm.escalation", pools["gsm.escalation"])
    if args.shuffled:
        gains = [
            gain
            for rows in pools.values()
            for method, (_, (gain, low, _)) in rows.items()
            if low > 0 and method != "oracle"
        ]
        return report([Figure("shuffled.gains", float(len(gains)), 0.0)], args, {})
    return report(
        figures(pools, not wanted), args, {"pools": {n: {m: g for m, (_, g) in r.items()} for n, r in pools.items()}}
    )


if __name__ == "__main__":
    raise SystemExit(main())
