"""An answer under way, whatever wire it comes on: what is said becomes deltas at once and a Reply in the end."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from moa.core.errors import Cut, Refused
from moa.core.events import Delta, Noted
from moa.core.growing import grow
from moa.core.ports import Scope
from moa.core.types import Choice, Finish, Logprob, Reply, ToolCall, Usage


class Saying:
    """Collects text, reasoning, refusal, tool calls, finish, usage and cost, as the wires hand them in."""

    def __init__(self, scope: Scope, model: str) -> None:
        self._scope = scope
        self.model = model
        self.finish: Finish | None = None
        self.usage: Usage | None = None
        self.cost: float | None = None
        self.logprobs: list[Logprob] = []
        self.notes: list[str] = []
        self.others: list[Choice] = []
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

    def lacks(self, call: str) -> bool:
        """Whether nothing of the arguments of that tool call has come."""
        return not any(held[2] for held in self._tools if held[0] == call)

    def said(self, text: str) -> Delta:
        """More of the text."""
        grow(self._text, text)
        return Delta(text, "text", self._scope.attempt, self._scope.final)

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
        place = self._place(index, call)
        held = self._tools[place]
        held[0] = held[0] or call or f"call_{place}"
        held[1] = held[1] or name
        held[2] += arguments or ""
        return Delta(arguments or "", "tool", self._scope.attempt, self._scope.final, place, call, name)

    def _place(self, index: int | None, call: str) -> int:
        """Where this fragment belongs. Some hosts number nothing, or number every call 0: a new id is a new call."""
        if index is None:
            index = len(self._tools) if call else max(len(self._tools) - 1, 0)
        place = self._slots.get(index)
        if place is None or (call and self._tools[place][0] != call):
            place = self._slots[index] = len(self._tools)
            self._tools.append(["", "", ""])
        return place

    def count(self, usage: Usage, odd: bool) -> None:
        """What the host says the call has used. `odd`: a figure of it made no sense and counts as unknown."""
        self.usage = usage
        if odd:
            self._scope.emit(Noted("usage", "the host's token counts make no sense; they were estimated"))

    def _refused(self, why: str) -> Refused:
        error = Refused(why)
        error.usage = self.usage
        return error

    def reply(self, *, ended: bool) -> Reply:
        """The whole reply. `ended`: the host marked the end, even if it did not say why it stopped.

        Its usage is `Usage(estimated=True)` where the host gave none.

        Raises:
            Cut: the host neither said why it stopped nor marked the end; carries the text so far.
            Refused: there is a refusal instead of text.
        """
        if self.finish is None and not ended:
            raise Cut("the stream ended before the answer did", partial=self.text)
        text = self.text
        tools = tuple([ToolCall(held[0], held[1], held[2] or "{}") for held in self._tools])
        if not text.strip() and not tools:
            if self._refusal:
                raise self._refused(f"the model declined: {''.join(self._refusal)[:300]}")
            if self.finish == "content_filter":
                raise self._refused("the host's filter withheld the answer")
        usual: Finish = "tool_calls" if tools else "stop"
        notes = self.notes if self.finish else [*self.notes, "the host gave no finish reason"]
        return Reply(
            text, self.model, finish=usual if self.finish in (None, "stop") else self.finish, tool_calls=tools,
            reasoning="".join(self._reasoning), usage=self.usage or Usage(estimated=True), cost=self.cost,
            notes=tuple(notes), logprobs=tuple(self.logprobs), others=tuple(self.others),
        )  # fmt: skip


def several(first: Saying, further: Mapping[int, Saying], *, ended: bool) -> Reply:
    """The reply of a call that may have several answers: the first, with the others beside it. Raises what `reply` raises."""
    for index in sorted(further):
        with suppress(Refused):  # a further answer that was withheld costs the first nothing
            one = further[index].reply(ended=True)
            first.others.append(Choice(one.text, one.finish, one.tool_calls, one.reasoning, one.logprobs))
    return first.reply(ended=ended)


def counted(
    sent: float | None,
    made: float | None,
    cached: float | None = None,
    reasoning: float | None = None,
    written: float | None = None,
) -> tuple[Usage, bool]:
    """Token counts of a host, and whether they are odd: negative or absurd ones are unknown, and money is never computed
    from them; an explicit 0 stays 0."""
    for count in (sent, made, cached, reasoning, written):
        if count is not None and not 0 <= count < 1e9:
            return Usage(estimated=True), True
    if sent is None or made is None:
        return Usage(estimated=True), False
    whole, said = int(sent), int(made)
    read = min(int(cached), whole) if cached else 0
    thought = min(int(reasoning), said) if reasoning else 0
    return Usage(whole, said, read, thought, written=min(int(written), whole - read) if written else 0), False
