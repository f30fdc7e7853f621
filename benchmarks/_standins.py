"""Stand-ins for a mixture's proposers: recorded answers, given as they were or spoilt, at once or late or never.

Used to see what one bad member costs. Only the proposers are played; the aggregator reads them through the real engine.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks._graded import PROPOSERS, Results, rows_of

from moa.core.ports import Scope
from moa.core.types import Reply, Request
from moa.flows.answers import answer_of

MARK = "Answer:"
SLOW = 3.0
"""Seconds that the slow member takes."""
Spoil = Callable[[str, str], str | None]  # of the question and the member: what it says; None where it says nothing


@dataclass(frozen=True, slots=True)
class Player:
    """A Provider that says what `spoil` makes of the question asked, `delay(question, member)` seconds later."""

    spoil: Spoil
    delay: Callable[[str, str], float] = lambda question, member: 0.0

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider; a member that says nothing never answers."""
        question, member = request.messages[-1].text, request.call.model.partition(":")[2]
        await asyncio.sleep(self.delay(question, member))
        text = self.spoil(question, member)
        if text is None:
            await asyncio.get_running_loop().create_future()
        return Reply(text or "", request.call.model)


def bad_members(results: Results, twins: Mapping[str, str]) -> dict[str, Player]:
    """A player for each kind of bad member, in place of each proposer in turn.

    `twins`: by question, what the member it hits says to the same question with one digit changed.
    """
    rng, said = random.Random(0), said_by(results)
    hit = victims([result.question.text for result in results], PROPOSERS)
    alike = rows_of(results)
    lies, chance, near, bare = {}, {}, {}, {}
    for result in results:
        text = result.question.text
        lies[text] = lie(said(text, hit[text]) or "", result.question.answer, rng)
        bare[text] = "Answer:" + lies[text].rpartition("Answer:")[2]
        chance[text] = rng.choice(results).said.get(hit[text], "")
        near[text] = rng.choice(alike[result.question.skill]).said.get(hit[text], "")

    def spoilt(instead: Mapping[str, str]) -> Spoil:
        return lambda question, member: instead.get(question) if member == hit[question] else said(question, member)

    return {
        "liar": Player(spoilt(lies)),
        "liar without working": Player(spoilt(bare)),
        "liar with new working": Player(spoilt(lies | twins)),
        "random": Player(spoilt(chance)),
        "random, same skill": Player(spoilt(near)),
        "silent": Player(spoilt({})),
        "slow": Player(said, lambda question, member: SLOW if member == hit[question] else 0.0),
    }


def said_by(results: Results) -> Spoil:
    """What each member really said."""
    said = {result.question.text: result.said for result in results}
    return lambda question, member: said[question].get(member, "")


def lie(text: str, truth: str, rng: random.Random) -> str:
    """The same reply with another, wrong answer: a digit or two changed, or the letters in another order.

    Where the reply has no answer, one is made up.
    """
    head, mark, answer = text.rpartition(MARK)
    if not mark:
        return f"{MARK} {rng.randint(1000, 9999)}"
    for _ in range(100):
        wrong = _changed(answer.strip(), rng)
        if answer_of(wrong) != answer_of(truth):
            return f"{head}{mark} {wrong}"
    return f"{head}{mark} {truth}0"


def _changed(answer: str, rng: random.Random) -> str:
    digits = [place for place, sign in enumerate(answer) if sign.isdigit()]
    if not digits:
        letters = list(answer)
        rng.shuffle(letters)
        return "".join(letters)
    signs = list(answer)
    for place in rng.sample(digits, min(len(digits), rng.choice((1, 1, 2)))):
        signs[place] = str((int(signs[place]) + rng.randint(1, 9)) % 10)
    return "".join(signs)


def victims(questions: Sequence[str], members: Sequence[str]) -> dict[str, str]:
    """Whom it hits at each question: one after the other."""
    return {question: members[place % len(members)] for place, question in enumerate(questions)}
