"""An answer under way, whatever wire it comes on: what is said becomes deltas at once and a Reply in the end."""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan
from typing import Any

import msgspec

from moa.core.errors import Cut, Refused
from moa.core.events import Delta, Noted
from moa.core.growing import grow
from moa.core.ports import Scope
from moa.core.prices import sensible
from moa.core.types import Finish, Logprob, Reply, ToolCall, Usage
from moa.providers._aloud import Aloud, unopened
from moa.providers._usage import counted

_BEFORE = "< \t\r\n"
"""What stands before a tag, or begins one."""
LEAST = -9999.0
"""How likely (natural logarithm) OpenAI says that a very unlikely token is; also one of which a host does not say it."""


def likely(token: str | None, logprob: float | None, others: Iterable[tuple[str | None, float | None]] = ()) -> Logprob:
    """How likely a token was, and others in its place, as hosts say it: some leave numbers out, or write -Infinity."""
    pairs = [(name or "", LEAST if value is None else max(LEAST, value)) for name, value in ((token, logprob), *others)]
    (said, value), top = pairs[0], pairs[1:]
    return Logprob(said, value, tuple(name for name, _ in top), tuple(value for _, value in top))


class Saying:
    """Collects text, reasoning, refusal, tool calls, finish, usage and cost, as the wires hand them in."""

    __slots__ = (
        "_aloud",
        "_begun",
        "_figures",
        "_reasoning",
        "_refusal",
        "_scope",
        "_slots",
        "_text",
        "_told",
        "_tools",
        "cost",
        "finish",
        "logprobs",
        "model",
        "notes",
        "usage",
    )

    def __init__(self, scope: Scope, model: str) -> None:
        self._scope = scope
        self.model = model
        self.finish: Finish | None = None
        self.usage: Usage | None = None
        self.cost: float | None = None
        self.logprobs: list[Logprob] = []
        self.notes: list[str] = []
        self._aloud: Aloud | None = None  # from the first piece on, where it may be thinking aloud
        self._begun = False
        self._figures: dict[str, float] = {}
        self._told: list[str] = []
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._tools: list[list[str]] = []  # id, name, arguments
        self._slots: dict[int, int] = {}  # the host's index -> ours, which has no gaps

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._text)

    @property
    def tools(self) -> int:
        """How many tool calls there are so far."""
        return len(self._tools)

    @property
    def declines(self) -> bool:
        """Whether a refusal has come."""
        return bool(self._refusal)

    def lacks(self, call: str) -> bool:
        """Whether nothing of the arguments of that tool call has come."""
        return not any(held[2] for held in self._tools if held[0] == call)

    def said(self, text: str) -> Delta:
        """More of the text."""
        grow(self._text, text)
        return Delta(text, "text", self._scope.attempt, self._scope.final)

    def aloud(self, text: str) -> list[Delta]:
        """More of the text of a model that may think aloud."""
        if not self._begun:
            self._begun = True
            self._aloud = Aloud() if text[:1] in _BEFORE else None
        if self._aloud is None:
            return [self.said(text)]
        pieces = self._aloud.feed(text)
        if self._aloud.over:
            self._aloud = None
        return [self.thought(piece) if thinks else self.said(piece) for thinks, piece in pieces]

    def thought(self, text: str) -> Delta:
        """More of the reasoning."""
        grow(self._reasoning, text)
        return Delta(text, "reasoning", self._scope.attempt, self._scope.final)

    def declined(self, text: str) -> None:
        """More of a refusal."""
        self._refusal.append(text)

    def tool(self, index: int | None, call: str = "", name: str = "", arguments: Any = None) -> Delta:
        """A fragment of the tool call with the id `call`; arguments are JSON text, or from some hosts the value itself."""
        if arguments is not None and not isinstance(arguments, str):
            arguments = msgspec.json.encode(arguments).decode()
        place = self._place(index, call, name)
        held = self._tools[place]
        call = call if held[0] else call or f"call_{place}"
        held[0] = held[0] or call
        held[1] = held[1] or name
        held[2] += arguments or ""
        return Delta(arguments or "", "tool", self._scope.attempt, self._scope.final, place, call, name)

    def _place(self, index: int | None, call: str, name: str) -> int:
        """Where this fragment belongs. Some hosts number nothing, or number every call 0: a new id is a new call, and a known one
        that call. Others give each fragment of a call a new id, or the first none: without a name it goes on where it is."""
        if index is None:
            for known, held in enumerate(self._tools):
                if call and held[0] == call:
                    return known
            index = len(self._tools) if call else max(len(self._tools) - 1, 0)
        place = self._slots.get(index)
        if place is None or (call and name and self._tools[place][0] != call):
            place = self._slots[index] = len(self._tools)
            self._tools.append(["", "", ""])
        return place

    def count(self, cost: float | None = None, **figures: float | None) -> None:
        """What the host says the call has used: arguments of `counted`. What is None stays as it was said before; what is odd
        counts as unknown, and is told."""
        said = {name: figure for name, figure in figures.items() if figure is not None}
        if said:
            self._figures |= said
            self.usage = counted(**self._figures)
        if cost is not None and (spent := sensible(cost)) is not None:
            self.cost = spent
        elif cost is not None:
            self._alarm("the host's cost makes no sense; it was reckoned from the tokens")
        if isnan(sum(said.values())):
            self._alarm("the host's token counts make no sense; they were estimated")

    def _alarm(self, words: str) -> None:
        if words not in self._told:
            self._told.append(words)
            self._scope.emit(Noted("usage", words))

    def refused(self, why: str, said: str = "") -> Refused:
        """The error that a refusal is, in the model's words where it has `said` any; it has cost what the host says."""
        error = Refused(f"{why}: {said[:300]}" if said else why)
        error.said = said
        error.usage, error.cost = self.usage, self.cost
        return error

    def reply(self, *, ended: bool) -> Reply:
        """The whole reply. `ended`: the host marked the end, even if it did not say why it stopped.

        Its usage is `Usage(estimated=True)` where the host gave none.

        Raises:
            Cut: the host neither said why it stopped nor marked the end; carries the text so far.
            Refused: there is a refusal instead of text.
        """
        if self._aloud is not None:
            thinks, held = self._aloud.rest()
            if held:
                delta = self.thought(held) if thinks else self.said(held)
                if self._scope.want_deltas:
                    self._scope.emit(delta)
        if self.finish is None and not ended:
            raise Cut("the stream ended before the answer did", partial=self.text)
        text = self.text
        if self._begun and not self._scope.want_deltas:  # what was streamed is told as it was
            thought, text = unopened(text)
            grow(self._reasoning, thought)
        tools = tuple([ToolCall(held[0], held[1], held[2] or "{}") for held in self._tools])
        if not text.strip() and not tools:
            if self._refusal:
                raise self.refused("the model declined", "".join(self._refusal))
            if self.finish == "content_filter":
                raise self.refused("the host's filter withheld the answer")
        usual: Finish = "tool_calls" if tools else "stop"
        notes = self.notes if self.finish else [*self.notes, "the host gave no finish reason"]
        return Reply(
            text, self.model, finish=usual if self.finish in (None, "stop") else self.finish, tool_calls=tools,
            reasoning="".join(self._reasoning), usage=self.usage or Usage(estimated=True), cost=self.cost,
            notes=tuple(notes), logprobs=tuple(self.logprobs),
        )  # fmt: skip
