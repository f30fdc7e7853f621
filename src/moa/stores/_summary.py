"""One run in one line: what a list of runs shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, TypeAlias

from moa.core.errors import ConfigError
from moa.core.events import CallStarted, Event, RunFailed, RunFinished, RunStarted
from moa.core.types import Conversation

State: TypeAlias = Literal["finished", "failed", "open"]

QUESTION_LENGTH = 200
"""Characters of a question that a list of runs shows."""

NEAR = 0.75
"""How like an id must be to be called the nearest, 0 to 1."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run at a glance.

    `started` is Unix seconds; `seconds` is how long it took and `cost` US dollars, both None while the run is open (and
    `cost` where a price is unknown). A run that was killed stays open. `question` is empty where prompts are not kept.
    """

    id: str
    started: float
    mixture: str = ""
    question: str = ""
    state: State = "open"
    seconds: float | None = None
    cost: float | None = None
    calls: int = 0


def summarise(events: Sequence[Event]) -> RunSummary:
    """The summary of one run's events, of which there is at least one."""
    first = events[0]
    started, mixture, question = first.time, "", ""
    state: State = "open"
    seconds = cost = None
    for event in events:
        match event.fact:
            case RunStarted() as fact:
                started, mixture, question = event.time, printable(fact.mixture), question_of(fact.conversation)
            case RunFinished() | RunFailed() as fact:
                state, seconds, cost = state_after(fact), fact.seconds, fact.cost
    calls = sum(isinstance(event.fact, CallStarted) for event in events)
    return RunSummary(first.run, started, mixture, question, state, seconds, cost, calls)


def state_after(fact: RunFinished | RunFailed) -> State:
    """What a run is after its last event."""
    return "finished" if isinstance(fact, RunFinished) else "failed"


def question_of(conversation: Conversation) -> str:
    """The first text a user said, on one line, shortened to QUESTION_LENGTH characters."""
    said = next((message.text for message in conversation if message.role == "user" and message.text.strip()), "")
    line = printable(" ".join(said[: 10 * QUESTION_LENGTH].split()))
    return line if len(line) <= QUESTION_LENGTH else line[: QUESTION_LENGTH - 1] + "…"


def printable(text: str) -> str:
    """`text` with lone surrogates replaced: neither SQLite nor a terminal takes them."""
    return text.encode("utf-8", "replace").decode("utf-8")


def newest(summaries: Iterable[RunSummary], limit: int | None) -> list[RunSummary]:
    """The `limit` newest (all for None), newest first; of two that started together, the one that was added later."""
    return sorted(summaries, key=lambda summary: summary.started)[::-1][:limit]


def the_run(prefix: str, ids: Sequence[str]) -> str:
    """The one id of `ids` that starts with `prefix`; an id that equals it wins.

    Raises:
        ConfigError: none does, or several do.
    """
    matching = [run for run in ids if prefix and run.startswith(prefix)]
    if prefix in matching:
        return prefix
    if not matching:
        starts = {run[: len(prefix)]: run for run in ids}
        near = get_close_matches(prefix, starts, 1, NEAR)
        hint = f"; the nearest is {starts[near[0]]}" if near else ""
        raise ConfigError(f'no run "{prefix}" is kept here{hint}; `moa runs` lists what there is')
    if len(matching) > 1:
        some = ", ".join(matching[:3]) + (", …" if len(matching) > 3 else "")
        raise ConfigError(f'"{prefix}" is the start of several runs ({some}); give more of the id (`moa runs`)')
    return matching[0]
