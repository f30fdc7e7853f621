"""What is on this machine: keys in the environment, local servers on their usual ports, and the mixture `auto` made of them."""

from __future__ import annotations

import json
import re
import socket
import time
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from moa.config.load import FOUND, Source
from moa.providers.hosts import HOSTS, Host, key_of, located

AUTO = "auto"
MOST_PROPOSERS = 4
FEWEST_PROPOSERS = 3


@dataclass(frozen=True, slots=True)
class Server:
    """A local server that answers, with the models it offers."""

    host: str
    base_url: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """Hosts whose key is set, and local servers that answer."""

    keys: tuple[str, ...]
    servers: tuple[Server, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    model: str
    maker: str
    strength: float


def look(environ: Mapping[str, str], *, patience: float = 0.3) -> Found:
    """Look for keys and for local servers, waiting `patience` seconds for each server at most."""
    hosts = [located(host, environ) for host in HOSTS.values()]
    keys = tuple(host.name for host in hosts if not host.local and key_of(host, environ))
    local = [host for host in hosts if host.local]
    listening = [host for host in local if _listens(host, min(patience, 0.05))]
    if not listening:
        return Found(keys, ())
    with ThreadPoolExecutor(len(listening)) as pool:
        servers = pool.map(lambda host: _server(host, key_of(host, environ), patience), listening)
        return Found(keys, tuple(server for server in servers if server is not None))


def _listens(host: Host, patience: float) -> bool:
    url = urlsplit(host.base_url)
    try:
        with socket.create_connection((url.hostname or "127.0.0.1", url.port or 80), patience):
            return True
    except OSError:
        return False


def _server(host: Host, key: str | None, patience: float) -> Server | None:
    """The server at a host's address, if what answers there lists models as OpenAI does."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        opener = build_opener(ProxyHandler({}))
        with opener.open(Request(f"{host.base_url}/models", headers=headers), timeout=patience) as answer:
            listed = json.loads(_body(answer, time.monotonic() + patience))["data"]
        models = tuple(str(entry["id"]) for entry in listed if "embed" not in str(entry["id"]).lower())
    except (URLError, OSError, ValueError, KeyError, TypeError):
        return None
    return Server(host.name, host.base_url, models) if models else None


def _body(answer: Any, until: float) -> bytes:
    """What a server sends by then (`time.monotonic()`), a megabyte at most: one that drips must not hold us up."""
    pieces, size = [], 0
    while size < 1 << 20 and time.monotonic() < until and (piece := answer.read1(1 << 16)):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def auto(found: Found) -> Source | None:
    """The mixture `auto` of what was found, or None where nothing was."""
    candidates = sorted(_candidates(found), key=lambda one: -one.strength)
    if not candidates:
        return None
    chosen = _chosen(candidates)
    names = list(dict.fromkeys(one.model for one in chosen))
    description = f"chosen of what was found here (table of {models_table()['date']}); aggregator: {names[0]}"
    mixture = {"description": description, "proposers": [one.model for one in chosen], "aggregator": names[0]}
    return Source(FOUND, {"mixtures": {AUTO: mixture}})


def _chosen(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """The strongest model of each maker first, then further ones; the strongest again where there are too few."""
    first: dict[str, _Candidate] = {}
    for one in candidates:
        first.setdefault(one.maker, one)
    chosen = list(first.values())[:MOST_PROPOSERS]
    taken = {one.model for one in chosen}
    chosen += [one for one in candidates if one.model not in taken][: max(0, FEWEST_PROPOSERS - len(chosen))]
    return chosen + [candidates[0]] * max(0, FEWEST_PROPOSERS - len(chosen))


def _candidates(found: Found) -> list[_Candidate]:
    known = [
        _Candidate(f"{entry['host']}:{entry['model']}", entry["maker"], entry["strength"])
        for entry in models_table()["models"]
        if entry["host"] in found.keys
    ]
    local = [
        _Candidate(f"{server.host}:{model}", model, _size(model)) for server in found.servers for model in server.models
    ]
    return known + local


def _size(model: str) -> float:
    """A local model's strength: its billions of parameters by its name, at most 40, so that hosted models come first."""
    sizes = [
        float(size)
        for size in re.findall(r"(?i)(?<![\w.])(\d+(?:\.\d+)?)b(?![a-z])", model.replace("-", " ").replace(":", " "))
    ]
    return min(max(sizes, default=1.0), 40.0)


def models_table() -> dict[str, Any]:
    """The dated table of good models (`models.toml`)."""
    return tomllib.loads(resources.files("moa.config").joinpath("models.toml").read_text())
