"""When a reply is an answer: empty, filtered, broken-off and cut ones are not, and are never shown to another model."""

from __future__ import annotations

import json
import re

from moa.core.errors import Abstained, BadReply, CallError, Refused
from moa.core.types import Call, Reply, names_of

_ABSTAINS = re.compile(r"\W{0,40}(?:(?:final +)?answer\W{0,8}:\W{0,8}(?:boxed\W)?)?abstains?\W*", re.IGNORECASE)
"""The word by itself, or as what is called the answer."""
_WITH_REASON = re.compile(r"\W{0,8}ABSTAINS?\W{0,8}(?:[:;,.–—\n]| -)(?!.*(?i:\banswer)\W{0,8}:)", re.DOTALL)
"""The word, in capitals as it was told, and why; what then states an answer has one."""


def broken(problem: str, call: Call) -> BadReply:
    """The error that a provider which breaks its word makes of its call: it is foreign code, and must not end the run."""
    provider, _, model = call.model.partition(":")
    return BadReply(f"the provider broke: {problem}", provider=provider, model=model)


def blind(call: Call) -> Abstained | None:
    """Why a call is not made at all: the question has none of the parts that its agent looks at. None where it has one."""
    view = call.manner.view
    if not view or names_of(call.conversation):
        return None
    return Abstained(f"{call.agent} was not asked: the question has no part named {' or '.join(view)}")


def abstains(text: str) -> bool:
    """Whether a text says that its author has nothing to say: the word ABSTAIN by itself, with a reason behind it, or as its last
    line; JSON's null; or {"abstain": true}; these inside a fence, too. A sentence that has the word in it says something."""
    plain = text.strip()
    if len(plain) > 6 and plain.startswith("```") and plain.endswith("```"):
        plain = plain[3:-3].removeprefix("json").strip()
    last = plain.rpartition("\n")[2]
    if _ABSTAINS.fullmatch(plain) or plain == "null" or _WITH_REASON.match(plain):
        return True
    if _ABSTAINS.fullmatch(last) and (last.isupper() or "answer" in last.lower()):
        return True
    try:
        said = json.loads(plain) if plain.startswith("{") and '"abstain"' in plain else None
    except (ValueError, RecursionError):  # no JSON, or nested too deeply
        return False
    return isinstance(said, dict) and said.get("abstain") is True


def abstained(reply: Reply, call: Call) -> Abstained | None:
    """That the author of a reply has nothing to say, where it may say so; an aggregator has the last word, and means it."""
    if call.manner.abstains and call.role != "aggregator" and reply.finish == "stop" and abstains(reply.text):
        return Abstained(f"{call.agent} has nothing to say")
    return None


def no_answer(reply: Reply, call: Call, *, final: bool, without: str = "") -> CallError | None:
    """Why a reply is no answer, as the error that its call then fails with; None where it is one. `without`: what
    was left out of it, in words.

    An answer that is cut at its token limit is still the answer where it is the last word (`final`).
    """
    if call.manner.abstains and (silent := abstained(reply, call)) is not None:
        return silent
    if reply.finish in ("stop", "tool_calls") and not reply.tool_calls and not reply.blank:
        return None
    problem = _problem(reply, final=final)
    if not problem:
        return None
    problem += f" ({without})" if without else ""
    provider, _, model = call.model.partition(":")
    kind = Refused if reply.finish == "content_filter" else BadReply
    return kind(problem, provider=provider, model=model, partial=reply.text)


def _problem(reply: Reply, *, final: bool) -> str:
    if reply.finish == "content_filter":
        return "the provider's filter cut the answer"
    if reply.finish == "error":
        return "the answer broke off with an error"
    if reply.blank:
        return f"{'only reasoning, no' if reply.reasoning.strip() else 'an empty'} answer came back"
    if reply.finish != "length" and (cut := next((one for one in reply.tool_calls if _is_cut(one.arguments)), None)):
        return f"the arguments of the call of {cut.name} are cut off"
    if reply.finish == "length" and not final:
        return "the answer was cut at its token limit; raise max_tokens"
    return ""


def _is_cut(arguments: str) -> bool:
    """Whether a JSON text ends before its value does; one that is wrong in another way is whole, and so is none at all."""
    if not arguments.strip():
        return False
    try:
        json.loads(arguments)
    except json.JSONDecodeError as error:
        return error.pos >= len(arguments.rstrip()) or error.msg.startswith("Unterminated string")
    except (ValueError, RecursionError):  # numbers of thousands of digits, or nested too deeply
        return False
    return False
