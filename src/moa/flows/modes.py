"""How much of a mixture works: all of it ("full"), its aggregator alone ("solo"), or a cheap start, and the rest only where that
is not enough ("auto"; escalate.py)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from moa.core.errors import ConfigError
from moa.flows.members import Member

Mode: TypeAlias = Literal["full", "solo", "auto"]
MODES: tuple[Mode, ...] = ("full", "solo", "auto")


def mode_of(text: str | None) -> Mode | None:
    """The mode of that name.

    Raises:
        ConfigError: there is none.
    """
    found = next((mode for mode in MODES if mode == text), None)
    if found is None and text is not None:
        raise ConfigError(f"mode: {text!r} is none of {', '.join(MODES)}")
    return found


def first_of(layer: Sequence[Member], *, checked: bool) -> list[Member]:
    """Whom "auto" asks first where nobody is named: the first two of the first layer, two different ones where there are, and of
    a single one its answer where that can be `checked`.

    Raises:
        ConfigError: there are no two to agree, and there is no check.
    """
    different = list(dict.fromkeys(layer))
    if len(different) >= 2:
        return different[:2]
    if checked or len(layer) >= 2:
        return list(layer[: 1 if checked else 2])
    raise ConfigError(
        'mode: "auto" needs two that agree or not, or verify, which says what is right; name several in first, or set verify'
    )
