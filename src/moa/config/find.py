"""The configuration of this folder, with the mixture `auto` where keys or local servers were found and nothing was written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moa.config.found import auto, look
from moa.config.load import Config, load


def load_here(
    environ: Mapping[str, str] | None = None, *, file: Path | None = None, flags: Mapping[str, Any] | None = None
) -> Config:
    """`load`, and `auto` added where the user has written no mixture of their own; raises what `load` raises."""
    environ = os.environ if environ is None else environ
    config = load(environ, file=file, flags=flags)
    if config.own:
        return config
    found = auto(look(environ))
    return config if found is None else load(environ, file=file, flags=flags, found=found)
