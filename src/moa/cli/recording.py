"""A mixture whose answers come from a recording: nothing is sent, nothing is paid, nothing is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moa.core.answer import Answer
from moa.core.conversation import conversation_of
from moa.core.flow import Flow
from moa.core.plan import held, plan
from moa.core.types import Conversation, Reply
from moa.mixture import Mixture

if TYPE_CHECKING:
    from moa.core.events import Event
    from moa.core.ports import Sink
    from moa.engine.watch import Order, Watching
    from moa.providers.replay import Recorded


@dataclass(slots=True)
class Recording:
    """`mixture` over what was `recorded`; `source` names the recording in errors."""

    mixture: Mixture
    recorded: Sequence[Recorded]
    source: str

    @property
    def name(self) -> str:
        """The mixture's name."""
        return self.mixture.name

    @property
    def deadline(self) -> float | None:
        """None: a recording answers at once."""
        return None

    async def ask(
        self, conversation: Conversation, *, deadline: float | None = None, max_cost: float | None = None
    ) -> Answer:
        """See Mixture; `max_cost` means nothing here."""
        from moa.engine.watch import run

        events: list[Event] = []
        reply = await run(self._order(conversation, deadline, "none", (events.append,)))
        return Answer(reply.text, tuple(events))

    def watch(
        self,
        conversation: Conversation,
        *,
        deadline: float | None = None,
        max_cost: float | None = None,
        proposers: bool = False,
    ) -> AbstractAsyncContextManager[Watching]:
        """See Mixture; `max_cost` means nothing here."""
        from moa.engine.watch import watch

        return watch(self._order(conversation, deadline, "all" if proposers else "final", ()))

    def _order(self, conversation: Conversation, deadline: float | None, deltas: str, sinks: tuple[Sink, ...]) -> Order:
        from moa.config.flows import kind_of
        from moa.engine.watch import Order
        from moa.providers.replay import Replay

        conversation = conversation_of(conversation)
        return Order(
            flow=self._flow(conversation),
            conversation=conversation,
            provider=Replay(self.recorded, self.source),
            mixture=self.mixture.name,
            answers=kind_of(self.mixture.rig.config, self.mixture.name),
            deadline=deadline,
            deltas=deltas,
            sinks=sinks,
            price=self.mixture.rig.price,
        )

    def _flow(self, conversation: Conversation) -> Callable[[Conversation], Flow[Reply]]:
        """The flow whose first calls were recorded: the mixture's own, or held to fewer output tokens a call."""
        known = {one.key for one in self.recorded}

        def fits(flow: Callable[[Conversation], Flow[Reply]]) -> int:
            first = plan(flow, conversation, lambda model: None).steps[:1]
            return sum(call.key in known for step in first for call in step.calls)

        flows: list[Callable[[Conversation], Flow[Reply]]] = [self.mixture, *held(self.mixture)]
        return max(flows, key=fits)
