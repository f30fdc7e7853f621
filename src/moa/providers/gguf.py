"""The GGUF files on disk: those that ship with moa, and the check before any is loaded."""

from __future__ import annotations

import hashlib
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from moa.core.errors import ConfigError

EMBEDDED = Path(__file__).parent.parent / "embedded"
"""The folder of the models that ship with moa."""


def builtin(name: str) -> Path:
    """The file of a model that ships with moa.

    Raises:
        ConfigError: there is none of that name.
    """
    _pinned(name)
    return EMBEDDED / f"{name}.gguf"


def builtin_sha256(name: str) -> str:
    """The pinned SHA-256 (hex) of a model that ships with moa.

    Raises:
        ConfigError: there is none of that name.
    """
    return _pinned(name)


def _pinned(name: str) -> str:
    pins = _pins()
    if name not in pins:
        near = get_close_matches(name, pins, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(pins)) or 'none'}"
        raise ConfigError(f"no built-in model {name!r}; {hint}")
    return pins[name]


@cache
def _pins() -> dict[str, str]:
    """Model name -> SHA-256, from the list beside the files (the format of `sha256sum`)."""
    try:
        lines = (EMBEDDED / "SHA256SUMS").read_text("ascii").splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return {Path(name.lstrip("*")).stem: digest.lower() for digest, name in pairs if name.endswith(".gguf")}


def check(path: Path, sha256: str | None = None) -> None:
    """Check that a file is a GGUF, and the pinned one, before llama.cpp parses it.

    Raises:
        ConfigError: it is missing, empty, no GGUF, or not the pinned one; says what to do.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
            if magic != b"GGUF":
                what = "it is empty" if not magic else "it does not begin with GGUF"
                raise ConfigError(f"{path}: no GGUF model: {what}; get the file again")
            file.seek(0)
            if sha256 is not None and hashlib.file_digest(file, "sha256").hexdigest() != sha256.lower():
                raise ConfigError(f"{path}: its SHA-256 is not the pinned one: get the file again, or correct the pin")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; give the path of a GGUF model") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
