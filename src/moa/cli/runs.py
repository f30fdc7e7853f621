"""`moa runs`: what was asked before: list, show, rate, replay, export, delete."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from moa.cli.options import ConfigFile, Json
from moa.cli.output import Screen, day, money, one_line, seconds
from moa.cli.recording import Recording
from moa.cli.turn import Wishes, answered
from moa.core.errors import ConfigError
from moa.core.events import Event, RunFinished, RunStarted

if TYPE_CHECKING:
    from moa.stores.sqlite import Sqlite

app = typer.Typer(
    help="Runs kept on this machine: list, show, rate, replay, export, delete.", invoke_without_command=True
)

SHORT_ID = 12
"""Letters of an id in the list: enough to name the run, short enough for a terminal."""

Run = Annotated[str, typer.Argument(metavar="ID", help="The id of a run, or the start of one.")]
Runs = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of runs, or starts of them.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.callback()
def listed(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many, newest first.")] = 20,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """List the newest runs."""
    if context.invoked_subcommand is not None:
        return
    screen, summaries = Screen(as_json=as_json), store(config).runs(limit)
    if as_json:
        screen.json([asdict(run) for run in summaries])
    elif not summaries:
        screen.say("no runs are kept here yet")
    else:
        rows = [
            (
                run.id[:SHORT_ID],
                day(run.started),
                run.mixture,
                run.question,
                run.state,
                seconds(run.seconds),
                "" if run.state == "open" else money(run.cost),
                str(run.calls),
            )
            for run in summaries
        ]
        screen.table(("id", "when", "mixture", "question", "state", "time", "cost", "calls"), rows, cut=3)


@app.command()
def show(
    run: Run,
    events: Annotated[bool, typer.Option("--events", help="Every event, too.")] = False,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Show one run: its calls, what each said, and its answer."""
    from moa.cli import story

    kept = store(config)
    name = kept.find(run)
    facts, rating = kept.events(name), kept.ratings().get(name)
    screen = Screen(as_json=as_json)
    if as_json:
        screen.json(story.plain(facts, rating, events_too=events))
    else:
        screen.answer("".join(f"{line}\n" for line in story.written(facts, rating, events_too=events)))


@app.command()
def rate(
    run: Run,
    verdict: Annotated[str | None, typer.Argument(metavar="right|wrong", help="What its answer is.")] = None,
    answer: Annotated[str | None, typer.Option("--answer", metavar="TEXT", help="Or: the right answer.")] = None,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Say whether a run's answer is right, or what the right one is: `moa learn router --runs` learns from that."""
    from moa.flows.answers import answer_of
    from moa.stores.rating import Rating

    if (verdict is None) == (answer is None) or verdict not in (None, "right", "wrong"):
        raise ConfigError("say what the answer is: right or wrong, or --answer with the right one")
    if answer is not None and answer_of(answer) is None:
        raise ConfigError(f"--answer {answer!r}: there is no answer in it")
    rating = Rating(None if verdict is None else verdict == "right", answer or "")
    kept = store(config)
    name = kept.find(run)
    kept.rate(name, rating)
    screen = Screen(as_json=as_json)
    if as_json:
        screen.json({"run": name} | asdict(rating))
    else:
        screen.line(f"rated {name}: {one_line(str(rating))}")


@app.command()
def replay(run: Run, as_json: Json = False, config: ConfigFile = None) -> None:
    """Run a stored conversation again on the stored replies: costs nothing. Says whether the answer is the same."""
    from moa.mixture import Mixture
    from moa.providers.replay import from_events

    kept = store(config)
    name = kept.find(run)
    facts = kept.events(name)
    started = _started(facts, name)
    recording = Recording(Mixture.from_config(started.mixture, config=config), from_events(facts), f"run {name}")
    quiet = Screen(quiet=True)
    if as_json:
        answer = asyncio.run(recording.ask(started.conversation)).text
    else:
        answer = asyncio.run(answered(recording, started.conversation, Wishes(), quiet)).text
    stored = next((fact.fact.reply.text for fact in facts if isinstance(fact.fact, RunFinished)), None)
    if as_json:
        quiet.json(
            {"run": name, "mixture": started.mixture, "answer": answer, "stored": stored, "equal": answer == stored}
        )
    else:
        same = "equal to" if answer == stored else "not equal to"
        Screen().say("the stored run has no answer" if stored is None else f"{same} the stored answer")


@app.command()
def export(
    runs: Runs = None,
    form: Annotated[
        Literal["jsonl", "recording"], typer.Option("--format", help="Events, or a recording for `moa ask --replay`.")
    ] = "jsonl",
    config: ConfigFile = None,
) -> None:
    """Print runs as JSON lines, oldest first: all of them, or those named."""
    kept = store(config)
    names = [kept.find(run) for run in runs] if runs else [run.id for run in reversed(kept.runs(None))]
    for name in names:
        facts = kept.events(name)
        if form == "recording":
            _started(facts, name)
        Screen().answer(_recording(facts) if form == "recording" else _lines(facts))


@app.command()
def delete(
    runs: Runs = None,
    every: Annotated[bool, typer.Option("--all", help="Every run.")] = False,
    older: Annotated[float | None, typer.Option("--older-than", metavar="DAYS", min=0, help="Runs so old.")] = None,
    yes: Yes = False,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """Remove runs for good: those named, all, or those older than so many days."""
    if sum((bool(runs), every, older is not None)) != 1:
        raise ConfigError("say what to delete: ids of runs, or --all, or --older-than DAYS")
    kept = store(config)
    names = [kept.find(run) for run in runs or ()]
    what = "every run" if every else f"runs older than {older:g} days" if older is not None else ", ".join(names)
    _confirm(f"delete {what}?", yes)
    if every:
        count = kept.delete_all()
    elif older is not None:
        count = kept.prune(older)
    else:
        count = sum(kept.delete(name) for name in dict.fromkeys(names))
    screen = Screen(as_json=as_json)
    if as_json:
        screen.json({"deleted": count})
    else:
        screen.line(f"deleted {count} run{'' if count == 1 else 's'}")


def store(config: Path | None) -> Sqlite:
    """The store of the configuration, also where new runs are not kept."""
    from moa.config.build import open_store
    from moa.config.load import load

    return open_store(load(file=config).spec.store, os.environ)


def _started(facts: list[Event], name: str) -> RunStarted:
    """How a run began.

    Raises:
        ConfigError: what was said in it was not kept, so it can be neither replayed nor recorded.
    """
    began = next((event.fact for event in facts if isinstance(event.fact, RunStarted)), None)
    if began is None or not began.conversation:
        raise ConfigError(f"run {name}: its texts were not kept ([store] prompts = false), so it cannot be replayed")
    return began


def _recording(facts: list[Event]) -> str:
    from moa.providers.replay import from_events, written

    return written(from_events(facts)).decode()


def _lines(facts: list[Event]) -> str:
    from moa.core.plain import to_plain

    return "".join(f"{json.dumps(to_plain(event))}\n" for event in facts)


def _confirm(what: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError("nobody is there to ask; --yes deletes without asking")
    sys.stderr.write(f"{one_line(what)} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise ConfigError("nothing was deleted")
