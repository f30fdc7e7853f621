"""How far answers agree: told apart for agents that saw the same and for those that saw different parts of the question.

Only the first is a measure of confidence. Agents that saw different parts may well be right and differ, and where they agree this
is evidence of another kind: it is reported, and decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from moa.core.agents import Agent
from moa.core.errors import ConfigError
from moa.core.view import CallView, StepView, View
from moa.flows.answers import Kind, answer_of


class Said(Protocol):
    """A Reply, or the CallView of one."""

    @property
    def text(self) -> str:
        """What was said."""
        ...

    @property
    def saw(self) -> tuple[str, ...]:
        """The names of the parts that its author was shown."""
        ...


@dataclass(frozen=True, slots=True)
class Agreement:
    """Shares from 0 to 1; None where there are no two to compare.

    `same_input`: of those that saw the same as another, how many give the most frequent answer among these. `different_parts`: of
    the groups that saw different parts, how many give the most frequent of the groups' answers.
    """

    same_input: float | None
    different_parts: float | None


def agreement(said: Sequence[Said], kind: Kind = "auto") -> Agreement:
    """How far these agree. One without an answer agrees with nobody; who abstained is not among them."""
    groups: dict[tuple[str, ...], list[str | None]] = {}
    for one in said:
        groups.setdefault(one.saw, []).append(answer_of(one.text, kind))
    panels = [group for group in groups.values() if len(group) > 1]
    compared = sum(map(len, panels))
    same = sum(_most(group) for group in panels) / compared if panels else None
    heads = [_leading(group) for group in groups.values()]
    return Agreement(same, _most(heads) / len(heads) if len(heads) > 1 else None)


def agreement_of(view: View) -> Agreement | None:
    """How far the agents agreed that answered the question of a run themselves, before anybody read another: those of its first
    layer, in all groups of a tree, all batches of a vote, and in mixtures that stand in the layer; where the first to be asked did
    not agree, those of the mixture behind them. None where there are no two of them to compare."""
    panel = _panel(view)
    return agreement(panel, cast("Kind", view.answers)) if len(panel) > 1 else None


def _panel(view: View) -> list[CallView]:
    steps = {step.span: step for step in view.steps}
    panels: dict[int, list[CallView]] = {}
    for call in view.calls:
        if call.role == "proposer" and call.state == "done" and not call.read:
            panels.setdefault(_whole(call.step, steps), []).append(call)
    spans = list(panels)
    labels = [steps[span].label if span in steps else "" for span in spans]
    if labels[1:] and labels[0] == "first":  # escalate.py
        return panels[spans[1]]
    batches = [span for span, label in zip(spans, labels, strict=True) if label.startswith("batch ")]  # adaptive.py
    return [call for span in batches or spans[:1] for call in panels[span]]


def _whole(span: int, steps: Mapping[int, StepView]) -> int:
    """The outermost step that a step is a part of."""
    while span in steps and steps[span].parent in steps:
        span = steps[span].parent
    return span


def confidence(said: Sequence[Said], kind: Kind = "auto") -> float:
    """How far agents that saw the same input agree, 0 to 1; 0 where no two of them did. A single answer to a question without
    named parts agrees with itself."""
    same = agreement(said, kind).same_input
    if same is not None:
        return same
    return float(len(said) == 1 and not said[0].saw and answer_of(said[0].text, kind) is not None)


def unanimous(said: Sequence[Said], kind: Kind = "auto") -> bool:
    """Whether all of them give the same answer, and those that saw the same bear it out: where no two did, that all agree ends
    nothing."""
    return confidence(said, kind) == 1.0 and len({answer_of(one.text, kind) for one in said}) == 1


def alike(said: Sequence[Said]) -> bool:
    """Whether all of them saw the same, so that a count of their answers is a measure of confidence."""
    return len({one.saw for one in said}) < 2


def comparable(members: Iterable[object], what: str, *, all_of_them: bool = False) -> None:
    """See that some two of the members see the same parts (or all of them do), so that their agreement says something.

    Raises:
        ConfigError: they do not, or there are no two of them; begins with `what`.
    """
    views = Counter(tuple(sorted(one.view)) if isinstance(one, Agent) else () for one in members)
    if not all_of_them and sum(views.values()) < 2:
        raise ConfigError(
            f"{what}: one by itself agrees with itself; name several, or take 2 or more samples of an agent"
        )
    if (all_of_them and len(views) > 1) or (sum(views.values()) > 1 and max(views.values()) < 2):
        raise ConfigError(
            f"{what}: its members see different parts of the question (view), so that their agreement is no measure of confidence; "
            f"give {'all' if all_of_them else 'at least two'} of them the same view"
        )


def _most(answers: Sequence[str | None]) -> int:
    return max(Counter(answer for answer in answers if answer is not None).values(), default=0)


def _leading(answers: Sequence[str | None]) -> str | None:
    given = Counter(answer for answer in answers if answer is not None)
    return given.most_common(1)[0][0] if given else None
