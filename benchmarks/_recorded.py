"""Recorded answers of real models, one question a line (`.jsonl.gz` or `.jsonl`), of whatever shape they are.

A row holds what each model answered and how right that is: `models` (by name: `ans`, `ok`, perhaps the text, `out`), `scores` by
model, or a field `NAME_ok` for each; `question` (or `prompt`), perhaps `category` or `task`.
"""

from __future__ import annotations

import gzip
import json
import math
import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moa.evals.records import Record
from moa.flows.answers import answer_of

ENDINGS = (".jsonl.gz", ".jsonl")


@dataclass(frozen=True)
class Recorded:
    """What a file holds: its records, whose keys are their places in it; the models in any of them; what is odd about it."""

    records: list[Record]
    models: tuple[str, ...]
    notes: tuple[str, ...] = ()


def files(data: Path) -> list[str]:
    """The names of the files of a folder, without their endings."""
    return sorted({path.name.removesuffix(end) for end in ENDINGS for path in data.glob(f"*{end}")})


def rows(data: Path, name: str) -> Iterator[tuple[int, Any]]:
    """The rows of a file with their places; None for one that is no JSON.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    path = next((one for end in ENDINGS if (one := data / f"{name}{end}").exists()), data / f"{name}{ENDINGS[0]}")
    packed = path.read_bytes()[:2] == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            for number, line in enumerate(file):
                try:
                    row = json.loads(line) if line.strip() else ...
                except (ValueError, RecursionError):
                    row = None
                if row is not ...:
                    yield number, row
    except (EOFError, zlib.error) as error:
        raise OSError(f"it is cut off or damaged: {error}") from error


def read(data: Path, name: str) -> Recorded:
    """The records of a file; a row without any graded model is left out, and told in the notes.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    records, odd, models = [], [], dict[str, None]()
    for number, row in rows(data, name):
        record = _record(row, number) if isinstance(row, dict) else None
        if record is None:
            odd.append(number + 1)
            continue
        records.append(record)
        models |= dict.fromkeys(record.right)
    some = f", line {odd[0]} among them" if odd else ""
    notes = (f"{len(odd)} lines grade no model{some}; left out",) if odd else ()
    return Recorded(records, tuple(models), notes)


def of_pool(found: Recorded, agents: Sequence[str]) -> tuple[list[Record], list[str]]:
    """The records in which some agent of a pool answers, each with all of them (who is missing gives no answer, and is wrong);
    and in how many somebody is missing."""
    kept = [record for record in found.records if any(agent in record.right for agent in agents)]
    gone = {agent: sum(agent not in record.right for record in kept) for agent in agents}
    notes = [f"{agent} is missing in {n} of {len(kept)} rows, and wrong there" for agent, n in gone.items() if n]
    if any(record.answers.get(agent) for record in kept for agent in agents):
        mute = {agent: sum(_mute(record, agent) for record in kept) for agent in agents}
        notes += [
            f"{agent} is right without an answer in {n} rows, and has no vote there" for agent, n in mute.items() if n
        ]
    whole = [
        replace(
            record,
            answers={agent: record.answers.get(agent) for agent in agents},
            right={agent: record.right.get(agent, 0.0) for agent in agents},
        )
        for record in kept
    ]
    return whole, notes


def _mute(record: Record, agent: str) -> bool:
    """Whether an agent is graded as right, and nothing is recorded that could be compared."""
    return record.right.get(agent, 0.0) > 0 and record.answers.get(agent) is None


def shuffled(records: Sequence[Record]) -> list[Record]:
    """The same, each with the labels of another, by whose place they stand in: agents stay as good, and nothing can be learnt of
    questions or agreement."""
    models = list(records[0].right) if records else []
    columns = {
        model: random.Random(model).sample([one.right[model] for one in records], len(records)) for model in models
    }
    return [replace(one, right={m: columns[m][n] for m in models}) for n, one in enumerate(records)]


def texts_of(data: Path, name: str) -> dict[str, dict[str, str]]:
    """What each model said, by the key of its record; empty where the file keeps answers only for some of the models."""
    found: dict[str, dict[str, str]] = {}
    for number, row in rows(data, name):
        if not all(one.get("out") for one in row["models"].values()) and number == 0:
            return {}
        found[str(number)] = {model: one.get("out") or "" for model, one in row["models"].items()}
    return found


def _record(row: dict[str, Any], number: int) -> Record | None:
    """A row as a record; None where it grades no model."""
    models, scores = row.get("models"), row.get("scores")
    answers: dict[str, str | None] = {}
    if isinstance(models, dict):
        graded = {name: one for name, one in models.items() if isinstance(one, dict)}
        right = {name: _share(one["ok"]) for name, one in graded.items() if "ok" in one}
        answers = {name: _answer(one.get("ans")) for name, one in graded.items()}
    elif isinstance(scores, dict):
        right = {name: _share(score) for name, score in scores.items()}
    else:
        right = {name.removesuffix("_ok"): _share(one) for name, one in row.items() if name.endswith("_ok")}
    known = {name: one for name, one in right.items() if one is not None}
    if not known:
        return None
    question = next((str(row[name]) for name in ("question", "prompt", "instruction", "input") if row.get(name)), "")
    category = str(row.get("category") or row.get("task") or "")
    return Record(question, {name: answers.get(name) for name in known}, known, category, str(number))


def _share(value: Any) -> float | None:
    """How right an answer is, 0 to 1; one that gives no score is wrong, one that gives an odd one is not graded."""
    if value is None or value == "":
        return 0.0
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _answer(value: Any) -> str | None:
    return None if value is None or not str(value).strip() else answer_of(str(value), "literal")
