"""What a model can do: the configuration's own word, then `profiles.toml`, then the context length genai-prices knows."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from moa.config.prices import context_of
from moa.config.spec import Host as HostSpec
from moa.config.spec import Profile as ProfileSpec
from moa.core.profile import ABLE, Profile

LIKE = {"anthropic": "anthropic", "responses": "openai-responses", "gemini": "gemini"}
"""The wire of a host that moa does not know by name -> whose models its models are like."""


class Profiles(dict[str, Profile]):
    """The Profile of each model ("host:model") as the configuration or `profiles.toml` has it, found when it is first asked for."""

    def __init__(self, own: Mapping[str, ProfileSpec], hosts: Mapping[str, HostSpec]) -> None:
        super().__init__()
        self._own = own
        self._like = {name: like for name, host in hosts.items() if (like := LIKE.get(host.wire or ""))}

    def __missing__(self, model: str) -> Profile:
        profile = self[model] = self._find(model)
        return profile

    def context(self, model: str) -> int | None:
        """The most tokens it takes: as written, else what genai-prices knows."""
        return self[model].context or context_of(model)

    def _find(self, model: str) -> Profile:
        host, _, rest = model.partition(":")
        known = f"{self._like.get(host, host)}:{rest}"
        profile = next((Profile(**rules) for name, rules in _shipped().items() if _matches(known, name)), ABLE)
        own = next((spec for name, spec in self._own.items() if _matches(model, name)), None)
        return profile if own is None else replace(profile, **own.model_dump(exclude_unset=True, by_alias=True))


def _matches(model: str, name: str) -> bool:
    return fnmatchcase(model.lower(), name.lower())


@cache
def _shipped() -> dict[str, dict[str, Any]]:
    return tomllib.loads((Path(__file__).parent / "profiles.toml").read_text(encoding="utf-8"))
