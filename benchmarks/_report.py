"""Figures with their targets, printed the same way by every benchmark.

A benchmark measures, makes a `Figure` of each result, and ends with `report`:

    parser = arguments(argparse.ArgumentParser(description=__doc__))     # adds --json and --check
    args = parser.parse_args()
    tell(args, "a table, or anything else for people")
    figures = [Figure("answers.right", 0.93, 0.90, ">="), Figure("size.mb", 4.1, 5.0, "<=", due=False)]
    raise SystemExit(report(figures, args, details={"any": "JSON that may help"}))

Its last lines are then, one per figure, `name value target ok|short`:

    answers.right 0.93 >=0.9 ok
    size.mb 4.1 <=5 ok

A value of None is something that could not be measured; it counts as short. With `--check` the exit status is 1 where
a figure that is due falls short; figures with `due=False` are shown and never fail. `--json FILE` writes all of it to a
file; with `--json -` the JSON is the only thing on standard output, and what is for people goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO


@dataclass(frozen=True, slots=True)
class Figure:
    """One result and the bar it is held to. `due`: whether falling short of it is a failure today."""

    name: str
    value: float | None
    target: float
    comparison: Literal["<=", ">="] = "<="
    due: bool = True

    def __post_init__(self) -> None:
        if not self.name or any(character.isspace() for character in self.name):
            raise ValueError(f"{self.name!r} is no name of a figure: it is one word")

    @property
    def ok(self) -> bool:
        """Whether the bar is met."""
        if self.value is None or math.isnan(self.value):
            return False
        return self.value <= self.target if self.comparison == "<=" else self.value >= self.target

    def __str__(self) -> str:
        value = "-" if self.value is None else f"{self.value:.4g}"
        return f"{self.name} {value} {self.comparison}{self.target:.4g} {'ok' if self.ok else 'short'}"


def arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add what every benchmark takes."""
    parser.add_argument("--json", metavar="FILE", help="write the result as JSON to FILE; - is standard output")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a figure that is due falls short")
    return parser


def tell(args: argparse.Namespace, text: str = "") -> None:
    """Print something for people."""
    print(text, file=_for_people(args), flush=True)


def report(figures: Sequence[Figure], args: argparse.Namespace, details: Mapping[str, Any] | None = None) -> int:
    """Print the last lines, write the JSON, and return the exit status."""
    if args.json:
        _write(args.json, figures, details or {})
    for figure in figures:
        tell(args, str(figure))
    return int(args.check and any(figure.due and not figure.ok for figure in figures))


def _for_people(args: argparse.Namespace) -> TextIO:
    return sys.stderr if args.json == "-" else sys.stdout


def _write(where: str, figures: Sequence[Figure], details: Mapping[str, Any]) -> None:
    content = {
        "benchmark": Path(sys.argv[0]).stem,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "figures": [
            {
                "name": figure.name,
                "value": figure.value,
                "target": figure.target,
                "comparison": figure.comparison,
                "due": figure.due,
                "ok": figure.ok,
            }
            for figure in figures
        ],
        **details,
    }
    text = json.dumps(content, indent=1) + "\n"
    if where == "-":
        sys.stdout.write(text)
    else:
        Path(where).write_text(text, encoding="utf-8")
