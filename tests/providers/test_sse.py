"""Server-sent events against a reference parser that is slow and plain."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from moa.core.errors import BadReply
from moa.providers._sse import EventStream, ServerEvent


def reference(data: bytes) -> list[ServerEvent]:
    """The HTML standard's rules, written down over the whole text at once."""
    text = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events, name, lines = [], b"", []
    for line in text.split(b"\n")[:-1]:
        if line == b"":
            if lines:
                events.append(ServerEvent(name.decode("utf-8", "replace"), b"\n".join(lines)))
            name, lines = b"", []
        elif not line.startswith(b":"):
            field, _, value = line.partition(b":")
            value = value[1:] if value.startswith(b" ") else value
            if field == b"data":
                lines.append(value)
            elif field == b"event":
                name = value
    return events


def fed(pieces: list[bytes], limit: int = 1 << 20) -> list[ServerEvent]:
    stream = EventStream(limit)
    return [event for piece in pieces for event in stream.feed(piece)]


WORDS = st.sampled_from(
    [
        b"data",
        b"event",
        b"id",
        b":",
        b": ",
        b" ",
        b"x",
        b"{}",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\r",
        b"\xef\xbb\xbf",
        b"\xc3",
        b"\x0b",
        b"\x85",
        b"[DONE]",
        b"data: ",
    ]
)


@given(st.lists(WORDS, max_size=40).map(b"".join), st.lists(st.integers(0, 200), max_size=12))
@example(b"\xef\xbb\xbfdata: a\n\n", [1])
def test_any_bytes_cut_anywhere_give_what_the_standard_says(data, cuts):
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    pieces = [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
    assert fed(pieces) == reference(data)
    assert fed([data[at : at + 1] for at in range(len(data))]) == reference(data)


def test_an_event_that_is_not_closed_by_a_blank_line_is_none():
    assert fed([b"data: a\n\ndata: b\n"]) == [ServerEvent("", b"a")]


@pytest.mark.parametrize("endless", [b"data: " + b"x" * 100, b"data: xxxxxxxxxx\n", b"event: " + b"y" * 100])
def test_a_line_or_an_event_without_end_is_refused(endless):
    with pytest.raises(BadReply, match="1000 bytes"):
        fed([endless] * 200, limit=1000)


def test_a_long_line_in_tiny_pieces_is_read_in_one_pass():
    # joined only once: quadratic copying would take minutes here
    data = b"data: " + b"x" * 300_000 + b"\n\n"
    assert len(fed([data[at : at + 1] for at in range(len(data))])[0].data) == 300_000
