"""What is kept of a tool loop: advice, and the nonce that fences it, so that a host's prompt cache holds."""

from __future__ import annotations

from dataclasses import replace

from moa.core.types import Call, Manner, Message, Reply, ToolCall, ToolResult, assistant, user
from moa.wrap.advice import Advice


def test_the_nonce_is_the_same_before_and_behind_the_first_step() -> None:
    call = Call("x:agg", (user("Q?"),), references=(Reply("advice"),))
    step = (assistant(ToolCall("c", "find", "{}")), Message("tool", (ToolResult("c", "found"),)))
    behind = replace(call, conversation=(*call.conversation, *step), manner=Manner(behind=1))
    drawn = iter(("one", "two"))
    advice = Advice()
    assert {advice.nonce("", "m", one, lambda call: next(drawn)) for one in (call, behind, behind)} == {"one"}
    assert advice.nonce("", "m", replace(behind, references=(Reply("other"),)), lambda call: next(drawn)) == "two"
