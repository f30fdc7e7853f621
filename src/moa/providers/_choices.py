"""Several answers of one call, whatever wire they come on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from moa.core.errors import Refused
from moa.core.events import deltas_of
from moa.core.ports import Scope
from moa.core.types import Choice, Reply, Usage
from moa.providers._saying import Saying


def numbered(given: Sequence[int | None], *, whole: bool) -> Sequence[int]:
    """Which answer each of several is: as the host numbers them, where None is 0, as some leave it out; by their place where two
    have one number. In a piece of a stream (not `whole`) these are two pieces of one answer, unless one has no number."""
    numbers = [number or 0 for number in given]
    alike = len(set(numbers)) < len(numbers)
    return range(len(numbers)) if alike and (whole or None in given) else numbers


def several(first: Saying, further: Mapping[int, Saying], scope: Scope, *, ended: bool) -> Reply:
    """The reply of a call that may have several answers: the first that is one, with the others beside it.

    One that was withheld is without text and ends with `content_filter`, as OpenAI has it; one that is empty or broke off is left
    out. Both are noted. What was streamed of the first stays the answer, whatever it is.

    Raises:
        Cut, Refused: see `Saying.reply`; of the first, where none is an answer.
    """
    if not further:
        return first.reply(ended=ended)
    ends = [_end(first, ended=ended), *(_end(further[number], ended=True) for number in sorted(further))]
    streamed = scope.want_deltas and bool(first.text or first.tools)
    answer = ends[0] if streamed else next((end for end in ends if _answers(end)), ends[0])
    if isinstance(answer, Refused):
        raise answer
    if answer is not ends[0] and scope.want_deltas:
        for delta in deltas_of(answer, scope.attempt, final=scope.final):
            scope.emit(delta)
    others, notes = [], [*answer.notes]
    for number, end in enumerate(ends, 1):
        if end is not answer:
            choice, note = _beside(end)
            others += choice
            notes += [f"choice {number} of {len(ends)} {note}"] if note else ()
    usage = first.usage or Usage(estimated=True)
    return replace(answer, model=first.model, usage=usage, cost=first.cost, notes=tuple(notes), others=tuple(others))


def _end(saying: Saying, *, ended: bool) -> Reply | Refused:
    try:
        return saying.reply(ended=ended)
    except Refused as error:
        return error


def _answers(end: Reply | Refused) -> bool:
    return isinstance(end, Reply) and not end.blank and end.finish not in ("error", "content_filter")


def _beside(end: Reply | Refused) -> tuple[list[Choice], str]:
    """A further answer, or none, and what is to be said of it."""
    if isinstance(end, Refused):
        return [Choice("", "content_filter")], f"was withheld: {end.args[0]}"
    if end.blank:
        return [], "is empty, and is left out"
    if end.finish == "error":
        return [], "broke off with an error, and is left out"
    return [Choice(end.text, end.finish, end.tool_calls, end.reasoning, end.logprobs)], ""
