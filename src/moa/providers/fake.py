"""A scripted provider: texts, delays and failures on order, for tests, demonstrations and dry runs."""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from moa.core.errors import Cut, ProviderError
from moa.core.events import Delta
from moa.core.ports import Scope
from moa.core.types import Finish, Reply, Request, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class Script:
    """What becomes of one call.

    `delay` seconds pass before it answers, `interval` between its chunks (a chunk is a word, where deltas are wanted).
    It raises `failure`, breaks off after `cut` chunks, or with `hang` never answers. `usage` None: words are counted.
    """

    text: str = ""
    delay: float = 0.0
    interval: float = 0.0
    failure: ProviderError | None = None
    cut: int | None = None
    hang: bool = False
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish: Finish = "stop"
    usage: Usage | None = None
    cost: float | None = None


Line: TypeAlias = str | Script | ProviderError
"""A text, or a failure, or a whole script."""


@dataclass
class Fake:
    """A Provider that plays scripts: `Fake({"a": "Paris", "b": Script("Rome", delay=2.0), "c": Overloaded("down")})`.

    Scripts are found by the call's model, with or without `fake:`. A list is played one entry a call, its last again and
    again. Or `scripts` is a function of the request. What has no script echoes the last user turn. `asked` keeps every request.
    """

    scripts: Mapping[str, Line | Sequence[Line]] | Callable[[Request], Line] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list, repr=False)
    _played: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider."""
        self.asked.append(request)
        script = self._script(request)
        model = request.call.model.removeprefix("fake:")
        await asyncio.sleep(script.delay)
        if script.hang:
            await asyncio.get_running_loop().create_future()
        if script.failure is not None:
            error = copy.copy(script.failure)
            error.provider, error.model = error.provider or "fake", error.model or model
            raise error
        await _speak(script, scope, model)
        usage = script.usage or Usage(
            sum(len(message.text.split()) for message in request.messages), len(script.text.split())
        )
        return Reply(
            script.text, model, finish="tool_calls" if script.tool_calls and script.finish == "stop" else script.finish,
            tool_calls=script.tool_calls, reasoning=script.reasoning, usage=usage, cost=script.cost,
        )  # fmt: skip

    def _script(self, request: Request) -> Script:
        line = self.scripts(request) if callable(self.scripts) else self._line(request, self.scripts)
        if isinstance(line, str):
            return Script(line)
        return line if isinstance(line, Script) else Script(failure=line)

    def _line(self, request: Request, scripts: Mapping[str, Line | Sequence[Line]]) -> Line:
        model = request.call.model
        bare = model.removeprefix("fake:")
        name = next((name for name in (model, bare, f"fake:{bare}") if name in scripts), None)
        if name is None:
            return next((message.text for message in reversed(request.messages) if message.role == "user"), "")
        line = scripts[name]
        if isinstance(line, (str, Script, ProviderError)):
            return line
        turn = self._played.get(name, 0)
        self._played[name] = turn + 1
        return line[min(turn, len(line) - 1)]


async def _speak(script: Script, scope: Scope, model: str) -> None:
    """Emit the answer word by word where that is wanted; break off where the script says so."""
    words = re.findall(r"\s*\S+\s*$|\s*\S+|\s+", script.text)
    until = len(words) if script.cut is None else script.cut
    if scope.want_deltas and script.reasoning:
        scope.emit(Delta(script.reasoning, "reasoning", scope.attempt, scope.final))
    for place, word in enumerate(words[:until]):
        if place:
            await asyncio.sleep(script.interval)
        if scope.want_deltas:
            scope.emit(Delta(word, "text", scope.attempt, scope.final))
    if script.cut is not None:
        raise Cut(
            "the stream ended before the answer did", provider="fake", model=model, partial="".join(words[:until])
        )
    for place, call in enumerate(script.tool_calls if scope.want_deltas else ()):
        scope.emit(Delta(call.arguments, "tool", scope.attempt, scope.final, place, call.id, call.name))
