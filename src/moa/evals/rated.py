"""Records of own runs that were rated (`moa runs rate`): what each proposer answered there, and whether that is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from moa.core.errors import ConfigError
from moa.core.events import CallStarted, Event
from moa.core.prompts import up_to_last_turn
from moa.core.view import CallView, folded
from moa.evals.records import Record
from moa.flows.answers import Kind, answer_of
from moa.stores.rating import Rating

FEWEST = 10
"""Records without which nothing is learnt from runs."""


def rated(
    runs: Iterable[tuple[Sequence[Event], Rating]], agents: Sequence[str] = (), kind: Kind = "auto"
) -> tuple[list[Record], tuple[str, ...]]:
    """The records of rated runs, and the agents in them: those given, else those that were asked together most often. A run that
    does not tell of each of them is left out, never taken for wrong.

    Raises:
        ConfigError: fewer than FEWEST runs tell of them; says how runs are rated.
    """
    found = [record for events, rating in runs for record in (record_of(events, rating, kind),) if record is not None]
    together = Counter(tuple(sorted(record.answers)) for record in found)
    wanted = tuple(agents) or next((names for names, _ in together.most_common(1)), ())
    whole = [record for record in found if record.right.keys() >= set(wanted)]
    if len(whole) < FEWEST:
        of_whom = f" tell of {', '.join(wanted)}" if wanted else ""
        raise ConfigError(
            f"--runs: {len(whole)} rated runs{of_whom}, {FEWEST} at least are needed; `moa runs rate ID --answer ANSWER` "
            "rates one (or right or wrong in place of --answer: wrong tells only of those that gave the run's answer)"
        )
    return whole, wanted


def record_of(events: Sequence[Event], rating: Rating, kind: Kind = "auto") -> Record | None:
    """What a rated run says of the proposers that saw no other's answer, by the first call of each; None where it says nothing.

    Where only the run's answer is known to be wrong, others than it are neither right nor wrong; where it is right and no proposer
    gave it, it may only be worded otherwise, and says nothing. Who failed or abstained is not right; of a call that was stopped
    nothing is known.
    """
    view = folded(events)
    alone = {
        event.span
        for event in events
        if isinstance(event.fact, CallStarted) and (event.fact.role, event.fact.references) == ("proposer", 0)
    }
    first: dict[str, CallView] = {}
    for call in view.calls:
        if call.span in alone:
            first.setdefault(call.agent, call)
    calls = {name: call for name, call in first.items() if call.state in ("done", "failed", "abstained")}
    told = answer_of(view.answer if rating.right is not None else rating.answer, kind)
    if not calls or told is None or not view.conversation:
        return None
    answers = {name: answer_of(call.text, kind) if call.state == "done" else None for name, call in calls.items()}
    if rating.right and told not in answers.values():
        return None
    known = {name: one for name, one in answers.items() if rating.right is not False or one in (told, None)}
    return Record(
        question=up_to_last_turn(view.conversation)[-1].text,
        answers=answers,
        right={name: float(one == told and rating.right is not False) for name, one in known.items()},
        key=view.run,
        cost={name: cost for name, call in calls.items() if (cost := _cost(call)) is not None},
        seconds={name: call.ended - call.started for name, call in calls.items() if call.ended is not None},
    )


def _cost(call: CallView) -> float | None:
    """What a call cost; one that failed has no reply to pay for."""
    return 0.0 if call.cost is None and call.state == "failed" else call.cost
