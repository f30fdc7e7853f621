"""A text that grows: nothing of it is lost, and it is never in many pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moa.core.growing import MOST, grow


@given(st.text(min_size=3 * MOST, max_size=5 * MOST))
def test_a_text_that_grows_keeps_every_piece_in_few(text: str) -> None:
    kept: list[str] = []
    for count, piece in enumerate(text, 1):
        grow(kept, piece)
        assert len(kept) <= MOST
        assert "".join(kept) == text[:count]
