"""The options that several commands share, each written once."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer

from moa.core.errors import ConfigError
from moa.flows.modes import Mode


def _above_zero(option: str, unit: str) -> Callable[[float | None], float | None]:
    def check(value: float | None) -> float | None:
        if value is not None and not (isfinite(value) and value > 0):
            raise ConfigError(f"{option}: {value:g} is no number of {unit} above 0")
        return value

    return check


def _option(*names: str, help: str, **more: Any) -> Any:  # noqa: A002 - typer's own name
    return typer.Option(*names, help=help, show_default=False, **more)


MixtureName = Annotated[str | None, _option("--mixture", "-m", metavar="NAME", help="Which mixture answers.")]
ConfigFile = Annotated[
    Path | None, _option("--config", metavar="PATH", help="The configuration, instead of ./moa.toml.")
]
Json = Annotated[bool, _option("--json", help="Print JSON.")]
Quiet = Annotated[bool, _option("--quiet", "-q", help="Only the answer and errors.")]
ShowProposals = Annotated[bool, _option("--show-proposals", help="What the proposers said, too (on stderr).")]
Deadline = Annotated[
    float | None,
    _option(
        "--deadline", metavar="SECONDS", help="An answer in this time.", callback=_above_zero("--deadline", "seconds")
    ),
]
MaxCost = Annotated[
    float | None,
    _option(
        "--max-cost",
        metavar="USD",
        help="Never more than this per question.",
        callback=_above_zero("--max-cost", "US dollars"),
    ),
]
Files = Annotated[list[Path] | None, _option("--file", metavar="PATH", help="A text file to add; may be repeated.")]
Images = Annotated[list[Path] | None, _option("--image", metavar="PATH", help="A picture to add; may be repeated.")]
Parts = Annotated[
    list[str] | None,
    _option("--part", metavar="NAME=TEXT", help="A named part, as text or @FILE; may be repeated (docs/parts.md)."),
]
System = Annotated[str | None, _option("--system", metavar="TEXT", help="A system prompt.")]
NoStore = Annotated[bool, _option("--no-store", help="Keep nothing of this.")]
Solo = Annotated[bool, _option("--solo", help="The aggregator alone, without its panel.")]
Auto = Annotated[bool, _option("--auto", help="A cheap start, and the whole mixture only where that disagrees.")]
Tag = Annotated[str, _option("--tag", metavar="NAME", help="What the mixture's routes know the question by.")]
LeaveOneOut = Annotated[
    bool, _option("--leave-one-out", help="Say on whose proposals the answer hangs; one more combination for each.")
]
ReplayFile = Annotated[
    Path | None,
    _option("--replay", metavar="FILE", help="Answers from a recording (`moa runs export --format recording`)."),
]


def mode_of(solo: bool, auto: bool) -> Mode | None:
    """The mode that the flags ask for; None where they ask for none.

    Raises:
        ConfigError: they ask for two.
    """
    if solo and auto:
        raise ConfigError("--solo and --auto exclude each other; give one of them")
    return "solo" if solo else "auto" if auto else None
