"""Five parts of the box beside what one has without them: `pool`, `fields`, a `classifier`, leave-one-out, and views.

    python benchmarks/parts.py --data DIR                  # a minute
    python benchmarks/parts.py --data DIR --only fields    # one of them

The first four are the library's own flows, played on recorded answers of real models (`_recorded.py` says of what shape): no model
is called. Five-fold: nothing is learnt of the fold that is scored. Views are asked of the models that ship (`_views.py`). Each gain
stands with 95 % of its paired bootstrap resamples. What is not there is said, and stops nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import _views, _witnesses, methods
from benchmarks._recorded import of_pool, read
from benchmarks._report import Figure, arguments, report, tell

from moa import Agent, Reply, play, user
from moa.core.flow import Combine
from moa.core.types import Call
from moa.evals.records import Record, best_single, folds, rest
from moa.flows.agreement import agreement
from moa.flows.alone import alone
from moa.flows.classify import Classifier, classified
from moa.flows.combine import synthesise
from moa.flows.fields import by_field, object_of
from moa.flows.leave_one_out import leave_one_out, telling
from moa.flows.vote import by_vote, plurality

QUESTION = (user("The question."),)
FIELDS = 5
"""Questions that make one form."""
GAPS = 1 / 3
"""Of the fields of the member that abstains, so many are missing."""
SURE = (1.0, 0.9, 0.75, 0.5)
"""How often a classifier names the right category."""
PARTS = ("pool", "fields", "classifier", "leave_one_out", "views")
Gap = tuple[float, float, float]
"""A difference, and where 95 of 100 resamples of it lie."""


@dataclass(frozen=True)
class Table:
    """What one part came to, row by row, and how it is printed."""

    title: str
    rows: Mapping[str, Mapping[str, float | Gap]]
    digits: int = 1


def filled(records: Sequence[Record], agents: Sequence[str], seed: int) -> dict[str, dict[str, float | Gap]]:
    """Forms of five recorded answers each: the best single model's, the whole form that most give, the vote by field."""
    ways: dict[str, Combine | None] = {"best single": None, "whole forms": by_vote("json"), "fields": by_field()}
    right: dict[str, list[list[float]]] = {name: [] for name in ways}
    parts = folds(records, 5, seed)
    for place, part in enumerate(parts):
        best = best_single(rest(parts, place), agents)
        for at in range(0, len(part) - FIELDS + 1, FIELDS):
            form = part[at : at + FIELDS]
            replies = {agent: Reply(_form(form, agent), agent=agent) for agent in agents}
            for name, way in ways.items():
                reply = replies[best] if way is None else play(way(QUESTION, tuple(replies.values())), []).answer
                right[name].append(_graded(form, object_of(reply.text)))
    shares = {name: [statistics.fmean(form) for form in forms] for name, forms in right.items()}
    whole = {name: [float(min(form) == 1) for form in forms] for name, forms in right.items()}
    rows: dict[str, dict[str, float | Gap]] = {}
    for name in ways:
        rows[name] = {
            "fields right": 100 * statistics.fmean(shares[name]),
            "forms right": 100 * statistics.fmean(whole[name]),
        }
        if ways[name]:
            for what, found in (("fields", shares), ("forms", whole)):
                rows[name][f"{what} above the best"] = methods.interval(found[name], found["best single"])
    return rows


def _form(form: Sequence[Record], agent: str) -> str:
    """A model's form as JSON; what it does not answer is missing in it."""
    answers = {f"field {n}": record.answers[agent] for n, record in enumerate(form)}
    return json.dumps({name: answer for name, answer in answers.items() if answer is not None})


def _graded(form: Sequence[Record], said: Mapping[str, str]) -> list[float]:
    """How right each field is: as right as whoever gave that answer."""
    fields = [(record, said.get(f"field {n}")) for n, record in enumerate(form)]
    return [
        max((right for agent, right in record.right.items() if answer is not None and record.answers[agent] == answer), default=0.0)
        for record, answer in fields
    ]  # fmt: skip


def gapped(records: Sequence[Record], agent: str, seed: int) -> list[Record]:
    """The same, an agent's answers missing in a third of them, drawn by chance."""
    chance = random.Random(seed)
    return [
        replace(one, answers={**one.answers, agent: None}, right={**one.right, agent: 0.0}) if chance.random() < GAPS else one
        for one in records
    ]  # fmt: skip


def pooling(records: Sequence[Record], agents: Sequence[str], seed: int, pool_name: str) -> Table:
    """Forecasts of whether the leader is right, by its witnesses."""
    rows, many = _witnesses.pooled(records, agents, seed)
    return Table(f"pool: is the leader right? {pool_name}, {many} questions", rows, digits=4)


def fields(records: Sequence[Record], agents: Sequence[str], seed: int, pool_name: str) -> Table:
    """Forms of whole answers, and with a member that leaves fields out: the best, whose absence costs most."""
    best = best_single(records, agents)
    rows = filled(records, agents, seed)
    some = filled(gapped(records, best, seed), agents, seed)
    many = sum(len(part) // FIELDS for part in folds(records, 5, seed))
    rows |= {f"{name}, with gaps": row for name, row in some.items()}
    return Table(f"fields: {pool_name}, {many} forms of {FIELDS}", rows)


def classifier(records: Sequence[Record], agents: Sequence[str], seed: int, pool_name: str) -> Table:
    """Each task to the model that is best on it on the other folds, by classifiers that are right more and less often."""
    parts = folds(records, 5, seed)
    ways = {"always right": (1.0, "")} | {
        f"right in {sure:.0%}, else {says or 'none'}": (sure, says) for sure in SURE[1:] for says in ("", "another")
    }
    single: list[float] = []
    right: dict[str, list[float]] = {way: [] for way in ways}
    calls: dict[str, list[int]] = {way: [] for way in ways}
    for place, part in enumerate(parts):
        learn = rest(parts, place)
        best, tasks = best_single(learn, agents), sorted({record.category for record in learn})
        chosen = {task: best_single([one for one in learn if one.category == task], agents) for task in tasks}
        flows = {
            task: partial(alone, member=Agent(f"recorded:{who}", name=who))
            for task, who in {**chosen, "": best}.items()
        }
        single += [record.right[best] for record in part]
        for way, (sure, says) in ways.items():
            for record in part:
                who, many = _sorted(
                    record, Classifier(Agent("recorded:classifier"), tuple(tasks)), flows, sure, says, seed
                )
                right[way].append(record.right[who])
                calls[way].append(many)
    rows: dict[str, dict[str, float | Gap]] = {"best single": {"right": 100 * statistics.fmean(single), "calls": 1.0}}
    for way in ways:
        row: dict[str, float | Gap] = {
            "right": 100 * statistics.fmean(right[way]),
            "calls": statistics.fmean(calls[way]),
        }
        rows[way] = row | {"above the best": methods.interval(right[way], single)}
    tasks = sorted({record.category for record in records})
    return Table(f"classifier: {pool_name}, {len(records)} questions of {len(tasks)} tasks, {len(agents)} models", rows)


def _sorted(
    record: Record, by: Classifier, flows: Mapping[str, Callable[..., object]], sure: float, says: str, seed: int
) -> tuple[str, int]:
    """Who answers a question that a classifier has sorted, and after how many calls. It is wrong on the same questions however
    often it is; then it names `another` task by chance, or none."""
    chance = random.Random(f"{seed} {record.key}")
    known, others = chance.random() < sure, [one for one in by.categories if one != record.category]
    named = record.category if known else chance.choice(others) if says and others else "I cannot tell."

    def said(call: Call) -> Reply:
        return Reply(named if call.role == "classifier" else "an answer", agent=call.agent)

    played = play(classified((user(record.question[:400] or "?"),), by, flows), said)  # type: ignore[arg-type]
    return played.answer.agent, sum(len(ask.calls) for ask in played.asked)


def hanging(records: Sequence[Record], agents: Sequence[str], seed: int, pool_name: str) -> Table:
    """Whether a plurality hangs on one proposal, as a warning, beside the warning that fewer than half agree."""
    right, hangs, split = [], [], []
    for record in records:
        replies = tuple(Reply(said, agent=agent) for agent in agents if (said := record.answers[agent]) is not None)
        if not replies:
            continue
        whole = plurality(replies, "literal")
        told = play(leave_one_out(by_vote("literal"), QUESTION, replies, whole, "literal"), []).answer
        right.append(record.right[whole.agent])
        hangs.append(any(told))
        split.append((agreement(replies, "literal").same_input or 0.0) < 0.5)
    rows = {"hangs on one proposal": apart(right, hangs), "fewer than half agree": apart(right, split)}
    more = more_calls(agents)
    added = f"{more['vote']} more calls, with an aggregator {more['aggregator']}"
    title = f"leave one out: plurality, {pool_name}, {len(right)} questions; {added}"
    return Table(title, rows)


def apart(right: Sequence[float], warned: Sequence[bool]) -> dict[str, float | Gap]:
    """How right it is where there is a warning, where there is none, and how far these are apart."""
    values, flags, chance = np.array(right), np.array(warned), np.random.default_rng(0)
    if flags.all() or not flags.any():
        return {"of all": 100.0 * flags.mean()}

    def gap(places: np.ndarray) -> float:
        there, flagged = values[places], flags[places]
        return float(100 * (there[~flagged].mean() - there[flagged].mean()))

    means = sorted(gap(chance.integers(0, len(values), len(values))) for _ in range(methods.RESAMPLES))
    ends = (means[int(0.025 * len(means))], means[int(0.975 * len(means))])
    return {
        "of all": 100.0 * flags.mean(),
        "right there": 100 * values[flags].mean(),
        "elsewhere": 100 * values[~flags].mean(),
        "apart": (gap(np.arange(len(values))), *ends),
    }


def more_calls(agents: Sequence[str]) -> dict[str, int]:
    """The calls that leave-one-out adds to a vote, and to an aggregator."""
    replies = tuple(Reply(f"Answer: {n}", agent=agent) for n, agent in enumerate(agents))
    ways = {"vote": by_vote(), "aggregator": synthesise(Agent("recorded:aggregator"))}
    return {
        name: sum(len(ask.calls) for ask in play(telling(way)(QUESTION, replies), lambda call: "Answer: 1").asked)
        - (name == "aggregator")
        for name, way in ways.items()
    }


def run(args: argparse.Namespace) -> Iterator[tuple[str, Table]]:
    """The table of each part that can be had; what cannot is told."""
    wanted = args.only or PARTS
    for part, pool_name in (
        ("pool", "mmlu_pro.mid5"), ("fields", "mmlu_pro.mid5"), ("fields", "gsm.small6"), ("classifier", "llmrouter9"),
        ("leave_one_out", "mmlu_pro.mid5"), ("leave_one_out", "gsm.small6"),
    ):  # fmt: skip
        if part not in wanted:
            continue
        file, models = methods.POOLS[pool_name]
        try:
            found = read(args.data, file)
        except OSError as error:
            tell(args, f"\n{part}: {file} cannot be read: {error.strerror or error}")
            continue
        agents = models if models and set(models) <= set(found.models) else found.models
        records, notes = of_pool(found, agents)
        make = {"pool": pooling, "fields": fields, "classifier": classifier, "leave_one_out": hanging}[part]
        try:
            table = make(records, agents, args.seed, pool_name)
        except ValueError as error:  # too little to learn from
            tell(args, f"\n{part}: {pool_name}: {error}")
            continue
        yield part if part in ("pool", "classifier") else f"{part}.{pool_name}", table
        for note in notes:
            tell(args, f"  {note}")
    if "views" in wanted:
        if why := _views.missing():
            tell(args, f"\nviews: {why}")
        else:
            yield (
                "views",
                Table(
                    f"views: {args.tasks} tasks of three parts",
                    asyncio.run(_views.viewed(_views.tasks(args.tasks, args.seed))),
                ),
            )


def show(args: argparse.Namespace, table: Table) -> None:
    """Print one table."""
    columns = list(dict.fromkeys(name for row in table.rows.values() for name in row))
    lines = [["", *columns]]
    lines += [[name, *(_cell(row.get(one), table.digits) for one in columns)] for name, row in table.rows.items()]
    widths = [max(map(len, column)) + 2 for column in zip(*lines, strict=True)]
    tell(args, f"\n{table.title}")
    for first, *others in lines:
        tell(args, first.ljust(widths[0]) + "".join(map(str.rjust, others, widths[1:])))


def _cell(value: float | Gap | None, digits: int) -> str:
    if isinstance(value, tuple):
        return "{:+.{d}f} ({:+.{d}f} to {:+.{d}f})".format(*value, d=digits)
    return "" if value is None else f"{value:.{digits}f}"


BARS = (
    ("pool", "log pool, learnt", "Brier below the mean's", 0.0), ("pool", "linear pool, learnt", "Brier below the mean's", 0.0),
    ("fields.mmlu_pro.mid5", "fields", "fields above the best", 4.0), ("fields.gsm.small6", "fields", "fields above the best", 4.0),
    ("fields.mmlu_pro.mid5", "fields, with gaps", "fields above the best", 4.0),
    ("fields.gsm.small6", "fields, with gaps", "fields above the best", 4.0),
    ("classifier", "always right", "above the best", 3.0), ("classifier", "right in 90%, else none", "above the best", 2.0),
    ("leave_one_out.mmlu_pro.mid5", "hangs on one proposal", "apart", 20.0),
    ("leave_one_out.gsm.small6", "hangs on one proposal", "apart", 20.0), ("views", "all parts", "a view gains", 20.0),
)  # fmt: skip
"""What is held: of a table, a row, and a column of it the least. What could not be had falls short, views where they need more."""


def figures(tables: Mapping[str, Table], wanted: Sequence[str]) -> Iterator[Figure]:
    """A figure for each of the BARS of the parts that were wanted."""
    for table, row, column, bar in BARS:
        part = table.partition(".")[0]
        if part in wanted:
            found = tables[table].rows.get(row, {}).get(column) if table in tables else None
            value = found[0] if isinstance(found, tuple) else found
            name = f"{table}.{row}.{column}".replace(",", "").replace("'", "").replace("%", "").replace(" ", "_")
            yield Figure(name, value, bar, ">=", due=part != "views" or not _views.missing())


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the recorded answers")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part (may be given again)")
    parser.add_argument("--seed", type=int, default=0, help="of folds, gaps, classifiers and tasks")
    parser.add_argument("--tasks", type=int, default=200, help="of three parts each, for the views")
    args = arguments(parser).parse_args()
    tables: dict[str, Table] = {}
    for name, table in run(args):
        show(args, table)
        tables[name] = table
    details = {name: {"title": table.title, "rows": table.rows} for name, table in tables.items()}
    return report(list(figures(tables, args.only or PARTS)), args, {"parts": details})


if __name__ == "__main__":
    raise SystemExit(main())
