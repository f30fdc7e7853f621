"""`moa keys`: who may use the server: create, list, rotate, revoke."""

from __future__ import annotations

import os
import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moa.cli.options import ConfigFile, Json
from moa.cli.output import Screen, day, money
from moa.core.errors import ConfigError

if TYPE_CHECKING:
    from moa.stores.keys import Keys

app = typer.Typer(help="Keys of the server's users: create, list, rotate, revoke.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of a key, or its id.")]
_SPAN = re.compile(r"(\d+)([mhd])")
_UNITS = {"m": 60, "h": 3600, "d": 86400}


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")],
    expires: Annotated[str | None, typer.Option(help="When it ends: 30d, 12h, 45m from now.")] = None,
    mixture: Annotated[
        list[str] | None, typer.Option(help="A mixture it may use (may be given again); all, where none is.")
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="What it is good for: ask, runs, metrics; all, where none is.")
    ] = None,
    day_limit: Annotated[
        float | None, typer.Option("--day", min=0, help="Most US dollars it may spend a UTC day.")
    ] = None,
    requests: Annotated[int | None, typer.Option(min=1, help="Most requests a minute.")] = None,
    tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens a minute.")] = None,
    config: ConfigFile = None,
) -> None:
    """Make a key and print it: it is shown only now."""
    from moa.stores.keys import SCOPES

    scopes = tuple(scope or SCOPES)
    for one in scopes:
        if one not in SCOPES:
            raise ConfigError(f"--scope {one}: take {', '.join(SCOPES)}")
    until = None if expires is None else time.time() + _seconds(expires)
    _, secret = _keys(config, mixture).create(
        name,
        scopes=scopes,
        mixtures=tuple(mixture) if mixture else None,
        day=day_limit,
        requests=requests,
        tokens=tokens,
        expires=until,
    )
    Screen().line(secret)


@app.command("list")
def listed(as_json: Json = False, config: ConfigFile = None) -> None:
    """List the keys; what is kept of a key does not give it back."""
    screen, keys, now = Screen(as_json=as_json), _keys(config).all(), time.time()
    if as_json:
        screen.json([asdict(key) | {"state": key.state(now)} for key in keys])
    elif not keys:
        screen.say("there are no keys yet; `moa keys create NAME` makes one")
    else:
        rows = [
            (
                key.id, key.name, key.state(now), ", ".join(key.mixtures or ("all",)), ", ".join(key.scopes),
                "" if key.day is None else f"{money(key.day)} a day", "" if key.expires is None else f"until {day(key.expires)}",
            )
            for key in keys
        ]  # fmt: skip
        screen.table(("id", "name", "state", "mixtures", "for", "spends", "ends"), rows)


@app.command()
def rotate(
    name: Name,
    overlap: Annotated[
        str, typer.Option(help="How long former ones stay good, at most: 24h, 30m; 0m ends them now.")
    ] = "24h",
    config: ConfigFile = None,
) -> None:
    """Give a key a new secret and print it; the old one stays good for a while."""
    Screen().line(_keys(config).rotate(name, _seconds(overlap)))


@app.command()
def revoke(name: Name, config: ConfigFile = None) -> None:
    """End a key at once."""
    _keys(config).revoke(name)
    Screen().say(f"{name} is revoked")


def _seconds(span: str) -> float:
    found = _SPAN.fullmatch(span.strip())
    if found is None:
        raise ConfigError(f"{span!r} is no span of time; write 30d, 12h or 45m")
    return int(found[1]) * _UNITS[found[2]]


def _keys(config: Path | None, mixtures: list[str] | None = None) -> Keys:
    from moa.config.build import keys_path
    from moa.config.load import load, nearest
    from moa.stores.keys import Keys

    spec = load(file=config).spec
    for name in mixtures or ():
        if name not in spec.mixtures:
            raise ConfigError(f'--mixture {name}: no mixture "{name}"{nearest(name, spec.mixtures)}')
    return Keys(keys_path(spec.store, os.environ))
