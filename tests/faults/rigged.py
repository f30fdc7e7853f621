"""A mixture on the whole onion of wraps over scripted models, on a virtual clock: what the tests of faults ask."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clock import run
from moa import Agent, Mixture
from moa.config.build import Rig
from moa.config.load import load
from moa.core.errors import MoaError
from moa.core.events import Event
from moa.core.types import Request
from moa.core.view import View, fold
from moa.providers.fake import Fake


@dataclass
class Asked:
    """What came of one question: the answer or the error, how it went, and when it ended (virtual seconds)."""

    answer: str = ""
    error: MoaError | None = None
    seconds: float = 0.0
    events: list[Event] = field(default_factory=list)

    @property
    def view(self) -> View:
        """The run as a person sees it."""
        view = View()
        for event in self.events:
            view = fold(view, event)
        return view

    def noted(self, reason: str) -> list[str]:
        """The details of what was noted for that reason."""
        return [event.fact.detail for event in self.events if getattr(event.fact, "reason", "") == reason]  # type: ignore[union-attr]


class Rigged:
    """Mixtures over a scripted host "h", with the limits and other settings given, and every request it was sent."""

    def __init__(self, scripts: Any, **settings: Any) -> None:
        self.times: list[tuple[float, str]] = []

        def line(request: Request) -> Any:
            model = request.call.model.removeprefix("h:")
            self.times.append((asyncio.get_running_loop().time(), model))
            found = scripts(request) if callable(scripts) else scripts[model]
            return found(self.times[-1][0]) if callable(found) else found

        self.fake = Fake(line)
        settings = {"store": {"keep": False}, "prices": {}} | settings
        self.rig = Rig(load({}, folder=Path("/nonexistent"), flags=settings), {}, {"h": self.fake})

    @property
    def asked(self) -> list[str]:
        """The models asked, in order."""
        return [model for _, model in self.times]

    def mixture(self, layers: Sequence[Sequence[str | Agent]], aggregator: str | Agent | None, **rules: Any) -> Mixture:
        """A mixture of these, on this rig."""

        def named(one: str | Agent) -> Agent:
            return one if isinstance(one, Agent) else Agent(f"h:{one}", name=one)

        combine = {} if aggregator else {"combine": "vote"}
        members = [[named(member) for member in layer] for layer in layers]
        return Mixture(members, named(aggregator) if aggregator else None, **combine, **rules).on(self.rig)  # type: ignore[arg-type]

    async def ask(self, mixture: Mixture, question: str = "hi", **more: Any) -> Asked:
        """Put a question."""
        asked = Asked()
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            asked.answer = (await mixture.ask(question, sinks=(asked.events.append,), **more)).text
        except MoaError as error:
            asked.error = error
        asked.seconds = loop.time() - began
        return asked


def ask(
    scripts: Any, layers: Sequence[Sequence[str | Agent]], aggregator: str | Agent | None = "agg", **more: Any
) -> tuple[Asked, Rigged]:
    """One question to a mixture of these models. `limits` and other settings, and the rules of the mixture, by name."""
    rules = {name: more.pop(name) for name in ("need", "grace", "least", "deadline", "max_cost") if name in more}
    rigged = Rigged(scripts, **more)
    return run(rigged.ask(rigged.mixture(layers, aggregator, **rules))), rigged
