"""A model may call the tools that it was offered and may choose, and no others, whatever it has read: only those reach a client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from moa.core.events import Delta, Fact
from moa.core.types import Call, Reply

STRANGE = "a tool was called that was not offered: the call is left out"
NOT_CHOSEN = "a tool was called that the request's tool_choice rules out: the call is left out"
AT_ONCE = "several tools were called at once, which the request forbids: the first is kept"
MISSING = "no tool was called, though the request's tool_choice demands it"


def offered(reply: Reply, call: Call) -> tuple[Reply, str]:
    """The reply without calls of tools that its call did not offer or rules out; and what was left out, or is missing, in words."""
    names, free, alone = _offered(call), _free(call), call.form.parallel_tools is False
    kept = tuple(one for one in reply.tool_calls if one.name in free)
    if not reply.tool_calls and names and call.form.tool_choice not in ("", "auto", "none"):
        return reply, MISSING
    if len(kept) == len(reply.tool_calls) and not (alone and len(kept) > 1):
        return reply, ""
    left = [one.name for one in reply.tool_calls if one.name not in free]
    words = AT_ONCE if not left else NOT_CHOSEN if names.issuperset(left) else STRANGE
    kept = kept[:1] if alone else kept
    finish = "stop" if reply.finish == "tool_calls" and not kept else reply.finish
    return replace(reply, tool_calls=kept, finish=finish), words


def only_offered(emit: Callable[[Fact], None], call: Call) -> Callable[[Fact], None]:
    """The same way to emit, but for fragments of calls that `offered` leaves out."""
    free, alone = _free(call), call.form.parallel_tools is False
    strange: set[tuple[int, int]] = set()
    first: dict[int, int] = {}

    def passed(fact: Fact) -> None:
        if isinstance(fact, Delta) and fact.what == "tool":
            place = (fact.attempt, fact.index)
            if fact.name and fact.name not in free:
                strange.add(place)
            if not free or place in strange:
                return
            if alone and first.setdefault(fact.attempt, fact.index) != fact.index:
                return
        emit(fact)

    return passed


def _offered(call: Call) -> set[str]:
    return {tool.name for tool in call.form.tools}


def _free(call: Call) -> set[str]:
    """The tools it may call: by its choice all that are offered, none, or one."""
    choice = call.form.tool_choice
    if choice in ("", "auto", "required"):
        return _offered(call)
    return set() if choice == "none" else _offered(call) & {choice}
