"""Name -> "module:attr", for what ships with moa and for entry points alike; nothing is imported until it is used."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

PROVIDERS = {
    "builtin": "moa.config.shipped:shipped",
    "local": "moa.config.shipped:local",
    "fake": "moa.config.shipped:fake",
    "function": "moa.config.shipped:called",
}
"""Hosts that are no chat-completions server: name -> a function without arguments that gives a Provider."""


def find(name: str, group: str = "moa.providers") -> Any | None:
    """What is registered as `name`: shipped, or an entry point of that group; None where nothing is."""
    target = PROVIDERS.get(name)
    if target is None:
        found = entry_points(group=group, name=name)
        return next(iter(found)).load() if found else None
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def names(group: str = "moa.providers") -> list[str]:
    """Every registered name."""
    return [*PROVIDERS, *(entry.name for entry in entry_points(group=group))]
