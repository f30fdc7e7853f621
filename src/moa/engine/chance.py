"""Bytes nobody can guess, taken from the operating system many at a time: one by one they cost more than the call they mark."""

from __future__ import annotations

import os
from collections import deque

SIZE = 16
"""Bytes of one token at most."""

_READY: deque[bytes] = deque()


def token(size: int = SIZE) -> str:
    """`size` bytes of chance (16 at most), as hex digits. No two callers get the same, whatever thread or process they are in."""
    while True:
        try:
            return _READY.pop()[:size].hex()
        except IndexError:
            drawn = os.urandom(256 * SIZE)
            _READY.extend(drawn[at : at + SIZE] for at in range(0, len(drawn), SIZE))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_READY.clear)  # what is left is the parent's
