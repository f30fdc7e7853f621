"""The gate: what leaves a mixture is looked at by code, since a model obeys whatever it reads, and references are not to be
trusted. So is what the members say, before another of them reads it: an infected answer infects nobody.

Secrets go out in no spelling, long pieces of a system prompt not at all, and nothing is loaded from, or leads to, an address
that the user did not bring: the ways in which injected text sends data away (OWASP LLM02, EchoLeak).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from moa.core.errors import ConfigError
from moa.core.flow import Ask, Outcome, Outcomes, held, mapped
from moa.core.prompts import own_words
from moa.core.seen import seen
from moa.core.types import Choice, Conversation, Reply, ToolCall, system
from moa.flows.addresses import hosts_in, without_addresses, without_loading
from moa.flows.keys import told_in, without_keys
from moa.flows.orders import without_orders
from moa.flows.spelling import LEAST, findable, without_secrets
from moa.flows.topology import MakeFlow

REMOVED = "[removed]"
WORDS = 10
"""So many words in a row of a system prompt are no chance."""
WHOLE = 4
"""A system prompt of fewer words than that in a row is taken out where it stands in full, if it has so many."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What must not leave: `secrets` (canaries, keys), besides what system messages say (the agents' own, too), the keys and
    passwords in them in any spelling, and whatever else has the shape of a key. Addresses are let through whose host the user's
    turns name, or that are among `hosts`.

    Raises:
        ConfigError: a secret is too short to be found; says which by its place, and not the secret.
    """

    secrets: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for place, secret in enumerate(self.secrets):
            if not findable(secret):
                raise ConfigError(
                    f"secrets[{place}]: it has fewer than {LEAST} letters and digits, and stands in honest texts by chance: use a "
                    "longer one"
                )

    def checked(self, reply: Reply, conversation: Conversation) -> Reply:
        """The reply as it may leave, a call of a tool not at all where something would be taken out of it; what was taken out is
        named in the notes."""
        found: dict[str, None] = {}

        def clean(text: str) -> str:
            text, taken = self.cleaned(text, conversation)
            found.update(dict.fromkeys(taken))
            return text

        def allowed(call: ToolCall) -> bool:
            passed = (clean(call.name), clean(call.arguments)) == (call.name, call.arguments)
            return passed or found.update({"the call of a tool": None}) is not None

        text, reasoning, notes = clean(reply.text), clean(reply.reasoning), tuple(map(clean, reply.notes))
        tools = tuple(filter(allowed, reply.tool_calls))
        others = tuple(self._choice(one, clean, allowed) for one in reply.others)
        if not found:
            return reply
        reply = replace(
            reply, text=text, reasoning=reasoning, tool_calls=tools, others=others, logprobs=(), notes=notes
        )
        for what in found:
            reply = reply.noted(f"gate: {what}")
        return reply

    def _choice(self, one: Choice, clean: Callable[[str], str], allowed: Callable[[ToolCall], bool]) -> Choice:
        tools = tuple(filter(allowed, one.tool_calls))
        return Choice(clean(one.text), one.finish, tools, clean(one.reasoning))

    def proposal(self, reply: Reply, conversation: Conversation, *, judge: bool = False) -> Reply:
        """The reply as another model may read it: as it may leave, and without orders to whoever reads it. A judge's keeps its
        verdict, which is an order only where a candidate says it."""
        reply = self.checked(reply, conversation)
        text = without_orders(reply.text, judge=judge)
        return (
            reply
            if text == reply.text
            else replace(reply, text=text or REMOVED).noted("gate: an order to other models")
        )

    def cleaned(self, text: str, conversation: Conversation) -> tuple[str, tuple[str, ...]]:
        """The text as it may leave, and what was taken out of it."""
        theirs = [message.text for message in conversation if message.role == "system"]
        said = own_words(conversation)
        known = frozenset(map(str.lower, self.hosts)) | hosts_in(said)
        told = (secret for prompt in theirs for secret in told_in(prompt) if secret not in said)
        secrets = tuple(dict.fromkeys((*self.secrets, *told)))
        steps = (
            ("invisible characters", seen),
            ("a foreign image", partial(without_loading, known=known)),
            ("a foreign address", partial(without_addresses, known=known)),
            ("a piece of the system prompt", partial(_without_prompt, prompts=theirs, said=said)),
            ("a secret", partial(without_secrets, secrets=secrets, instead=REMOVED)),
            ("a key", partial(without_keys, said=said, instead=REMOVED)),
        )
        found = []
        for what, step in steps:
            after = step(text)
            if after != text:
                found.append(what)
                text = after
        return text, tuple(found)


def gated(flow: MakeFlow, gate: Gate) -> MakeFlow:
    """The same flow, its answer looked at before anything of it leaves, so it is not streamed; and every proposal before another
    model reads it."""
    return partial(_gated, flow, gate)


async def _gated(flow: MakeFlow, gate: Gate, conversation: Conversation) -> Reply:
    found: dict[str, None] = {}
    prompts: dict[str, None] = {}  # the agents' own are no less secret than the conversation's

    def whole() -> Conversation:
        return (*map(system, prompts), *conversation)

    def looked_at(outcome: Outcome, role: str = "") -> Outcome:
        if not isinstance(outcome, Reply):
            return outcome
        if role == "aggregator":  # what it says is the answer, or becomes one; its notes go with it
            return gate.checked(outcome, whole())
        reply = gate.proposal(outcome, whole(), judge=role == "judge")
        who = reply.agent or reply.model or "one"
        found.update({f"{note} in what {who} said": None for note in reply.notes[len(outcome.notes) :]})
        return reply

    def heard(ask: Ask, outcomes: Outcomes) -> Outcomes:
        prompts.update({call.manner.instructions: None for call in ask.calls if call.manner.instructions})
        looked = Outcomes([looked_at(one, call.role) for call, one in zip(ask.calls, outcomes, strict=True)])
        looked.formed = outcomes.formed
        looked.late = tuple([one for late in outcomes.late if isinstance(one := looked_at(late), Reply)])
        return looked

    def look(reply: Reply) -> Reply:
        return gate.checked(reply, whole())

    reply = look(await mapped(flow(conversation), partial(held, look=look), heard))
    for note in found:
        reply = reply.noted(note)
    return reply


def _without_prompt(text: str, prompts: Sequence[str], said: str) -> str:
    """The text without WORDS words in a row that only a system prompt has, or all of a shorter one."""
    theirs = [words for prompt in prompts if len(words := _words(prompt)) >= WHOLE]
    cut = bytearray(len(text))
    spoken, own = (_words(text), _words(said)) if theirs else ([], [])
    for size in {min(len(words), WORDS) for words in theirs}:
        secret = {key for words in theirs if min(len(words), WORDS) == size for key, _, _ in _runs(words, size)}
        secret -= {key for key, _, _ in _runs(own, size)}
        for key, start, end in _runs(spoken, size):
            if key in secret:
                cut[start:end] = b"\1" * (end - start)
    kept, at = [], 0
    for match in re.finditer(rb"\x01+", cut):
        kept += [text[at : match.start()], REMOVED]
        at = match.end()
    return "".join([*kept, text[at:]])


def _words(text: str) -> list[tuple[str, int, int]]:
    return [(match[0].lower(), match.start(), match.end()) for match in re.finditer(r"\w+", text)]


def _runs(words: list[tuple[str, int, int]], size: int) -> Iterator[tuple[tuple[str, ...], int, int]]:
    for at in range(len(words) - size + 1):
        yield tuple([word for word, _, _ in words[at : at + size]]), words[at][1], words[at + size - 1][2]
