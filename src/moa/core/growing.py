"""A text that grows by words, kept small while it does."""

from __future__ import annotations

MOST = 64


def grow(pieces: list[str], piece: str) -> None:
    """Add a piece to a text in pieces. Many become one: a word by itself takes up ten times its length."""
    pieces.append(piece)
    if len(pieces) > MOST:
        pieces[:] = ["".join(pieces)]
