"""`moa costs`: what was spent, by whom and on what."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Literal, get_args

import typer

from moa.cli.options import ConfigFile, Json
from moa.cli.output import Screen, money

MOST_DAYS = 100_000
By = Literal["day", "mixture", "role", "agent", "model", "payer"]


def costs(
    by: Annotated[By, typer.Option("--by", help=f"What to sum over: {', '.join(get_args(By))}.")] = "model",
    days: Annotated[int, typer.Option("--days", min=1, max=MOST_DAYS, help="How many days, today (UTC) the last.")] = 1,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """What was spent: every attempt, also those that failed or were stopped."""
    from moa.config.build import open_ledger
    from moa.config.load import load

    ledger = open_ledger(load(file=config).spec.store, os.environ)
    sums = ledger.sums("tenant" if by == "payer" else by, days) if ledger.path.exists() else []
    named = [(_name(one.what, by), one) for one in sums]
    screen = Screen(as_json=as_json)
    if as_json:
        screen.json([{**asdict(one), "what": name} for name, one in named])
        return
    if not sums:
        screen.say("nothing was asked in that time")
        return
    rows = [
        (name, f"{one.attempts:,}", f"{one.failed:,}", f"{one.input:,}", f"{one.output:,}", money(one.cost))
        for name, one in named
    ]
    whole = None if any(one.cost is None for one in sums) else sum(one.cost or 0.0 for one in sums)
    screen.table((by, "attempts", "failed", "tokens in", "tokens out", "cost"), rows)
    screen.line(f"together {money(whole)}")


def _name(what: str, by: By) -> str:
    if by == "day":
        return datetime.fromtimestamp(int(what) * 86_400, UTC).strftime("%Y-%m-%d")
    return what or "(nobody named)"
