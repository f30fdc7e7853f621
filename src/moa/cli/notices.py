"""What a newcomer is told: which models were chosen and what they may cost, or how to connect a real one."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from moa.cli.output import Screen, money
from moa.core.types import Conversation

if TYPE_CHECKING:
    from moa.mixture import Mixture

REMEMBERED = "auto.json"


def choice(mixture: Mixture, conversation: Conversation, screen: Screen, max_cost: float | None) -> None:
    """Before the first call of `auto`, and whenever what it stands for has changed: what was chosen, what a question
    costs at most, how to change it. Remembered in moa's data folder."""
    from moa.config.load import xdg

    config = mixture.rig.config
    spec = config.spec.mixtures.get("auto")
    if mixture.name != "auto" or spec is None or screen.quiet or "auto" in _own_mixtures(mixture):
        return
    chosen = {"proposers": list(spec.proposers), "aggregator": spec.aggregator}
    path = xdg(os.environ, "data") / REMEMBERED
    with suppress(OSError, ValueError):
        if json.loads(path.read_text("utf-8")) == chosen:
            return
    screen.say(
        f"moa: no mixture is configured, so these answer (mixture auto): {', '.join(dict.fromkeys(spec.proposers))}; "
        f"aggregator: {spec.aggregator}"
    )
    screen.say(
        f"moa: this question costs at most {_most(mixture, conversation, max_cost)}; `moa init` writes a moa.toml"
    )
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(json.dumps(chosen), "utf-8")


def connect(mixture: Mixture, named: str | None, screen: Screen) -> None:
    """After an answer of the embedded models that nobody asked for by name: how to get a real one."""
    if mixture.name == "builtin" and named is None and not mixture.rig.config.own:
        screen.say(
            "answered by the small built-in models; set OPENROUTER_API_KEY (or any other key) or start Ollama, then `moa models`"
        )


def _own_mixtures(mixture: Mixture) -> set[str]:
    return {name for source in mixture.rig.config.written for name in source.data.get("mixtures", {})}


def _most(mixture: Mixture, conversation: Conversation, max_cost: float | None) -> str:
    planned = mixture.plan(conversation)
    if planned.worst_cost is None:
        return f"an unknown sum (no price for {', '.join(planned.unpriced)}); --max-cost needs one under [prices]"
    worst = planned.worst_cost * mixture.rig.config.spec.limits.attempts
    if max_cost is not None:
        return f"{money(min(worst, max_cost))} (--max-cost)"
    return f"{money(worst)} (every call at its longest, and tried again); --max-cost caps it"
