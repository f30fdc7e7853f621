"""Never worse: a synthesis is the answer only where it is not worse than the best proposal it was made of.

Synthesis can lose what a proposal had (selection beats it 0.81 to 0.18 in arXiv 2603.20324): so the best proposal is an anchor.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from moa.core.agents import Agent
from moa.core.errors import CallError
from moa.core.flow import Ask, Choose, Combine, Outcomes, held, mapped
from moa.core.prompts import SELECT, as_given
from moa.core.types import Conversation, Replies, Reply
from moa.flows.answers import Kind
from moa.flows.check import Verifier, checked
from moa.flows.combine import commonest, place_picked

Verdict: TypeAlias = Literal["one", "other", "place", "unread"]
_SAYS: dict[Verdict, str] = {
    "one": "guard: the judge prefers {old} to {new}, in both orders",
    "place": "guard: the judge says otherwise in the other order, so {new} stands",
    "unread": "guard: the judge could not be read, so {new} stands unguarded",
}
_WAYS = ("", "the judge is asked")


def anchored(
    combine: Combine,
    judge: Agent | None = None,
    verifier: Verifier | None = None,
    kind: Kind = "auto",
    *,
    old: str = "the best proposal",
    new: str = "the synthesis",
) -> Combine:
    """The same way to combine, its answer held against an anchor: the best of the proposals (`commonest`); with a verifier, of
    those that pass it.

    A synthesis that fails the verifier where a proposal passes is replaced by the anchor, and so is one to which the judge prefers
    the anchor in both orders. Where nothing passes, or the judge does not decide, or cannot be read, the synthesis stands. The
    reply says in its notes which of these it was, in words for what is `old` and what is `new`. The synthesis stands, too, where
    the caller asks for a form (tools, a schema …), which no proposal has.
    """

    async def guarded(conversation: Conversation, references: Replies) -> Reply:
        if not references or (judge is None and verifier is None):
            return await combine(conversation, references)
        formed = False

        def heard(ask: Ask, outcomes: Outcomes) -> Outcomes:
            nonlocal formed
            formed = formed or outcomes.formed
            return outcomes

        reply, anchor = await mapped(combine(conversation, references), held, heard), commonest(references, kind)
        if formed:
            return reply
        problems: tuple[str, ...] = ()
        passing, failed = references, False
        if verifier is not None:
            scores, problems = checked(verifier, [reply.text, *(one.text for one in references)])
            passing = tuple(one for one, score in zip(references, scores[1:], strict=True) if score > 0)
            failed = scores[0] <= 0
            anchor = commonest(passing, kind) if passing else reply  # what fails is not held against what passes
        asks = judge is not None and not failed and reply.text != anchor.text
        if judge is None or not await Choose(int(asks), _WAYS, rising=True):
            return (_instead(reply, passing, kind, old, new) if failed else reply).noted(*problems)
        verdict = await prefers(judge, conversation, anchor, reply, kind)
        notes = problems if verdict == "other" else (_SAYS[verdict].format(old=old, new=new), *problems)
        return (anchor if verdict == "one" else reply).noted(*notes)

    return guarded


def _instead(failed: Reply, passing: Replies, kind: Kind, old: str, new: str) -> Reply:
    """What stands where the synthesis has failed the verifier."""
    if passing:
        return commonest(passing, kind).noted(f"guard: {old} passes the verifier, {new} does not")
    return failed.noted(f"guard: neither {new} nor {old} passes the verifier, so {new} stands")


async def prefers(judge: Agent, conversation: Conversation, one: Reply, other: Reply, kind: Kind = "auto") -> Verdict:
    """Which of two replies a judge prefers in both orders: "place" where it goes by their places, "unread" where it fails, or
    picks none in one of the orders."""
    calls = tuple(
        as_given(judge.call(conversation, shown, task=SELECT, role="judge")) for shown in ((one, other), (other, one))
    )
    try:
        verdicts = (await Ask(calls, label="guard", least=2, steps=1)).replies
    except CallError:
        return "unread"
    picked = [place_picked(verdict.text, call.references, kind) for verdict, call in zip(verdicts, calls, strict=True)]
    if None in picked:
        return "unread"
    return "place" if picked[0] == picked[1] else "one" if picked[0] == 0 else "other"
