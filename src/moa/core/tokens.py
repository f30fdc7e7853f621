"""How many tokens a text may be, without any model's tokenizer: an estimate for fitting, a bound for money."""

from __future__ import annotations

from dataclasses import replace

from moa.core.types import (
    PLAIN,
    Call,
    Conversation,
    Form,
    Image,
    Message,
    Part,
    Reply,
    Request,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)

IMAGE_TOKENS = 4096
"""Input tokens an image is taken to cost at most."""

IMAGE_GUESS = 1000
"""Input tokens an image is estimated at."""

TURN_MOST = 16
"""Tokens that a chat template adds to each message at most."""

TOOLS_MOST = 600
"""Tokens that a host adds at most to tell a model how to call tools."""

TURN = 4
"""Tokens that a chat template adds to each message, about."""

TOOLS = 150
"""Tokens that a host adds to tell a model how to call tools, about."""


def estimated(text: str) -> int:
    """About how many tokens a text is: four ASCII characters a token, one and a half of any other script.

    English prose has 4 to 4.5 characters a token with today's vocabularies, code 3 to 4, Chinese and Japanese about 1.5.
    """
    return tokens_of(len(text), wide_in(text))


def wide_in(text: str) -> int:
    """How many characters of a text are not ASCII."""
    return 0 if text.isascii() else len(text) - len(text.encode("ascii", "ignore"))


def tokens_of(size: int, wide: int) -> int:
    """About how many tokens so many characters are, of which so many are not ASCII."""
    return -(-(size - wide) // 4) + -(-wide * 2 // 3)


def estimated_input(messages: Conversation) -> int:
    """About how many tokens these messages are."""
    return sum(TURN + sum(_estimated_part(part) for part in message.parts) for message in messages)


def estimated_form(form: Form) -> int:
    """About how many tokens the tools and the schema of a request are."""
    return 0 if form is PLAIN else sum(map(estimated, _written_in(form))) + (TOOLS if form.tools else 0)


def estimated_request(request: Request) -> int:
    """About how many tokens all that is sent is: messages, tools and schema."""
    return estimated_input(request.messages) + estimated_form(request.call.form)


def _estimated_part(part: Part) -> int:
    return IMAGE_GUESS if isinstance(part, Image) else estimated(written(part))


MOST_TOKENS = 1_000_000_000
"""Tokens that no call can have."""

ASSUMED_MAX_TOKENS = 4096
"""Output tokens a call is taken to use at most where its agent sets no max_tokens."""


def most_tokens(call: Call) -> int:
    """The most output tokens a call can use."""
    return call.sampling.max_tokens or ASSUMED_MAX_TOKENS


def estimated_usage(messages: Conversation, reply: Reply) -> Usage:
    """What a call that the provider did not count has used, about."""
    said = estimated(reply.text) + sum(estimated(call.name + call.arguments) for call in reply.tool_calls)
    thought = estimated(reply.reasoning)
    return Usage(estimated_input(messages), said + thought, reasoning=thought, estimated=True)


def completed(known: Usage, guess: Usage) -> Usage:
    """What was said of a usage, with an estimate in place of what was not."""
    thought = known.reasoning if known.output else guess.reasoning
    return replace(known, input=known.input or guess.input, output=known.output or guess.output, reasoning=thought)


def most_input(message: Message) -> int:
    """The most tokens a message can be: every byte of its text one, an image IMAGE_TOKENS, and what the template adds."""
    most = TURN_MOST
    for part in message.parts:
        if isinstance(part, Image):
            most += IMAGE_TOKENS
        else:
            text = part.text if isinstance(part, Text) else written(part)
            most += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    return most


def most_form(form: Form) -> int:
    """The most tokens that the tools and the schema of a request can be: every byte one."""
    if form is PLAIN:
        return 0
    return sum(len(text.encode("utf-8", "replace")) for text in _written_in(form)) + (TOOLS_MOST if form.tools else 0)


def _written_in(form: Form) -> tuple[str, ...]:
    """All that a form says."""
    return (form.schema, *(text for tool in form.tools for text in (tool.name, tool.description, tool.parameters)))


def written(part: Part) -> str:
    """All that is said in a part."""
    match part:
        case Text():
            return part.text
        case ToolResult(_, content):
            return content
        case ToolCall(_, name, arguments):
            return name + arguments
        case Image(url):
            return url
