"""What was learnt from graded records, read from its file: weights of votes, a pool, a router."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from moa.core.errors import ConfigError

T = TypeVar("T")


def learnt(name: str, path: str, kind: type[T]) -> T:
    """What was learnt, from a file: the JSON of Weights, a Pool or a Router. `name` is the setting that names it.

    Raises:
        ConfigError: it cannot be read, or is none; names the place in it.
    """
    found = Path(path).expanduser()
    wanted: Any = kind
    try:
        value: T = _read(found, found.stat().st_mtime_ns, wanted)
        return value
    except OSError as error:
        raise ConfigError(f"{name}: {path}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise ConfigError(f"{name}: {path}: {error}") from None


@lru_cache(maxsize=16)
def _read(path: Path, changed: int, kind: Any) -> Any:
    """Read once for every change: each tag and mode of a mixture is made anew, and a router may be large."""
    return msgspec.json.decode(path.read_bytes(), type=kind)
