"""An answer under a schema: checked, repaired once by who gave it, else an error that names the place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from moa.core.errors import BadReply
from moa.core.flow import Ask, held, mapped
from moa.core.prompts import repair_turns
from moa.core.types import Call, Choice, Conversation, Reply
from moa.flows.topology import MakeFlow

Problem: TypeAlias = Callable[[str], str | None]
"""What is wrong with a text, and where, in one line; None where it obeys the schema."""


def under_schema(flow: MakeFlow, problem: Problem) -> MakeFlow:
    """The same flow, its answer checked: where it does not obey, the call that gave it is made once more, without references,
    and told what is wrong.

    Its final call is quiet, since what was streamed could not be taken back; the answer is passed on as one piece. An answer that
    was cut at its token limit, or that calls tools, is passed on as it is.

    Raises (from the flow):
        BadReply: the second answer does not obey the schema either.
    """
    return partial(_under_schema, flow, problem)


async def _under_schema(flow: MakeFlow, problem: Problem, conversation: Conversation) -> Reply:
    acting: list[Ask] = []

    def unstreamed(ask: Ask) -> Ask:
        if ask.acts:
            acting[:] = [ask]
        return held(ask)

    reply = await mapped(flow(conversation), unstreamed)
    wrong = _wrong(reply, problem)
    if wrong is None:
        return reply
    if not acting:
        raise BadReply(f"the answer does not obey the schema, which no call was asked to: {wrong}")
    asked, look = _repair(acting[0].calls[0], reply, wrong), acting[0].held
    repaired = (await Ask((asked,), label="repair", steps=1)).replies[0]
    if look is not None:  # what a gate looks at it looks at again
        repaired = look(repaired)
    wrong = _wrong(repaired, problem)
    if wrong is not None:
        raise BadReply(f"the answer does not obey the schema, nor did it when asked again: {wrong}", model=asked.model)
    return replace(repaired, notes=(*reply.notes, *repaired.notes))


def _wrong(reply: Reply, problem: Problem) -> str | None:
    """What is wrong with the first of the answers that does not obey."""
    answers: tuple[Reply | Choice, ...] = (reply, *reply.others)
    ended = (answer.text for answer in answers if answer.finish == "stop" and not answer.tool_calls)
    return next((wrong for text in ended if (wrong := problem(text)) is not None), None)


def _repair(call: Call, reply: Reply, wrong: str) -> Call:
    return replace(call, conversation=(*call.conversation, *repair_turns(reply.text, wrong)), references=(), task="")
