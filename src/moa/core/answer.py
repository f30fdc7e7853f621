"""What a question comes to: the answer, and the whole run behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from moa.core.events import Event
from moa.core.money import by_role
from moa.core.types import Usage
from moa.core.view import CallView, View, folded


@dataclass(frozen=True)
class Answer:
    """The answer of a mixture, and the events of its run (all but deltas)."""

    text: str
    events: tuple[Event, ...] = field(repr=False)

    @cached_property
    def view(self) -> View:
        """The whole run as a person would see it."""
        return folded(self.events)

    def __str__(self) -> str:
        return self.text

    @property
    def run(self) -> str:
        """The id of the run: `moa runs show ID`."""
        return self.view.run

    @property
    def proposals(self) -> tuple[CallView, ...]:
        """What the proposers said, in the order they were asked."""
        return tuple(call for call in self.view.calls if call.role == "proposer" and call.state == "done")

    @property
    def usage(self) -> Usage:
        """Tokens of all calls."""
        return self.view.usage

    @property
    def cost(self) -> float | None:
        """US dollars of all calls; None where a price is unknown."""
        return self.view.cost

    @property
    def costs(self) -> Mapping[str, float | None]:
        """US dollars by role: proposer, aggregator, judge …; None where a price is unknown."""
        calls = self.view.calls
        paid = [(call.role, call.cost) for call in calls if call.ended is not None and call.state == "done"]
        return by_role(paid + [(call.role, call.wasted) for call in calls if call.wasted != 0.0])

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.view.ended or self.view.started) - self.view.started

    @property
    def degraded(self) -> bool:
        """Whether anything is noted: someone failed on the way, something was cut, left out or replaced, or is in doubt; `notes`
        and `view.calls` say what and why."""
        return self.view.degraded

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know: fallbacks, cuts, replacements."""
        return self.view.notes
