"""What was learnt from graded records, read from its file: weights of votes, a pool, a router."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from moa.core.agents import Agent
from moa.core.errors import ConfigError
from moa.flows.members import Member
from moa.flows.pool import Pool
from moa.flows.weigh import Weights

T = TypeVar("T")


def learnt(name: str, path: str, kind: type[T]) -> T:
    """What was learnt, from a file: the JSON of Weights, a Pool or a Router. `name` is the setting that names it.

    Raises:
        ConfigError: it cannot be read, or is none; names the place in it.
    """
    if not path.strip():
        raise ConfigError(f"{name}: no file is named; name one, or leave the setting out")
    found = Path(path).expanduser()
    wanted: Any = kind
    try:
        value: T = _read(found, found.stat().st_mtime_ns, wanted)
        return value
    except OSError as error:
        raise ConfigError(f"{name}: {path}: {error.strerror}") from None
    except RecursionError:
        raise ConfigError(f"{name}: {path}: nested too deep to be one") from None
    except msgspec.DecodeError as error:
        raise ConfigError(f"{name}: {path}: {error}") from None


def weights_of(path: str, members: Sequence[Member]) -> Weights:
    """The weights of a file, for a mixture of these members.

    Raises:
        ConfigError: as `learnt`; or they name nobody of the mixture, or one is negative, or all are nothing.
    """
    weights = learnt("weights", path, Weights)
    if low := [agent for agent, weight in {**weights.of, "other": weights.other}.items() if weight < 0]:
        raise ConfigError(f"weights: {path}: what {low[0]} is worth is less than nothing; take 0 or more")
    named = {*weights.of, *(agent for more in weights.more.values() for agent in more)}

    def worth(agent: str) -> float:
        return max(weights.weight(agent, category) for category in ("", *weights.more))

    _see_members("weights", path, members, named, worth)
    return weights


def pool_of(path: str, members: Sequence[Member]) -> Pool:
    """The pool of a file, for a mixture of these members.

    Raises:
        ConfigError: as `learnt`; or its weights name nobody of the mixture, or all are nothing.
    """
    pool = learnt("pool", path, Pool)
    _see_members("pool", path, members, set(pool.weights), lambda agent: pool.weights.get(agent, 1.0))
    return pool


def _see_members(
    name: str, path: str, members: Sequence[Member], named: set[str], worth: Callable[[str], float]
) -> None:
    """See that what was learnt is of this mixture's members, of whom somebody is worth something.

    Raises:
        ConfigError: it is not.
    """
    agents = [member.name for member in members if isinstance(member, Agent)]
    if len(agents) < len(members):  # a mixture answers under its own agents' names
        return
    if named and not named & set(agents):
        raise ConfigError(
            f"{name}: {path}: it names {', '.join(sorted(named)[:5])} and no member of this mixture ({', '.join(agents[:5])})"
        )
    if not any(map(worth, agents)):
        raise ConfigError(f"{name}: {path}: no member of this mixture is worth anything; give one of them more than 0")


@lru_cache(maxsize=16)
def _read(path: Path, changed: int, kind: Any) -> Any:
    """Read once for every change: each tag and mode of a mixture is made anew, and a router may be large."""
    return msgspec.json.decode(path.read_bytes(), type=kind)
