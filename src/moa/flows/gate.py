"""The gate: what leaves a mixture is looked at by code, since a model obeys whatever it reads, and references are not to be
trusted. So is what the members say, before another of them reads it: an infected answer infects nobody.

Secrets go out in no spelling, long pieces of a system prompt not at all, and nothing is loaded from, or leads to, an address
that the user did not bring: the ways in which injected text sends data away (OWASP LLM02, EchoLeak).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import unquote, urlsplit

from moa.core.flow import Ask, Outcome, Outcomes, held, mapped
from moa.core.prompts import own_words
from moa.core.seen import seen
from moa.core.types import Choice, Conversation, Reply, ToolCall, system
from moa.flows.orders import without_orders
from moa.flows.spelling import without_secrets
from moa.flows.topology import MakeFlow

REMOVED = "[removed]"
WORDS = 10
"""So many words in a row of a system prompt are no chance."""
_IMAGE = re.compile(
    r"!\[([^\]]*)\]\(\s*<?([^)\s>]+)[^)]*\)|<(?:img|iframe|script|link|object|embed|video|audio|source)\b[^>]*>",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"^[ \t]*\[[^\]]+\]:[ \t]*<?(\S+?)>?(?:[ \t].*)?$", re.MULTILINE)
_URL = re.compile(
    r"\b(?:https?|ftp|data|javascript|blob|file)(?::|%3a)(?://|\\\\)?[^\s<>\"')\]]+|(?<![\w:])//[\w.-]+\.\w{2,}[^\s<>\"')\]]*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Gate:
    """What must not leave: `secrets` (canaries, keys), besides what system messages say (the agents' own, too). Addresses are
    let through whose host the user's turns name, or that are among `hosts`."""

    secrets: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

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

        text, reasoning = clean(reply.text), clean(reply.reasoning)
        tools = tuple(filter(allowed, reply.tool_calls))
        others = tuple(self._choice(one, clean, allowed) for one in reply.others)
        if not found:
            return reply
        reply = replace(reply, text=text, reasoning=reasoning, tool_calls=tools, others=others, logprobs=())
        for what in found:
            reply = reply.noted(f"gate: {what}")
        return reply

    def _choice(self, one: Choice, clean: Callable[[str], str], allowed: Callable[[ToolCall], bool]) -> Choice:
        tools = tuple(filter(allowed, one.tool_calls))
        return Choice(clean(one.text), one.finish, tools, clean(one.reasoning))

    def proposal(self, reply: Reply, conversation: Conversation) -> Reply:
        """The reply as another model may read it: as it may leave, and without orders to whoever reads it."""
        reply = self.checked(reply, conversation)
        text = without_orders(reply.text)
        return (
            reply
            if text == reply.text
            else replace(reply, text=text or REMOVED).noted("gate: an order to other models")
        )

    def cleaned(self, text: str, conversation: Conversation) -> tuple[str, tuple[str, ...]]:
        """The text as it may leave, and what was taken out of it."""
        theirs = "\n".join(message.text for message in conversation if message.role == "system")
        said = own_words(conversation)
        known = frozenset(map(str.lower, self.hosts)) | frozenset(filter(None, map(_host, _URL.findall(said))))
        steps = (
            ("invisible characters", seen),
            ("a foreign image", partial(_without_images, known=known)),
            ("a foreign address", partial(_without_addresses, known=known)),
            ("a secret", partial(without_secrets, secrets=self.secrets, instead=REMOVED)),
            ("a piece of the system prompt", partial(_without_prompt, system=theirs, said=said)),
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
        reply = gate.proposal(outcome, whole())
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


def _host(address: str) -> str:
    """The host of an address, in small letters; empty where it has none."""
    try:
        return (urlsplit(unquote(address).replace("\\", "/")).hostname or "").lower()
    except ValueError:
        return ""


def _without_images(text: str, known: frozenset[str]) -> str:
    def kept(match: re.Match[str]) -> str:
        return match[0] if match[2] and _host(match[2]) in known else match[1] or ""

    return _IMAGE.sub(kept, text)


def _without_addresses(text: str, known: frozenset[str]) -> str:
    text = _REFERENCE.sub(lambda match: match[0] if _host(match[1]) in known else "", text)
    return _URL.sub(lambda match: match[0] if _host(match[0]) in known else _told(match[0]), text)


def _told(address: str) -> str:
    """What stands for an address: its host, which says what was meant, and leads nowhere."""
    host = _host(address)
    plain = host if re.fullmatch(r"[a-z0-9.-]{1,40}", host) and not _loaded(host) else ""
    return f"[{plain.replace('.', '. ')}: address removed]" if plain else "[address removed]"


def _loaded(host: str) -> bool:
    """Whether a host's name itself may carry data: a long or odd label."""
    labels = host.split(".")
    return len(labels) > 3 or any(len(label) > 16 or sum(sign.isdigit() for sign in label) > 3 for label in labels)


def _without_prompt(text: str, system: str, said: str) -> str:
    """The text without WORDS words in a row that only the system prompt has."""
    theirs = _words(system)
    if len(theirs) < WORDS:
        return text
    own = {tuple(word for word, _, _ in piece) for piece in _runs(_words(said))}
    secret = {key for piece in _runs(theirs) if (key := tuple(word for word, _, _ in piece)) not in own}
    cut = [False] * len(text)
    for piece in _runs(_words(text)):
        if tuple(word for word, _, _ in piece) in secret:
            start, end = piece[0][1], piece[-1][2]
            cut[start:end] = [True] * (end - start)
    kept, inside = [], False
    for sign, gone in zip(text, cut, strict=True):
        kept += [REMOVED] if gone and not inside else [] if gone else [sign]
        inside = gone
    return "".join(kept)


def _words(text: str) -> list[tuple[str, int, int]]:
    return [(match[0].lower(), match.start(), match.end()) for match in re.finditer(r"\w+", text)]


def _runs(words: list[tuple[str, int, int]]) -> Iterable[list[tuple[str, int, int]]]:
    return (words[at : at + WORDS] for at in range(len(words) - WORDS + 1))
