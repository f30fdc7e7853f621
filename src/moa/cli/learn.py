"""`moa learn`: weights of votes, a router or a pool, from your own graded questions or rated runs."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast, get_args

import typer

from moa.cli.options import ConfigFile
from moa.cli.output import Screen
from moa.core.errors import ConfigError
from moa.flows.answers import Kind

if TYPE_CHECKING:
    from moa.evals.records import Record

T = TypeVar("T")
app = typer.Typer(
    help="Learn from graded questions or rated runs: weights of votes, a router, a pool of probabilities."
)

Records = Annotated[
    Path | None, typer.Argument(metavar="RECORDS", help="A JSON object a line; docs/methods.md shows one.")
]
Runs = Annotated[bool, typer.Option("--runs", help="Of the runs that you rated (moa runs rate), not of a file.")]
Answers = Annotated[
    str, typer.Option(metavar="KIND", help="What answers are: auto, number, choice, json, literal, text.")
]
Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write, for moa.toml to name.")]
Agents = Annotated[
    list[str] | None,
    typer.Option("--agent", metavar="NAME", help="An agent to learn of (may be given again); else all."),
]


@app.command()
def weights(
    out: Out,
    records: Records = None,
    runs: Runs = False,
    agent: Agents = None,
    answers: Answers = "auto",
    config: ConfigFile = None,
) -> None:
    """What each agent's vote is worth: `weights = FILE`, of combine = "vote"."""
    from dataclasses import asdict

    from moa.evals.weights import fit

    _see_out(records, out)
    found, agents = _records(records, runs, agent, answers, config)
    learnt = _fitted(records, lambda: fit(found, agents))
    _write(out, asdict(learnt))
    shown = ", ".join(f"{name} {weight:.2f}" for name, weight in learnt.of.items())
    Screen().say(f"{out}: of {len(found)} questions, what a vote is worth: {shown}")


@app.command()
def router(
    out: Out,
    records: Records = None,
    runs: Runs = False,
    agent: Agents = None,
    answers: Answers = "auto",
    embedder: Annotated[
        str | None, typer.Option(metavar="MODEL", help="host:model that makes embeddings; without it words are read.")
    ] = None,
    clusters: Annotated[int, typer.Option(min=0, help="So many clusters of embeddings; 0: the nearest questions.")] = 0,
    cost_weight: Annotated[
        float, typer.Option(min=0, help="How much of a right answer (1) one US dollar counts for.")
    ] = 0.0,
    latency_weight: Annotated[
        float, typer.Option(min=0, help="How much of a right answer (1) one second counts for.")
    ] = 0.0,
    config: ConfigFile = None,
) -> None:
    """Whom to ask, by the question: `router = FILE`. The best single agent is asked unless a gain is significant."""
    from dataclasses import asdict

    from moa.config.find import load_here
    from moa.evals.router import Way, fit

    _see_out(records, out)
    for name, weight in (("--cost-weight", cost_weight), ("--latency-weight", latency_weight)):
        if not isfinite(weight):
            raise ConfigError(f"{name} {weight}: take a finite number from 0 up")
    found, agents = _records(records, runs, agent, answers, config)
    reads = embedder is not None or all(record.embedding for record in found)
    if clusters and not reads:
        raise ConfigError("--clusters: clusters are of embeddings; name the model that makes them by --embedder")
    if embedder is not None:
        from moa.evals.embedding import embedded

        found = embedded(found, embedder, load_here(file=config))
    way = Way(cost_weight, latency_weight, reads, clusters)
    learnt = _fitted(records, lambda: fit(found, agents, way))
    _write(out, {name: part for name, part in asdict(learnt).items() if part != () and part != {}})
    taken = "which is significant" if learnt.trusted else f"which is not significant, so {learnt.best} is always asked"
    Screen().say(
        f"{out}: of {len(found)} questions; {100 * learnt.gain:+.1f} points over {learnt.best} alone "
        f"(standard error {100 * learnt.error:.1f}), {taken}"
    )


@app.command()
def pool(
    out: Out,
    records: Records = None,
    runs: Annotated[bool, typer.Option("--runs", hidden=True)] = False,
    kind: Annotated[str, typer.Option(help="How they are pooled: log or linear.")] = "log",
) -> None:
    """How probabilities are made into one: `pool = FILE`, of combine = "pool"."""
    from dataclasses import asdict

    from moa.evals.graded import cases
    from moa.evals.pools import fit

    _see_out(records, out)
    if kind not in ("log", "linear"):
        raise ConfigError(f"--kind {kind}: take log or linear")
    if runs or records is None:
        raise ConfigError(
            "a pool is of probabilities and of what happened, which no rated run tells: name a file of records"
        )
    said, happened, agents = cases(records)
    learnt = _fitted(records, lambda: fit(said, happened, agents, kind))  # type: ignore[arg-type]  # one of these
    _write(out, asdict(learnt))
    Screen().say(f"{out}: of {len(said)} cases; slope {learnt.slope:.2f}, intercept {learnt.intercept:.2f}")


def _records(
    records: Path | None, runs: bool, agents: list[str] | None, answers: str, config: Path | None
) -> tuple[list[Record], tuple[str, ...]]:
    """The records of a file, or of the rated runs that are kept here; and the agents in them."""
    from moa.cli.runs import store
    from moa.evals.graded import graded
    from moa.evals.rated import rated

    if answers not in get_args(Kind):
        raise ConfigError(f"--answers {answers}: take auto, number, choice, json, literal or text")
    kind = cast("Kind", answers)
    if runs != (records is None):
        raise ConfigError("learn from one of the two: a file of records, or --runs, which are those that you rated")
    if records is not None:
        return graded(records, tuple(agents or ()), kind)
    kept = store(config)
    return rated(((kept.events(run), rating) for run, rating in kept.ratings().items()), tuple(agents or ()), kind)


def _fitted(records: Path | None, work: Callable[[], T]) -> T:
    try:
        return work()
    except ValueError as error:
        raise ConfigError(f"{records or '--runs'}: {error}") from None
    except ModuleNotFoundError as error:
        raise ConfigError(f"learning needs {error.name}: pip install 'mixture-of-agents[eval]'") from None


def _see_out(records: Path | None, out: Path) -> None:
    if records is not None and records.resolve() == out.resolve():
        raise ConfigError(f"--out {out}: these are the records; name another file")


def _write(path: Path, learnt: dict[str, Any]) -> None:
    import msgspec

    try:
        path.write_bytes(msgspec.json.encode(_rounded(learnt)) + b"\n")
    except OSError as error:
        raise ConfigError(f"--out {path}: cannot be written: {error.strerror}") from error


def _rounded(value: Any) -> Any:
    """Numbers with as many digits as mean something: a router holds a great many."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list | tuple) else value
