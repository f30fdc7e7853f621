"""`moa init`: writes a commented moa.toml from the keys and servers found here."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moa.cli.options import Json
from moa.cli.output import Screen
from moa.core.errors import ConfigError

if TYPE_CHECKING:
    from moa.config.found import Found

_HEAD = """\
# moa.toml: which models answer, and how their answers become one. Written by `moa init`; change it freely.
# `moa show` says what it does and costs; `moa models` says what can be reached. Settings left out have defaults.
# It is read from the current folder (or by --config, or MOA_CONFIG), laid over ~/.config/moa/config.toml.

default = "default"                       # the mixture that answers when none is named
"""

_AGENT_SETTINGS = """\
# An agent may also say:
# prompt = "You are a careful lawyer."    # its own system prompt
# temperature = 0.7
# max_tokens = 2048                       # a lower limit lowers the worst cost, too
# reasoning_effort = "low"
# timeout = 60                            # seconds for one call
"""

_TAIL = """\
# need = 3                                # go on when so many proposers have answered …
# grace = 2.0                             # … and this many more seconds have passed
# deadline = 60                           # seconds: an answer in this time
# max_cost = 0.50                         # US dollars: never more for one question
# rounds = 2                              # proposers read each other once more before the aggregator

# [mixtures.samples]                      # one good model, asked several times (Self-MoA)
# agent = {first}
# samples = 5
# aggregator = {first}

# [mixtures.ballot]                       # the answer most give; no aggregator needed
# proposers = [{first}, {second}]
# combine = "vote"

# [limits]
# timeout = 120                           # seconds for one call
# at_once = 64                            # calls at once to one host
# attempts = 2                            # of one call, the first included

# [store]                                 # where runs are kept: `moa runs`
# keep = true
# prompts = true                          # false: keep no question and no answer
# days = 30                               # remove older runs
# path = "~/moa-runs.db"

# [cache]
# exact = true                            # answer equal calls from memory
# size = 1000

# [hosts.office]                          # any server that speaks chat completions; then model = "office:some-model"
# base_url = "https://llm.example.org/v1"
# key = "env:OFFICE_API_KEY"              # the name of a variable; keys are never written down
# at_once = 8

# [prices."office:some-model"]            # US dollars per million tokens
# input = 1.0
# output = 3.0
"""


_EXAMPLE = """\
# A real model: set OPENROUTER_API_KEY (or start Ollama), and put its agent among the proposers below.
# [agents.opus]
# model = "openrouter:anthropic/claude-opus-5.5"
# [agents.llama]
# model = "ollama:llama3.2"
"""


def init(
    path: Annotated[Path, typer.Option("--path", metavar="PATH", help="The file to write.")] = Path("moa.toml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite it if it is there.")] = False,
    as_json: Json = False,
) -> None:
    """Write a commented moa.toml from the keys and local servers found here."""
    from moa.config.found import look

    found = look(os.environ)
    text, agents = written(found)
    _write(path, text, force)
    screen = Screen(as_json=as_json)
    if as_json:
        servers = [server.host for server in found.servers]
        screen.json({"path": str(path), "agents": agents, "keys": list(found.keys), "servers": servers})
        return
    screen.line(f"wrote {path}: its mixture `default` asks {', '.join(agents.values()) or 'the built-in models'}")
    if not agents:
        screen.line("no key and no local server was found; the file says how to name a real model")


def written(found: Found) -> tuple[str, dict[str, str]]:
    """The text of the file, and the agents it defines with their models: none where the built-in ones answer."""
    from moa.config.found import AUTO, auto

    source = auto(found)
    if source is None:
        return _file(found, {}, ["p1", "p2", "p3", "p4"], "aggregator"), {}
    mixture: dict[str, Any] = source.data["mixtures"][AUTO]
    names = _names([*mixture["proposers"], mixture["aggregator"]])
    agents = {name: model for model, name in names.items()}
    return _file(found, agents, [names[model] for model in mixture["proposers"]], names[mixture["aggregator"]]), agents


def _file(found: Found, agents: dict[str, str], proposers: list[str], aggregator: str) -> str:
    parts = [_HEAD, _found(found), *(_agent(name, model) for name, model in agents.items())]
    parts += [_AGENT_SETTINGS, *([] if agents else [_EXAMPLE]), _mixture(proposers, aggregator)]
    tail = _TAIL.replace("{first}", _text(proposers[0])).replace("{second}", _text(proposers[-1]))
    return "\n".join(parts) + tail


def _names(models: list[str]) -> dict[str, str]:
    """A short name of its own for each model: the last piece of its name, in plain letters."""
    names: dict[str, str] = {}
    for model in dict.fromkeys(models):
        last = model.partition(":")[2].rsplit("/", 1)[-1].lower()
        stem = re.sub(r"[^a-z0-9]+", "-", last).strip("-") or "agent"
        taken = names.values()
        number = next(n for n in range(1, len(models) + 2) if (stem if n == 1 else f"{stem}-{n}") not in taken)
        names[model] = stem if number == 1 else f"{stem}-{number}"
    return names


def _found(found: Found) -> str:
    lines = [f"# key found: {name}" for name in found.keys]
    lines += [f"# local server found: {server.host}, {len(server.models)} models" for server in found.servers]
    return "".join(
        f"{line}\n" for line in lines or ["# no key and no local server was found: the built-in models answer"]
    )


def _agent(name: str, model: str) -> str:
    return f"[agents.{name}]\nmodel = {_text(model)}\n"


def _mixture(proposers: list[str], aggregator: str) -> str:
    return f"""\
[mixtures.default]
description = "written by moa init"
proposers = [{", ".join(map(_text, proposers))}]
aggregator = {_text(aggregator)}
"""


def _text(text: str) -> str:
    """A TOML string: JSON's, with the one character that TOML wants escaped and JSON does not."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write(path: Path, text: str, force: bool) -> None:
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path}: is already there; --force overwrites it, --path writes another") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
