"""A task classifier: an agent is asked of which category a question is, and by that is chosen who works (as in HuggingGPT's model
selection, arXiv 2303.17580)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from moa.core.agents import Agent
from moa.core.errors import CallError
from moa.core.flow import Ask, Choose, Flow
from moa.core.prompts import CLASSIFY, up_to_last_turn
from moa.core.types import Conversation, Reply, Text, name_of, user


@dataclass(frozen=True, slots=True)
class Classifier:
    """An agent that says of which of the `categories` a question is; of no other, whatever it writes."""

    agent: Agent
    categories: tuple[str, ...]

    async def category(self, conversation: Conversation) -> str:
        """The category of the last turn; empty where the agent fails, or names none or several of them.

        The turn is quoted, its named parts under their names; pictures are shown to whom they are in the view of.
        """
        parts = up_to_last_turn(conversation)[-1].parts
        request = _quoted("".join(part.text for part in parts if isinstance(part, Text) and not part.name))
        named_ones = (
            replace(part, text=_quoted(part.text)) if isinstance(part, Text) else part
            for part in parts
            if name_of(part) and (self.agent.view or isinstance(part, Text))
        )
        asked = user(CLASSIFY.format(request=request, categories=", ".join(self.categories)), *named_ones)
        try:
            call = self.agent.call((asked,), role="classifier")
            reply = (await Ask((call,), label="classify", steps=3)).replies[0]
        except CallError:
            return ""
        ways = (*self.categories, "")
        return ways[await Choose(ways.index(named(reply.text, self.categories)), ways)]


def _quoted(text: str) -> str:
    return "> " + text.replace("\n", "\n> ")


def named(text: str, categories: tuple[str, ...]) -> str:
    """The one category that a text names as a word, in whatever case; empty where it names none, or several."""
    wanted = {category.casefold(): category for category in categories}
    longest = sorted(wanted, key=len, reverse=True)
    found = re.findall(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)", text.casefold())
    return wanted[found[0]] if len(set(found)) == 1 else ""


async def classified(
    conversation: Conversation, classifier: Classifier, flows: Mapping[str, Callable[[Conversation], Flow[Reply]]]
) -> Reply:
    """The answer of the flow for the question's category; that of "" is for those of none."""
    return await flows[await classifier.category(conversation)](conversation)
