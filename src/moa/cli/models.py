"""`moa models`: what is configured and what can be reached."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from moa.cli.options import ConfigFile, Json
from moa.cli.output import Screen
from moa.core.errors import MoaError

if TYPE_CHECKING:
    from moa.config.build import Rig
    from moa.providers.remote import Remote

PATIENCE = 5.0
"""Seconds a host may take to list its models."""


@dataclass(frozen=True, slots=True)
class Row:
    """A host: where it is, the name of the variable its key is in (never the key), and how it stands."""

    host: str
    base_url: str
    key: str = ""
    local: bool = False
    state: str = ""
    models: tuple[str, ...] = ()


def models(
    check: Annotated[bool, typer.Option("--check", help="Ask every host with a key for its models.")] = False,
    as_json: Json = False,
    config: ConfigFile = None,
) -> None:
    """List the keys found, the local servers that answer, the models that ship with moa, and your agents."""
    from moa.config.build import Rig
    from moa.config.find import load_here
    from moa.config.flows import default_name

    screen, loaded = Screen(as_json=as_json), load_here(file=config)
    rig = Rig(loaded)
    rows = hosts(rig, os.environ)
    rows = asyncio.run(_checked(rig, rows)) if check else rows
    agents = [{"agent": name, "model": agent.model} for name, agent in loaded.spec.agents.items()]
    own = {name for source in loaded.written for name in source.data.get("agents", {})}
    if as_json:
        found: dict[str, Any] = {"hosts": [asdict(row) for row in rows], "builtin": shipped(), "agents": agents}
        screen.json(found | {"default": default_name(loaded)})
        return
    _print_hosts(screen, rows, all_models=check)
    screen.line(
        f"\nships with moa: {', '.join(f'builtin:{name}' for name in shipped()) or 'no model (run `moa doctor`)'}"
    )
    if mine := [(str(agent["agent"]), str(agent["model"])) for agent in agents if agent["agent"] in own]:
        screen.line("\nyour agents")
        screen.table(("agent", "model"), mine)
    screen.line(f"\ndefault mixture: {default_name(loaded)}  (`moa show` says what it does)")


def hosts(rig: Rig, environ: Mapping[str, str]) -> list[Row]:
    """Hosts with a key, your own hosts, and local servers that answer."""
    from moa.config.found import look
    from moa.providers.hosts import HOSTS, key_of, located

    servers = {server.host: server for server in look(environ).servers}
    rows = []
    for name in (*rig.config.spec.hosts, *(name for name in HOSTS if name not in rig.config.spec.hosts)):
        own = name in rig.config.spec.hosts
        host = rig.wires.host(name) if own else located(HOSTS[name], environ)
        key = next((env for env in host.key_env if environ.get(env, "").strip()), "")
        if not own and name in servers:
            rows.append(Row(name, host.base_url, key, True, "answers", servers[name].models))
        elif own or (key_of(host, environ) and not host.local):
            state = "key found" if key else f"set {' or '.join(host.key_env)}" if host.key_env else "needs no key"
            rows.append(Row(name, host.base_url, key, host.local, state))
    return rows


def shipped() -> list[str]:
    """The names of the models that ship with moa."""
    from moa.providers.gguf import EMBEDDED

    return sorted(path.stem for path in EMBEDDED.glob("*.gguf"))


async def _checked(rig: Rig, rows: list[Row]) -> list[Row]:
    try:
        return list(await asyncio.gather(*(_check(rig, row) for row in rows)))
    finally:
        await rig.aclose()


async def _check(rig: Rig, row: Row) -> Row:
    """The row with what the host itself says: one request for its list of models."""
    if row.models:
        return row
    try:
        # A host of these rows speaks HTTP: it is in the table of hosts or in the file's own.
        names = await cast("Remote", rig.wires.wire(row.host)).models(PATIENCE)
    except MoaError as error:
        return Row(row.host, row.base_url, row.key, row.local, f"{error.kind}: {error}")
    return Row(row.host, row.base_url, row.key, row.local, "answers", names)


def _print_hosts(screen: Screen, rows: list[Row], *, all_models: bool) -> None:
    if not rows:
        screen.line("no key and no local server found: set OPENROUTER_API_KEY (or any other key), or start Ollama")
        return
    screen.table(
        ("host", "key", "state", "address"), [(row.host, row.key or "-", row.state, row.base_url) for row in rows]
    )
    for row in rows:
        if row.models and (row.local or all_models):
            screen.line(f"\n{row.host}: {len(row.models)} models")
            screen.answer("".join(f"  {row.host}:{model}\n" for model in row.models))
