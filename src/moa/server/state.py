"""What a server holds while it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from moa.server.allowance import Allowances
from moa.server.catalogue import Catalogue
from moa.server.door import Rules
from moa.server.idempotent import Idempotency
from moa.server.metrics import Metrics


@dataclass(eq=False)
class State:
    """The models, who may come in, and what was counted and kept. `draining`: no new work is taken. `busy`: so
    many requests are being served."""

    catalogue: Catalogue
    rules: Rules
    allowances: Allowances = field(default_factory=lambda: Allowances(time.monotonic))
    metrics: Metrics = field(default_factory=Metrics)
    once: Idempotency = field(default_factory=lambda: Idempotency(time.monotonic))
    draining: bool = False
    busy: int = 0
