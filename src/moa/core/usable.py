"""When a reply is an answer: empty, filtered, broken-off and cut ones are not, and are never shown to another model."""

from __future__ import annotations

from moa.core.errors import BadReply, ProviderError, Refused
from moa.core.types import Call, Reply


def broken(problem: str, call: Call) -> BadReply:
    """The error that a provider which breaks its word makes of its call: it is foreign code, and must not end the run."""
    provider, _, model = call.model.partition(":")
    return BadReply(f"the provider broke: {problem}", provider=provider, model=model)


def no_answer(reply: Reply, call: Call, *, final: bool) -> ProviderError | None:
    """Why a reply is no answer, as the error that its call then fails with; None where it is one.

    An answer that is cut at its token limit is still the answer where it is the last word (`final`).
    """
    if reply.finish in ("stop", "tool_calls") and not reply.blank:
        return None
    problem = _problem(reply, final=final)
    if not problem:
        return None
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
    if reply.finish == "length" and not final:
        return "the answer was cut at its token limit; raise max_tokens"
    return ""
