"""Graded records from a file, a JSON object a line:

    {"question": "…", "category": "maths", "agents": {"a": {"answer": "4", "right": 1, "cost": 0.002, "seconds": 3.1}, "b": …}}

`right` is from 0 to 1; `category`, `answer`, `cost` (US dollars), `seconds` and the question's `embedding` may be left out. For a
pool of probabilities each `answer` is one, as a text or a number, and `happened` says what came true.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from moa.core.errors import ConfigError
from moa.evals.records import Record
from moa.flows.answers import Kind, answer_of
from moa.flows.chance import probability_of

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
AtLeastNothing = Annotated[float, msgspec.Meta(ge=0)]
T = TypeVar("T")


class Graded(msgspec.Struct, forbid_unknown_fields=True):
    """What one agent answered."""

    answer: str | int | float | None = None
    right: Share | None = None
    cost: AtLeastNothing | None = None
    seconds: AtLeastNothing | None = None


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """One question."""

    agents: Annotated[dict[str, Graded], msgspec.Meta(min_length=1)]
    question: str = ""
    category: str = ""
    embedding: tuple[float, ...] = ()
    happened: bool | None = None
    id: str = ""


def lines(path: Path) -> Iterator[tuple[str, Line]]:
    """The lines of a file, each with its place.

    Raises:
        ConfigError: it cannot be read, or a line is wrong; names the line and the place in it.
    """
    try:
        texts = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    for number, text in enumerate(texts, 1):
        if text.strip():
            try:
                yield f"{path}:{number}", msgspec.json.decode(text, type=Line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise ConfigError(f"{path}:{number}: {error}") from error


def graded(path: Path, agents: Sequence[str] = (), kind: Kind = "auto") -> tuple[list[Record], tuple[str, ...]]:
    """The records of a file, and the agents in them (those given, else all of the first line), each of whom every line grades.

    Raises:
        ConfigError: a line is wrong, or lacks an agent or how right it was; names it.
    """
    records = []
    for where, line in lines(path):
        agents = agents or tuple(line.agents)
        for agent in agents:
            if agent not in line.agents or line.agents[agent].right is None:
                what = "is not among the agents" if agent not in line.agents else "has no right, which is from 0 to 1"
                raise ConfigError(
                    f"{where}: {agent} {what}; grade every agent on every question, or name fewer by --agent"
                )
        own = {agent: line.agents[agent] for agent in agents}
        records.append(
            Record(
                question=line.question,
                answers={
                    name: answer_of("" if one.answer is None else str(one.answer), kind) for name, one in own.items()
                },
                right={name: one.right or 0.0 for name, one in own.items()},
                category=line.category,
                key=line.id,
                cost={name: one.cost for name, one in own.items() if one.cost is not None},
                seconds={name: one.seconds for name, one in own.items() if one.seconds is not None},
                embedding=line.embedding,
            )
        )
    return _some(records, path), tuple(agents)


def cases(path: Path) -> tuple[list[dict[str, float | None]], list[bool], tuple[str, ...]]:
    """The probabilities that agents gave in each case of a file (None: one abstained), what happened, and the agents.

    Raises:
        ConfigError: a line is wrong; names it.
    """
    said, happened = [], []
    for where, line in lines(path):
        if line.happened is None:
            raise ConfigError(f"{where}: happened is missing: true or false, what came true")
        said.append({name: _probability(one.answer, f"{where}: {name}") for name, one in line.agents.items()})
        happened.append(line.happened)
    return _some(said, path), happened, tuple(dict.fromkeys(name for case in said for name in case))


def _probability(answer: str | float | None, where: str) -> float | None:
    if not isinstance(answer, int | float):
        return probability_of(answer or "")
    if not 0 <= answer <= 1:
        raise ConfigError(f"{where} answers {answer}, which is no probability; write one from 0 to 1")
    return float(answer)


def _some(found: list[T], path: Path) -> list[T]:
    if not found:
        raise ConfigError(f"{path}: there is no record in it")
    return found
