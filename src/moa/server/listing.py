"""The models of this server as its clients list them: OpenAI's, and Anthropic's, who say which version of its API they speak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]
CREATED, CREATED_AT = 1767225600, "2026-01-01T00:00:00Z"
"""When any of them is said to be made: nobody keeps that of a mixture."""


def listed(names: Sequence[str], headers: Mapping[str, str]) -> Json:
    """The list of the models of these names."""
    data = [one_of(name, headers) for name in names]
    if not _anthropic(headers):
        return {"object": "list", "data": data}
    first, last = (names[0], names[-1]) if names else (None, None)
    return {"data": data, "has_more": False, "first_id": first, "last_id": last}


def one_of(name: str, headers: Mapping[str, str]) -> Json:
    """One of them."""
    if _anthropic(headers):
        return {"type": "model", "id": name, "display_name": name, "created_at": CREATED_AT}
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "moa"}


def _anthropic(headers: Mapping[str, str]) -> bool:
    return "anthropic-version" in headers
