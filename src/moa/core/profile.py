"""What a model can do, and how a request is fitted to it before it is sent."""

from __future__ import annotations

from dataclasses import dataclass, replace

from moa.core.tokens import IMAGE_GUESS, estimated, estimated_form, estimated_input, estimated_request
from moa.core.types import Call, Conversation, Framing, Image, Message, Reply, Request, Sampling, Text, user


@dataclass(frozen=True, slots=True)
class Profile:
    """What one model takes. `context` is the most tokens of a request and its answer together; None where nobody knows.

    `system`: a system message. `in_a_row`: two user turns one after the other. `prefill`: whether it goes on with an assistant
    turn that the request ends in. `choices`: several answers to one request. `json_mode`: any JSON object, without a schema. The
    rest: settings, tools, images of that name.
    """

    context: int | None = None
    system: bool = True
    in_a_row: bool = True
    temperature: bool = True
    top_p: bool = True
    seed: bool = True
    stop: bool = True
    reasoning_effort: bool = True
    parallel_tools: bool = True
    logprobs: bool = True
    tools: bool = True
    schema: bool = True
    json_mode: bool = True
    images: bool = True
    choices: bool = True
    prefill: bool = False


ABLE = Profile()
SETTINGS = ("temperature", "top_p", "seed", "stop", "reasoning_effort")
"""Settings that may be left out without changing what is asked for."""


def fitted(request: Request, profile: Profile) -> tuple[Request, tuple[str, ...]]:
    """The request as this model can take it, and what was left out or moved for that, in words."""
    if profile == ABLE:
        return request, ()
    sampling, form, dropped = request.call.sampling, request.call.form, []
    for name in SETTINGS:
        if not getattr(profile, name) and getattr(sampling, name) not in (None, ()):
            sampling = replace(sampling, **{name: getattr(Sampling(), name)})
            dropped.append(name)
    if not profile.parallel_tools and form.parallel_tools is not None:
        form = replace(form, parallel_tools=None)
        dropped.append("parallel_tools")
    if not profile.logprobs and form.logprobs is not None:
        form = replace(form, logprobs=None)
        dropped.append("logprobs")
    if not profile.json_mode and form.schema == "{}":
        form = replace(form, schema="")
        dropped.append("JSON mode")
    messages = request.messages
    if not profile.system:
        messages = without_system(messages)
    if not profile.in_a_row:
        messages = merged(messages)
    notes = [f"{name} is left out: the model does not take it" for name in dropped]
    if messages != request.messages:
        notes.append("turns are merged: the model takes no system message or no two turns in a row")
    if not notes:
        return request, ()
    return Request(replace(request.call, sampling=sampling, form=form), messages, request.nonce), tuple(notes)


def lacking(request: Request, profile: Profile) -> str:
    """What the request needs and the model has not; empty where it has everything."""
    form = request.call.form
    if not profile.images and any(isinstance(part, Image) for message in request.messages for part in message.parts):
        return "it takes no images"
    if not profile.tools and form.tools:
        return "it calls no tools"
    if not profile.choices and form.choices > 1:
        return "it gives one answer to a request (n = 1)"
    return "" if profile.schema or not form.schema else "it follows no JSON schema"


def too_long(request: Request, context: int | None) -> str:
    """That a request leaves no room for an answer in `context` tokens, in words; empty where it does, or where nobody knows. How
    large an image is only its model knows, so images are not counted."""
    if context is None or (size := estimated_request(request)) < context:
        return ""
    parts = (part for message in request.messages for part in message.parts)
    size -= IMAGE_GUESS * sum(isinstance(part, Image) for part in parts)
    return f"it is about {size} tokens, and the context of {request.call.model} is {context}" if size >= context else ""


def without_system(messages: Conversation) -> Conversation:
    """What a system message says, put in front of the first user turn."""
    said = tuple(message.text for message in messages if message.role == "system")
    rest = tuple(message for message in messages if message.role != "system")
    if not said:
        return messages
    opening = Text("\n\n".join(said) + "\n\n")
    for place, message in enumerate(rest):
        if message.role == "user":
            turn = replace(message, parts=(opening, *message.parts))
            return (*rest[:place], turn, *rest[place + 1 :])
    return (user(opening), *rest)


def merged(messages: Conversation) -> Conversation:
    """Neighbouring turns of one role as one turn, their parts one after the other."""
    found: list[Message] = []
    for message in messages:
        if found and found[-1].role == message.role and message.role in ("user", "assistant"):
            gap = (Text("\n\n"),) if found[-1].text and message.text else ()
            found[-1] = replace(found[-1], parts=(*found[-1].parts, *gap, *message.parts))
        else:
            found.append(message)
    return tuple(found)


ROOM_FOR_ANSWER = 1024
"""Tokens kept free for the answer where an agent sets no max_tokens."""
FRAME = 64
"""Tokens that framing a reference takes at most, about."""
LEAST_SHARE = 16
"""Tokens of a reference below which it is no use to anybody."""
CUT = "\n[… {dropped} of {all} characters are left out here …]\n"


def with_room(call: Call, context: int | None, *, spare: bool = False) -> tuple[Call, str]:
    """The call with its references cut to equal shares of what fits into `context` tokens, and what was done, in words.

    An answer that may be longer than there is room for beside them is held to a quarter of the context. A reference shorter than
    its share leaves the rest of it to the others. Each is cut in its middle, where a mark stands: answers tend to begin with what
    they are about and end with what they come to. Where nothing would be left of any, and a `spare` model may have room, the call
    stays whole: it is too long, and that one is asked.
    """
    whole = call
    if context is None or not call.references:
        return call, ""
    taken = estimated_input(call.conversation) + estimated(call.manner.instructions) + estimated(call.task)
    room = context - taken - estimated_form(call.form) - FRAME * (len(call.references) + 2)
    sizes = [_shown(reference.text, call.manner.framing) for reference in call.references]
    answer = call.sampling.max_tokens or min(ROOM_FOR_ANSWER, context // 4)
    if sum(sizes) + answer <= room:
        return call, ""
    if call.sampling.max_tokens is not None and answer > context // 4:
        answer = max(room - sum(sizes), context // 4)
        call = call.drawn(replace(call.sampling, max_tokens=answer))
        if sum(sizes) + answer <= room:
            return call, f"its answer is held to {answer} tokens: the context of {call.model} is {context}"
    room -= answer
    share = _share(sizes, max(room, 0))
    if spare and share < min(LEAST_SHARE, *sizes):
        return whole, ""
    references = tuple(_cut(reference, size, share) for reference, size in zip(call.references, sizes, strict=True))
    count = sum(size > share for size in sizes)
    note = f"{count} of {len(sizes)} references are cut to about {share} tokens each: the context of {call.model} is {context}"
    return replace(call, references=references), note


def _shown(text: str, framing: Framing) -> int:
    """About how many tokens a reference is as it is framed: each line of a quoted one stands behind a sign."""
    return estimated(text) if framing != "quoted" else estimated(text.replace("\n", "\n> "))


def _share(sizes: list[int], room: int) -> int:
    """The equal share, where what the short ones do not need is given to the long ones."""
    left, waiting = room, sorted(sizes)
    while waiting and waiting[0] <= left // len(waiting):
        left -= waiting.pop(0)
    return left // len(waiting) if waiting else room


def _cut(reference: Reply, size: int, share: int) -> Reply:
    if size <= share:
        return reference
    text = reference.text
    keep = max(len(text) * share // max(size, 1) - len(CUT), 0)
    head, tail = keep - keep // 2, keep // 2
    mark = CUT.format(dropped=len(text) - keep, all=len(text))
    return replace(reference, text=text[:head] + mark + (text[-tail:] if tail else ""))
