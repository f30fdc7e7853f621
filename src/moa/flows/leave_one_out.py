"""Leave one out: on whose proposals an answer hangs, found by combining again without each in turn (the jackknife: Quenouille 1956;
Tukey 1958)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from moa.core.flow import Combine, Fork, Outcomes, mapped, quiet
from moa.core.types import Conversation, Replies, Reply
from moa.flows.answers import Kind, answer_of


def telling(combine: Combine, kind: Kind = "auto") -> Combine:
    """The same way to combine, whose reply says in its notes on whose proposals it hangs.

    That takes as many more combinations as there are proposals, at once. They are extra: nothing of them is streamed, and where
    money or time is out the answer stands without. Where the caller asks for a form they are not made.
    """

    async def combined(conversation: Conversation, references: Replies) -> Reply:
        formed = False

        def heard(ask: object, outcomes: Outcomes) -> Outcomes:
            nonlocal formed
            formed = formed or outcomes.formed
            return outcomes

        reply = await mapped(combine(conversation, references), lambda ask: ask, heard)
        if len(references) < 2:
            return reply
        if formed:
            return reply.noted("leave one out: not told where a form of the answer is asked for")
        return reply.noted(*told(references, await leave_one_out(combine, conversation, references, reply, kind)))

    return combined


async def leave_one_out(
    combine: Combine, conversation: Conversation, references: Replies, whole: Reply, kind: Kind = "auto"
) -> tuple[bool | None, ...]:
    """For each reference, whether the answer is another one than the `whole` without it; None where that is not known, since what
    was combined failed, or a proposal stood in for who did."""
    flows = tuple(
        _again(combine, conversation, references[:place] + references[place + 1 :]) for place in range(len(references))
    )
    found = await Fork(flows, least=0, label="leave one out", steps=1, extra=True)
    answer = answer_of(whole.text, kind)
    return tuple(
        answer_of(one.text, kind) != answer
        if isinstance(one, Reply) and not (_stood_in(one) or _stood_in(whole))
        else None
        for one in found
    )


async def _again(combine: Combine, conversation: Conversation, references: Replies) -> Reply:
    return await mapped(quiet(combine(conversation, references)), lambda ask: replace(ask, extra=True))


def _stood_in(reply: Reply) -> bool:
    return any(note.startswith("fallback:") for note in reply.notes)


def told(references: Replies, hangs: tuple[bool | None, ...]) -> tuple[str, ...]:
    """The notes that say so, each proposal under the name of its agent, further ones of the same with their number."""
    seen: Counter[str] = Counter()
    without: dict[bool | None, list[str]] = {True: [], False: [], None: []}
    for one, hang in zip(references, hangs, strict=True):
        name = one.agent or "a proposal"
        seen[name] += 1
        without[hang].append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    words = {True: "the answer is another", False: "it is the same", None: "it is not known"}
    return tuple(
        f"leave one out: without {' or '.join(names)} {words[hang]}" for hang, names in without.items() if names
    )
