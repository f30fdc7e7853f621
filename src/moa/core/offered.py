"""A model may call the tools that it was offered, and no others, whatever it has read: only those a client declared reach it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from moa.core.events import Delta, Fact
from moa.core.types import Call, Reply


def offered(reply: Reply, call: Call) -> tuple[Reply, str]:
    """The reply without calls of tools that its call did not offer, and what was left out, in words."""
    names = {tool.name for tool in call.form.tools}
    kept = tuple(one for one in reply.tool_calls if one.name in names)
    if len(kept) == len(reply.tool_calls):
        return reply, ""
    finish = "stop" if reply.finish == "tool_calls" and not kept else reply.finish
    return replace(
        reply, tool_calls=kept, finish=finish
    ), "a tool was called that was not offered: the call is left out"


def only_offered(emit: Callable[[Fact], None], call: Call) -> Callable[[Fact], None]:
    """The same way to emit, but for fragments of calls of tools that were not offered."""
    names = {tool.name for tool in call.form.tools}
    strange: set[tuple[int, int]] = set()

    def passed(fact: Fact) -> None:
        if isinstance(fact, Delta) and fact.what == "tool":
            place = (fact.attempt, fact.index)
            if fact.name and fact.name not in names:
                strange.add(place)
            if not names or place in strange:
                return
        emit(fact)

    return passed
