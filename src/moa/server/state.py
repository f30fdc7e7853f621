"""What a server holds while it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from moa.core.events import Event, RunFailed, RunFinished, RunStarted
from moa.server.allowance import Allowances
from moa.server.catalogue import Catalogue
from moa.server.door import Rules
from moa.server.idempotent import Idempotency
from moa.server.metrics import Metrics
from moa.server.underway import Underway


@dataclass(eq=False)
class State:
    """The models, who may come in, and what was counted and kept. `draining`: no new work is taken. `busy`: so
    many requests are being served."""

    catalogue: Catalogue
    rules: Rules
    allowances: Allowances = field(default_factory=lambda: Allowances(time.monotonic))
    metrics: Metrics = field(default_factory=Metrics)
    once: Idempotency = field(default_factory=lambda: Idempotency(time.monotonic))
    underway: Underway = field(default_factory=Underway)
    draining: bool = False
    busy: int = 0

    def __post_init__(self) -> None:
        self.catalogue.live.ended += [self.metrics.run, self._count]

    def _count(self, events: list[Event]) -> None:
        """Count the tokens of a run, however it ended, to whoever asked it."""
        first, last = events[0].fact, events[-1].fact
        if isinstance(first, RunStarted) and isinstance(last, RunFinished | RunFailed):
            self.allowances.used(first.tenant, last.usage.input + last.usage.output)
