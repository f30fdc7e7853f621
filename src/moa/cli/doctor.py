"""`moa doctor`: is everything here that moa needs, and what to do where it is not."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from moa._version import __version__
from moa.cli.options import ConfigFile, Json
from moa.cli.output import Screen
from moa.core.errors import MoaError
from moa.core.types import user

if TYPE_CHECKING:
    from moa.config.load import Config

State: TypeAlias = Literal["ok", "warn", "fail"]
QUESTION = "What is 347 + 85?"
RIGHT = "432"
PATIENCE = 60.0
"""Seconds the built-in models may take for one question, loading included."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, and what to do about it."""

    check: str
    state: State
    found: str
    todo: str = ""


def doctor(as_json: Json = False, config: ConfigFile = None) -> int:
    """Check this installation: each line ok, warn or fail, with what to do. Exit code 1 if one fails."""
    screen = Screen(as_json=as_json)
    found = []
    for finding in findings(config):
        found.append(finding)
        if not as_json:
            todo = f" -> {finding.todo}" if finding.todo else ""
            screen.line(f"{finding.state:<4}  {finding.check:<10}  {finding.found}{todo}")
    failed = any(finding.state == "fail" for finding in found)
    if as_json:
        screen.json({"ok": not failed, "checks": [asdict(finding) for finding in found]})
    return 1 if failed else 0


def findings(file: Path | None) -> Iterator[Finding]:
    """Every check, one after the other."""
    from moa.config.find import load_here

    yield _python()
    yield Finding("moa", "ok", __version__)
    config = None
    try:
        config = load_here(file=file)
    except MoaError as error:
        yield Finding("config", "fail", " ".join(str(error).split()), "correct it, or move it away")
    if config is not None:
        yield from _config(config)
    keys = _keys()
    yield keys
    if config is not None:
        yield from _crowded(config)
    yield from _llama(needed=keys.state != "ok")
    yield _embedded()
    if config is not None:
        yield _store(config)
        if problem := _problem(lambda: _ledger(config)):
            yield Finding("ledger", "fail", problem, "move that file away; a new one is made")


def _python() -> Finding:
    good = sys.version_info >= (3, 11)
    return Finding(
        "python", "ok" if good else "fail", platform.python_version(), "" if good else "install Python 3.11 or newer"
    )


def _config(config: Config) -> Iterator[Finding]:
    """That every mixture of the user's stands, and that the models of the default one can be called."""
    from moa.config.build import Rig
    from moa.config.flows import default_name, flow_of
    from moa.mixture import Mixture

    names = ", ".join(source.name for source in config.written) or "none written; defaults hold"
    own = [name for source in config.written for name in source.data.get("mixtures", {})]
    for name in dict.fromkeys(own):
        if problem := _problem(lambda name=name: flow_of(config, name)):  # type: ignore[misc]
            yield Finding("config", "fail", problem, "correct the name")
    default = ""

    def named() -> None:
        nonlocal default
        default = default_name(config)
        flow_of(config, default)

    if problem := _problem(named):
        yield Finding("config", "fail", problem, "correct the name")
        return
    yield Finding("config", "ok", f"{names}; default mixture {default}")
    rig = Rig(config)
    planned = Mixture.of_flow(flow_of(config, default)).plan()
    for model in dict.fromkeys(call.model for step in planned.steps for call in step.calls):
        if problem := _problem(lambda model=model: rig.wires.check(model, default)):  # type: ignore[misc]
            yield Finding("models", "fail", problem, "`moa models` says what can be reached")


def _problem(check: Callable[[], object]) -> str:
    """What a check complains about, on one line; empty where it does not."""
    try:
        check()
    except MoaError as error:
        return " ".join(str(error).split())
    return ""


def _keys() -> Finding:
    """Which keys are set, and which local servers answer; no key is ever shown."""
    from moa.config.found import look

    try:
        found = look(os.environ)
    except MoaError as error:
        return Finding("keys", "fail", str(error), "correct that variable")
    names = [*found.keys, *(f"{server.host} (local)" for server in found.servers)]
    if names:
        return Finding("keys", "ok", ", ".join(names))
    return Finding(
        "keys", "warn", "no key and no local server", "set OPENROUTER_API_KEY (or any other), or start Ollama"
    )


ONE_MODEL = ("ollama", "lmstudio", "llamacpp")
"""Local servers that load a model when it is asked for, and unload another for it."""


def _crowded(config: Config) -> Iterator[Finding]:
    """Local servers with several models on one machine, where nothing says that it holds one at a time."""
    from moa.config.found import look

    try:
        servers = look(os.environ).servers
    except MoaError:
        return
    for server in servers:
        own = config.spec.hosts.get(server.host)
        if server.host in ONE_MODEL and len(server.models) > 1 and not (own and own.one_model):
            todo = f"where its GPU holds one at a time, write one_model = true under [hosts.{server.host}], so that they take turns"
            yield Finding("local", "warn", f"{server.host} offers {len(server.models)} models on one machine", todo)


def _llama(*, needed: bool) -> Iterator[Finding]:
    try:
        import xllamacpp  # noqa: F401 - that it can be imported is the check
    except Exception as error:  # noqa: BLE001 - a broken shared library may raise anything
        todo = "pip install 'mixture-of-agents[local]'"
        yield Finding("llama.cpp", "fail" if needed else "warn", f"xllamacpp: {error}", todo)
    else:
        yield Finding("llama.cpp", "ok", "xllamacpp can be imported")


def _embedded() -> Finding:
    """That the models that ship with moa are whole, and answer one question."""
    from moa.config.build import Rig
    from moa.config.flows import flow_of
    from moa.config.load import load
    from moa.engine.watch import Order, run

    nowhere = Path(os.devnull)  # so that only what ships with moa counts
    shipped = load({"MOA_HOME": os.devnull}, folder=nowhere, flags={"store": {"keep": False}})
    rig = Rig(shipped, {})
    try:
        for name in ("p1", "p2", "p3", "p4", "aggregator"):
            rig.wires.check(shipped.spec.agents[name].model, name)
        order = Order(flow_of(shipped, "builtin"), (user(QUESTION),), rig, "builtin", PATIENCE)
        answer = asyncio.run(run(order)).text
    except MoaError as error:
        return Finding("built-in", "fail", " ".join(str(error).split()), "install moa again")
    said = f"{QUESTION} {' '.join(answer.split())[:80]}"
    if RIGHT not in answer:
        return Finding(
            "built-in", "warn", said, f"{RIGHT} is right: the models answer, but not as they should; install moa again"
        )
    return Finding("built-in", "ok", said)


def _ledger(config: Config) -> None:
    """Raise where the ledger's file cannot be used."""
    from moa.config.build import open_ledger

    open_ledger(config.spec.store, os.environ).check()


def _store(config: Config) -> Finding:
    from moa.config.build import open_store

    if not config.spec.store.keep:
        return Finding("store", "ok", "runs are not kept ([store] keep = false)")
    kept = open_store(config.spec.store, os.environ)
    if problem := _problem(kept.check):
        return Finding("store", "fail", problem, "or name another file by [store] path")
    place = kept.path
    while not place.exists() and place != place.parent:
        place = place.parent
    if not os.access(place, os.W_OK):
        return Finding("store", "fail", f"{place} may not be written", "make it writable, or set [store] path")
    return Finding("store", "ok", str(kept.path))
