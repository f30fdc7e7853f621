"""How often each agent agreed with answers that were verified: what its word is worth where nobody grades the questions.

An answer is verified where a verifier passes it, or where most of the other agents that saw the same input give it: an agent's own
word never counts for it, and what it says of itself (a confidence, an agreement) is not read at all. What was long ago counts less
(Beta counts that fade: the beta reputation system, Jøsang and Ismail 2002).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from math import isfinite
from pathlib import Path
from statistics import median

from moa.core.errors import ConfigError
from moa.core.events import CallFinished, CallStarted, Event, RunFailed, RunFinished
from moa.evals.records import Record
from moa.flows.answers import Kind, answer_of
from moa.flows.check import Verifier, checked
from moa.flows.weigh import Weights

FADES = 0.995
"""What a count is still worth after one more: the last 200 or so make the standing."""
FLOOR = 0.5
"""Who agrees less than this part of what the middle agent does is worth nothing."""
FEWEST = 10
"""So many verified answers must an agent have had before it can be left out."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How often each agent `agreed` of the times it was `asked` and the answer was verified; plain counts, faded."""

    agreed: Mapping[str, float] = field(default_factory=dict)
    asked: Mapping[str, float] = field(default_factory=dict)

    def after(self, agreed: Mapping[str, bool]) -> Standing:
        """The standing after one more question; who is not named stands as before."""
        one, two = dict(self.agreed), dict(self.asked)
        for agent, so in agreed.items():
            one[agent] = one.get(agent, 0.0) * FADES + so
            two[agent] = two.get(agent, 0.0) * FADES + 1
        return replace(self, agreed=one, asked=two)

    def share(self, agent: str) -> float:
        """How often an agent agreed, held to a half while little is known of it; 0 to 1."""
        return (self.agreed.get(agent, 0.0) + 1) / (self.asked.get(agent, 0.0) + 2)

    def weights(self, floor: float = FLOOR) -> Weights:
        """What each vote is worth: its agent's share; nothing where that is below `floor` times the middle one's. They are what
        `weights = "weights.json"` reads. A new agent counts for a half."""
        shares = {agent: self.share(agent) for agent in self.asked}
        least = floor * median(shares.values()) if shares else 0.0
        out = {agent for agent, share in shares.items() if share < least and self.asked[agent] >= FEWEST}
        return Weights({agent: 0.0 if agent in out else share for agent, share in shares.items()}, other=0.5)


def by_others(answers: Mapping[str, str | None]) -> dict[str, bool]:
    """Whether each agent gave the answer that more than half of the others gave; only those of whom there are two others at least
    who agree so. None is no answer: it is no part of it."""
    given = {agent: answer for agent, answer in answers.items() if answer is not None}
    verdicts = {}
    for agent, answer in given.items():
        others = Counter(other for name, other in given.items() if name != agent)
        most, count = others.most_common(1)[0] if others else ("", 0)
        if count >= 2 and 2 * count > len(given) - 1:
            verdicts[agent] = answer == most
    return verdicts


def by_verified(answers: Mapping[str, str | None], verified: str | None) -> dict[str, bool]:
    """Whether each agent that answered gave the verified answer; nobody where there is none."""
    return {} if verified is None else {agent: one == verified for agent, one in answers.items() if one is not None}


def learn(records: Iterable[Record], standing: Standing | None = None) -> Standing:
    """The standing after records, from the first to the last: of graded ones by what is right, of others by `by_others`."""
    standing = standing or Standing()
    for record in records:
        graded = {
            agent: record.right[agent] > 0.5 for agent, one in record.answers.items() if one and agent in record.right
        }
        standing = standing.after(graded or by_others(record.answers))
    return standing


@dataclass(slots=True, eq=False)
class Listening:
    """A sink that learns from runs as they end: `Mixture(…, sinks=[listening])`, or each event of stored ones. With a verifier an
    answer is verified that it passes; without, one that most of the others give. Read are the proposers without references, of one
    and the same conversation."""

    standing: Standing = field(default_factory=Standing)
    kind: Kind = "auto"
    verifier: Verifier | None = None
    _asked: dict[str, dict[int, CallStarted]] = field(default_factory=dict)
    _said: dict[str, dict[int, str]] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        """See Sink."""
        match event.fact:
            case CallStarted(role="proposer", references=0) as fact:
                self._asked.setdefault(event.run, {})[event.span] = fact
            case CallFinished(reply=reply) if event.span in self._asked.get(event.run, {}):
                self._said.setdefault(event.run, {})[event.span] = reply.text
            case RunFinished(reply=reply):
                answers = self._answers(event.run)
                if self.verifier is None:
                    self.standing = self.standing.after(by_others(answers))
                elif checked(self.verifier, [reply.text])[0][0] > 0:
                    self.standing = self.standing.after(by_verified(answers, answer_of(reply.text, self.kind)))
                self._forget(event.run)
            case RunFailed():
                self._forget(event.run)

    def _answers(self, run: str) -> dict[str, str | None]:
        """The first answer of each agent that saw what most of them saw."""
        asked, said = self._asked.get(run, {}), self._said.get(run, {})
        saw = {span: dict(asked[span].digests).get("conversation") for span in sorted(said)}
        same = Counter(saw.values()).most_common(1)
        answers: dict[str, str | None] = {}
        for span, what in saw.items():
            if what == same[0][0]:
                answers.setdefault(asked[span].agent, answer_of(said[span], self.kind))
        return answers

    def _forget(self, run: str) -> None:
        self._asked.pop(run, None)
        self._said.pop(run, None)


def written(standing: Standing) -> str:
    """The JSON that `read` reads."""
    return json.dumps(asdict(standing), indent=1, sort_keys=True) + "\n"


def read(path: str | Path) -> Standing:
    """A standing that was written to a file; an empty one where there is no such file.

    Raises:
        ConfigError: the file is no standing.
    """
    try:
        found = json.loads(Path(path).read_text("utf-8"))
        parts = [{str(agent): float(count) for agent, count in found[name].items()} for name in ("agreed", "asked")]
        if not all(isfinite(count) for part in parts for count in part.values()):
            raise ValueError("a count is not finite")
    except FileNotFoundError:
        return Standing()
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise ConfigError(f"{path}: this is no standing ({error!r}); learn it anew, or remove the file") from None
    if any(not 0 <= parts[0].get(agent, 0.0) <= count for agent, count in parts[1].items()):
        raise ConfigError(f"{path}: an agent agreed more often than it was asked; learn it anew, or remove the file")
    return Standing(*parts)
