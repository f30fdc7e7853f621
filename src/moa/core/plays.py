"""One play of a flow for a plan: what it asked of placeholders, in which branches, and whether it came to an answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

from moa.core.flow import Ask, Flow, Fork, Outcome, Outcomes, mapped, play
from moa.core.placeholders import Path, Place, Placed, Playing
from moa.core.types import Call, Conversation, Replies, Reply
from moa.core.ways import Chooser

Lane: TypeAlias = tuple[tuple[int, int], ...]
"""In which branches of which forks a step stands, from the outermost: the number of the fork, and the branch's place in it."""
MOST_STEPS = 1000
"""A play ends after this many steps: a flow that loops until it likes an answer never likes a placeholder's."""


@dataclass(slots=True)
class Play:
    """What a flow has asked, each step with its lane; `ended`: it came to an answer; `soles`: somebody
    proposes by himself, inside of a fork."""

    answer: Placed
    late: bool
    asked: list[Ask] = field(default_factory=list)
    lanes: list[Lane] = field(default_factory=list)
    ended: bool = False
    soles: bool = False
    _forks: list[Fork[Any]] = field(default_factory=list)
    _lane: list[tuple[int, int]] = field(default_factory=list)
    _step: int = 0
    _out: dict[Lane, Replies] = field(default_factory=dict)

    @property
    def calls(self) -> list[Call]:
        """All calls, in the order asked."""
        return [call for ask in self.asked for call in ask.calls]

    def widths(self) -> dict[Path, int]:
        """How many members each layer has that proposes, agents or mixtures, by its path."""
        found: dict[Path, int] = {}
        for ask, lane in zip(self.asked, self.lanes, strict=True):
            if proposing := sum(call.role == "proposer" for call in ask.calls):
                path = self._path(ask, lane)
                wide = [*(len(self._forks[number].flows) for number, _ in lane), proposing]
                found |= {path[: 2 * depth + 1]: width for depth, width in enumerate(wide)}
        return found

    def outcome(self, call: Call) -> Outcome:
        """What becomes of a call of the last step."""
        ask, lane = self.asked[-1], self.lanes[-1]
        leading = all(place < max(self._forks[number].least, 1) for number, place in lane)
        first, path = self._step < ask.least, self._path(ask, lane)
        sole = len(ask.calls) == 1 and bool(lane) and call.role == "proposer" and ask.label != call.agent
        self.soles = self.soles or sole
        self._step += 1
        return self.answer(call, Place(first, leading, sole, path))

    def seeing(self, ask: Ask) -> Ask:
        """Everybody answers, also who sees none of the parts of this question: the next one may have them."""
        if len(self.asked) == MOST_STEPS:
            raise _Enough
        self.asked.append(ask)
        self.lanes.append(tuple(self._lane))
        self._lane.clear()
        self._step = 0
        views = any(call.manner.view for call in ask.calls)
        calls = tuple(replace(call, manner=replace(call.manner, view=())) for call in ask.calls) if views else ask.calls
        return replace(ask, calls=calls, need=None if self.late else ask.need)

    def heard(self, ask: Ask, outcomes: Outcomes) -> Outcomes:
        """The same, with those that may come late by then."""
        if self.late:
            lane = self.lanes[-1]
            outcomes.late = self._out.pop(lane, ())
            if ask.keep and ask.need is not None:
                self._out[lane] = outcomes.replies[ask.need :]
        return outcomes

    def forked(self, fork: Fork[Any]) -> Fork[Any]:
        """The same, its flows telling in which branch they ask."""
        number = len(self._forks)
        self._forks.append(fork)
        return replace(
            fork,
            flows=tuple(mapped(flow, partial(self._inside, (number, place))) for place, flow in enumerate(fork.flows)),
        )

    def _inside(self, branch: tuple[int, int], ask: Ask) -> Ask:
        self._lane.append(branch)
        return ask

    def _path(self, ask: Ask, lane: Lane) -> Path:
        return (*(step for number, place in lane for step in (self._forks[number].label, place)), ask.label)


def played(
    flow: Callable[[Conversation], Flow[Reply]], conversation: Conversation, playing: Playing, choose: Chooser
) -> Play:
    """The play of a flow up to its end or its error: it may well choke on placeholders."""
    made, one = flow(conversation), Play(playing.answers(), playing.late)
    with suppress(Exception):
        play(mapped(made, one.seeing, one.heard, forked=one.forked), one.outcome, choose=choose)
        one.ended = True
    return one


class _Enough(Exception):
    """This play has gone on for long enough."""
