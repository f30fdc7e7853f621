"""Two plots of what the models that ship know, from the figures of `embedded.py`, for the docs.

    python benchmarks/embedded.py --json figures.json
    python benchmarks/embedded_plots.py figures.json docs/images

writes `embedded-skills.svg` (per cent right by skill and member) and `embedded-proposers.svg` (what each further proposer adds).
Needs matplotlib, which nothing else here does: `pip install 'mixture-of-agents[plots]'`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "moa", "svg.fonttype": "path", "font.size": 9, "font.family": "DejaVu Sans"})
from matplotlib import pyplot as plt

NAMES = {"alone": "aggregator alone", "any": "any of four"}
TOTALS = ("seen phrasings", "unseen phrasings", "all")
INK, PAPER, COLOURS = "#222222", "#ffffff", {"any": "#999999", "vote": "#d08a2e", "mixture": "#1f6f8b"}


def by_skill(figures: dict[str, Any]) -> plt.Figure:
    """A map: rows are skills, columns members and ways to combine them."""
    shares = figures["shares"]
    rows, columns = list(shares), list(next(iter(shares.values())))
    skills = [row for row in rows if row not in TOTALS]
    figure, axes = plt.subplots(figsize=(7.2, 5.4), layout="constrained", facecolor=PAPER)
    values = [[shares[row][column] for column in columns] for row in rows]
    axes.imshow(values, cmap="YlGnBu", vmin=0, vmax=100, aspect="auto")
    for y, line in enumerate(values):
        for x, value in enumerate(line):
            axes.text(x, y, f"{value:.0f}", ha="center", va="center", color=PAPER if value > 60 else INK)
    axes.set_xticks(range(len(columns)), [NAMES.get(column, column).replace(" ", "\n", 1) for column in columns])
    axes.set_yticks(range(len(rows)), rows)
    axes.axhline(len(skills) - 0.5, color=INK, linewidth=1.5)
    axes.axvline(3.5, color=INK, linewidth=1.5)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.set_xlabel(f"per cent right of {figures['questions']} held-out questions, seed {figures['seed']}")
    return figure


def by_number(figures: dict[str, Any]) -> plt.Figure:
    """Lines: how the figures grow with the number of proposers; a dot is one set of them."""
    sets = figures["sets of proposers"]
    numbers = sorted({len(one["members"]) for one in sets})
    figure, axes = plt.subplots(figsize=(5.6, 3.8), layout="constrained", facecolor=PAPER)
    for name, colour in COLOURS.items():
        means = [mean(one[name] for one in sets if len(one["members"]) == number) for number in numbers]
        axes.plot(numbers, means, color=colour, linewidth=2, label=NAMES.get(name, name).replace("four", "them"))
        axes.scatter([len(one["members"]) for one in sets], [one[name] for one in sets], color=colour, s=9, alpha=0.6)
    best = max(figures["shares"]["all"][name] for name in ("p1", "p2", "p3", "p4", "alone"))
    axes.axhline(best, color=INK, linewidth=1, linestyle=":", label="best single model")
    axes.set_xticks(numbers)
    axes.set_xlabel("proposers (lines: mean over all sets of so many; every third question)")
    axes.set_ylabel("per cent right")
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def main() -> None:
    """Read the figures, write both plots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("figures", type=Path, help="what embedded.py wrote with --json")
    parser.add_argument("folder", type=Path, help="where the plots go")
    args = parser.parse_args()
    figures = json.loads(args.figures.read_text(encoding="utf-8"))
    if "sets of proposers" not in figures:
        raise SystemExit(f"{args.figures}: no sets of proposers in it; make it without --quick")
    args.folder.mkdir(parents=True, exist_ok=True)
    for name, plot in (("embedded-skills", by_skill), ("embedded-proposers", by_number)):
        plot(figures).savefig(args.folder / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
