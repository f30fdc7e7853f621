"""One member by itself: a model passed through, or a mixture's aggregator without its panel."""

from __future__ import annotations

from moa.core.flow import Flow
from moa.core.types import Conversation, Reply
from moa.flows.members import Member, ask_member


def alone(conversation: Conversation, member: Member) -> Flow[Reply]:
    """What the member answers; its text is streamed."""
    return ask_member(member, conversation, (), "", "aggregator", final=True)
