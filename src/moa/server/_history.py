"""Whether the tool calls of a conversation and their results belong together."""

from __future__ import annotations

from collections.abc import Callable

from moa.core.types import Conversation, ToolCall, ToolResult
from moa.server.refusals import wrong


def check_results(turns: Conversation, place: Callable[[int], str]) -> None:
    """See that each tool call is followed by its result, and each result follows its call: neither vendor takes another
    history, and hosts refuse it each in its own way. `place` names a message in an error.

    Raises:
        Rejection: a call has no result right after it, or a result no call before it.
    """
    calls, missing, at = set[str](), dict[str, None](), 0
    for number, message in enumerate(turns):
        if message.role == "tool":
            for result in (part for part in message.parts if isinstance(part, ToolResult)):
                if result.id not in calls:
                    raise wrong(place(number), f"no tool call right before it has the id '{result.id[:80]}'")
                missing.pop(result.id, None)
            continue
        if missing:
            break
        missing = {part.id: None for part in message.parts if isinstance(part, ToolCall)}
        calls, at = set(missing), number
    if missing:
        raise wrong(place(at), f"its tool calls need results right after it, and {', '.join(missing)[:200]} has none")
