"""The call that acts: the one whose text is the answer. It alone sees tools and obeys a form; the others advise on a plain view."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import lru_cache, partial
from typing import Any, Literal, TypeAlias

from moa.core.errors import CallError, ConfigError
from moa.core.flow import Ask, Flow, Fork, Outcomes, mapped
from moa.core.plan import plan
from moa.core.prompts import up_to_last_turn
from moa.core.types import PLAIN, Call, Conversation, Form, Message, Part, Reply, Sampling, Text, ToolCall, ToolResult
from moa.flows.topology import MakeFlow

ANY = Sampling()
Advise: TypeAlias = Literal["turn", "call"] | int
"""When proposers advise in a tool loop: once on a user's turn, on every call of the aggregator, or on every n-th."""


def acting(flow: MakeFlow, form: Form = PLAIN, sampling: Sampling = ANY, *, advise_on: Advise = "turn") -> MakeFlow:
    """The same flow, its final call under `form` and drawn by `sampling` where that says something.

    All other calls see tool traffic as text, since they are not shown the tools. In a tool loop they advise on the user's last
    "turn", without what came behind it, so that their advice is the same for all its steps; or anew on every "call", or every n-th:
    then it stands behind the step it is on, and what stands before that is the same at every step.

    Under a form no proposal stands in for a final call that failed: it has no tool calls, one choice, no logprobs, and obeys no
    schema, and in a tool loop a text is the end.

    Raises (from the flow):
        CallError: the final call failed, and there is a form.
    """
    return partial(_acting, flow, form, sampling, advise_on)


def _acting(
    flow: MakeFlow, form: Form, sampling: Sampling, advise_on: Advise, conversation: Conversation
) -> Flow[Reply]:
    made = flow(conversation)
    if form == PLAIN and sampling == ANY and not has_tools(conversation):
        return made

    def changed(ask: Ask) -> Ask:
        _see_it_may_answer(ask, form)
        final = partial(_final, form=form, sampling=sampling, advise_on=advise_on)
        change = final if ask.acts else partial(_advising, advise_on=advise_on)
        return replace(ask, calls=tuple(change(call) for call in ask.calls))

    def heard(ask: Ask, outcomes: Outcomes) -> Outcomes:
        outcomes.formed = form != PLAIN
        return outcomes

    def forked(fork: Fork[Any]) -> Fork[Any]:
        _see_it_may_answer(fork, form)
        return fork

    def failed(error: CallError) -> CallError:
        error.formed = form != PLAIN
        return error

    return mapped(made, changed, heard, forked, failed)


def _see_it_may_answer(step: Ask | Fork[Any], form: Form) -> None:
    if step.instead and form != PLAIN:
        if isinstance(step, Fork):
            step.close()
        raise CallError("it is not asked: an answer in the form that the caller asks for is of the call that acts")


def acts(flow: MakeFlow, conversation: Conversation, form: Form) -> bool:
    """Whether every answer of a flow is of a call that acts: one that votes, or picks among proposals, has none."""
    return plan(acting(flow, form), conversation, lambda model: None, fewest=False).acts


def must_act(flow: MakeFlow, conversation: Conversation, form: Form) -> None:
    """See that a form can be obeyed.

    Raises:
        ConfigError: the flow has no call that acts; its `param` names what asks for one.
    """
    if form == PLAIN or acts(flow, conversation, form):
        return
    wanted = {
        "tools": form.tools,
        "response_format": form.schema,
        "n": form.choices > 1,
        "logprobs": form.logprobs is not None,
    }
    error = ConfigError(
        "this mixture votes or picks one of its proposals, so none of its calls can obey tools, a schema, n or logprobs"
    )
    error.param = next((name for name, asked in wanted.items() if asked), None)
    raise error


def has_tools(conversation: Conversation) -> bool:
    """Whether a conversation holds tool traffic."""
    return any(isinstance(part, ToolCall | ToolResult) for message in conversation for part in message.parts)


@lru_cache(maxsize=64)
def told(conversation: Conversation) -> Conversation:
    """The same conversation with its tool traffic told as text, for models that are not shown the tools."""
    return tuple(_told(message) for message in conversation)


def _told(message: Message) -> Message:
    if not any(isinstance(part, ToolCall | ToolResult) for part in message.parts):
        return message
    role = "user" if message.role == "tool" else message.role
    return Message(role, tuple(_part_told(part) for part in message.parts))


def _part_told(part: Part) -> Part:
    match part:
        case ToolCall(id, name, arguments):
            return Text(f"[called tool {name} ({id}) with {arguments}]")
        case ToolResult(id, content):
            return Text(f"[tool result ({id})]\n{content}")
    return part


def _advising(call: Call, advise_on: Advise) -> Call:
    if not has_tools(call.conversation):
        return call
    return replace(call, conversation=told(advised_on(call.conversation, advise_on)))


def advised_on(conversation: Conversation, advise_on: Advise) -> Conversation:
    """The part of a conversation that proposers advise on: up to the user's last turn, and so many steps of the loop behind it."""
    if advise_on == "call":
        return conversation
    turn = len(up_to_last_turn(conversation))
    steps = [at for at, message in enumerate(conversation) if at >= turn and message.role == "assistant"]
    kept = 0 if advise_on == "turn" else len(steps) // int(advise_on) * int(advise_on)
    return conversation[: steps[kept]] if kept < len(steps) else conversation


def _final(call: Call, form: Form, sampling: Sampling, advise_on: Advise) -> Call:
    given = {field.name: getattr(sampling, field.name) for field in fields(Sampling)}
    said = {name: value for name, value in given.items() if value not in (None, ())}
    if call.form.own and not form.schema:  # the agent's own schema holds where the caller asks for none
        form = replace(form, schema=call.form.schema, own=True)
    manner = call.manner
    if advise_on != "turn" and has_tools(call.conversation):
        manner = replace(manner, behind=len(advised_on(call.conversation, advise_on)))
    return replace(call, form=form, sampling=replace(call.sampling, **said), manner=manner)
