"""What a plan plays in the place of replies: placeholders that agree, disagree, fail, state nothing, stand alone, and judges that
want no more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TypeAlias

from moa.core.errors import CallError
from moa.core.flow import Outcome
from moa.core.tokens import most_tokens
from moa.core.types import Call, Reply, Usage

PLACEHOLDER = "plan:placeholder"
Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Whether a call is one of the `first` of its step, as many as it needs at least, and in the first branches of each fork
    (`leading`); whether it is a `sole` proposer; and by what labels and branches it is reached (`path`), its step's the last."""

    first: bool
    leading: bool
    sole: bool
    path: Path


Placed: TypeAlias = Callable[[Call, Place], Outcome]
"""What becomes of a call."""


@dataclass(frozen=True, slots=True)
class Playing:
    """One way to play all calls. `formed`: it shows, too, of which calls answers are. `late`: whoever may be late is, and comes."""

    answers: Callable[[], Placed]
    formed: bool = False
    late: bool = False


def placeholder(call: Call, text: str) -> Reply:
    """A reply that says this, and counts as long as the call's may be."""
    return Reply(text, model=PLACEHOLDER, agent=call.agent, usage=Usage(output=most_tokens(call)))


def answering(call: Call, number: int, work: str = "") -> Reply:
    """A placeholder whose answer, of whatever kind it is read, is that of this number; letters come again after ten."""
    letter = "ABCDEFGHIJ"[number % 10]
    return placeholder(call, f'{work}```json\n{{"probability": 0.{number}}}\n```\nAnswer: {letter} {number}')


def _agreeing(call: Call, place: Place) -> Outcome:
    return answering(call, 1)


def _failing(call: Call, place: Place) -> Outcome:
    return CallError("a placeholder that fails")


def _stating_nothing(call: Call, place: Place) -> Outcome:
    """A reply in which there is no answer, of whatever kind it is read."""
    return placeholder(call, "**")


def _disagreeing() -> Placed:
    numbers = count(1)
    return lambda call, place: answering(call, next(numbers))


def _saying(verdict: str, others: Placed, call: Call, place: Place) -> Outcome:
    """Judges that say this, or fail where it is empty."""
    if call.role != "judge":
        return others(call, place)
    return placeholder(call, verdict) if verdict else _failing(call, place)


def _one(call: Call, place: Place) -> Outcome:
    """Of those that propose at once only the first reply, and all say the same at length, which counts once."""
    return _one_each(call, place) if place.leading or call.role == "judge" else _failing(call, place)


def _one_each(call: Call, place: Place) -> Outcome:
    """The same in all branches, which so come to copies of one answer."""
    silent = call.role == "proposer" and not place.first
    return _failing(call, place) if silent else answering(call, 1, _AT_LENGTH)


def _once() -> Placed:
    """Of each agent that is asked more than once the first sample replies alone."""
    numbers = count(1)

    def answer(call: Call, place: Place) -> Outcome:
        again = call.role == "proposer" and call.sample > 0
        return _failing(call, place) if again else answering(call, next(numbers))

    return answer


def _fewer(failing: Callable[[Call, Place], bool]) -> Placed:
    """Those fail, so that who combines what they were to say answers alone."""
    numbers = count(1)
    return lambda call, place: _failing(call, place) if failing(call, place) else answering(call, next(numbers))


_AT_LENGTH = "The same work as all others have done. " * 8


@dataclass(slots=True)
class _Only:
    """Of those that propose, `within` a layer (empty: everywhere), only some `agents` reply (None: all), and of all layers only
    the widest, by `widths`."""

    agents: Collection[str] | None = None
    widths: Mapping[Path, int] = field(default_factory=dict)
    within: Path = ()
    numbers: count[int] = field(default_factory=lambda: count(1))

    def __call__(self, call: Call, place: Place) -> Outcome:
        deep = len(place.path) - (call.role != "proposer")
        here = deep > 0 and place.path[: len(self.within)] == self.within
        other = here and self.agents is not None and call.agent not in self.agents
        silent = call.role != "judge" and (other or any(self._narrow(place.path[:at]) for at in range(1, deep + 1, 2)))
        return _failing(call, place) if silent else answering(call, next(self.numbers))

    def _narrow(self, path: Path) -> bool:
        beside = [width for one, width in self.widths.items() if one[:-1] == path[:-1]]
        return path in self.widths and self.widths[path] < max(beside)


_STOP, _NO_FAULTS = "Keep: 1\nStop", "No faults"


def _judged(verdict: str, others: Placed, *, formed: bool = False) -> Playing:
    said = partial(_saying, verdict, others)
    return Playing(lambda: said, formed)


PLAYINGS = (
    Playing(lambda: _agreeing, formed=True),
    Playing(_disagreeing, formed=True),
    Playing(lambda: _failing, formed=True),
    Playing(lambda: _stating_nothing),
    *(_judged(verdict, _agreeing, formed=True) for verdict in (_STOP, _NO_FAULTS)),
)
"""What every plan plays."""
FEWEST = (*(_judged(verdict, _one) for verdict in ("", _STOP, _NO_FAULTS)), Playing(lambda: _Only(())))
"""And to know the fewest calls."""
ONCE = Playing(_once)
"""And where agents are asked more than once."""
SOLE = Playing(lambda: _fewer(lambda call, place: place.sole))
"""And where there are sole proposers inside of something: a group, or a mixture in a layer."""
BRANCHED = (Playing(lambda: _fewer(lambda call, place: call.role == "proposer")), Playing(lambda: _one_each))
"""And where flows run beside each other: each may have nobody but who combines, or all say the same."""
LATE = Playing(_disagreeing, late=True)
"""And where a step may close early."""


def only(agents: Collection[str] | None, widths: Mapping[Path, int], within: Path = ()) -> Playing:
    """And where some agents are asked more than once while others reply, or layers differ in their widths: those agents alone
    reply, `within` a layer or everywhere, of the widest layers."""
    return Playing(lambda: _Only(agents, widths, within))
