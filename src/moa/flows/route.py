"""Routing by rules: who answers is chosen by what can be seen of the question, without asking a model."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from moa.core.flow import Choose, Flow
from moa.core.prompts import up_to_last_turn
from moa.core.types import Conversation, Image, Reply, ToolCall, ToolResult
from moa.flows.language import language_of, script_of

MakeFlow = Callable[[Conversation], Flow[Reply]]
_CODE = re.compile(
    r"```|^[^\S\n]*+(?:def \w+\(|class \w+[:({]|import \w[\w.]*;?$|from [\w.]+ import |#include\s*[<\"]|function\s*\w*\("
    r"|(?:fn|func) \w+\(|(?:const|let|var) \w+\s*=|(?:public|private|static) .*[({]$|(?i:select) .+ (?i:from) \w)",
    re.MULTILINE,
)
"""A fence, or a line that begins as programs' lines do."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When a question goes to a flow: every condition that is set holds. What is not set does not matter.

    `words`: one of these stands in the last turn, as a word, in whatever case. `longer` and `shorter` are characters of that
    turn. `code`: it holds program text. `images` and `tools`: there are any in the whole conversation. `script`: most of its
    letters are of this one ("latin", "cyrillic", "greek", "arabic", "hebrew", "han", "kana", "hangul", "devanagari", "thai").
    `language`: it is in this one, an ISO 639-1 code, by its function words (`language.py`).
    `tag` is what the caller calls the question, `category` what a classifier does: a conversation does not tell, so both are given.
    `name` is what a plan calls the route.
    """

    to: MakeFlow
    words: tuple[str, ...] = ()
    longer: int | None = None
    shorter: int | None = None
    code: bool | None = None
    images: bool | None = None
    tools: bool | None = None
    script: str | None = None
    language: str | None = None
    tag: str | None = None
    category: str | None = None
    name: str = ""

    def holds(self, conversation: Conversation) -> bool:
        """Whether every condition on the conversation that is set holds."""
        turn = up_to_last_turn(conversation)[-1].text if conversation else ""
        found: tuple[tuple[object, Callable[[], bool]], ...] = (
            (self.words or None, lambda: re.search(_any_of(self.words), turn) is not None),
            (self.longer, lambda: len(turn) > (self.longer or 0)),
            (self.shorter, lambda: len(turn) < (self.shorter or 0)),
            (self.code, lambda: (_CODE.search(turn) is not None) is self.code),
            (self.images, lambda: _has(conversation, Image) is self.images),
            (self.tools, lambda: (_has(conversation, ToolCall) or _has(conversation, ToolResult)) is self.tools),
            (self.script, lambda: script_of(turn) == self.script),
            (self.language, lambda: language_of(turn) == self.language),
        )
        return all(holds() for condition, holds in found if condition is not None)


def routed(rules: Sequence[Rule], otherwise: MakeFlow, tag: str = "", category: str = "") -> MakeFlow:
    """The flow of the first rule that holds for a question of that tag and category, else the other one. A plan may play each."""
    rules = [one for one in rules if one.tag in (None, tag) and one.category in (None, category)]
    if not rules:
        return otherwise
    names, flows = (*(one.name for one in rules), ""), (*(one.to for one in rules), otherwise)

    async def chosen(conversation: Conversation) -> Reply:
        holds = next((place for place, one in enumerate(rules) if one.holds(conversation)), len(rules))
        return await flows[await Choose(holds, names, told=True)](conversation)

    return chosen


def _any_of(words: Sequence[str]) -> str:
    return r"(?i)(?<!\w)(?:" + "|".join(map(re.escape, words)) + r")(?!\w)"


def _has(conversation: Conversation, kind: type) -> bool:
    return any(isinstance(part, kind) for message in conversation for part in message.parts)
