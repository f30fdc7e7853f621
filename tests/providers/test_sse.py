"""Server-sent events against a reference parser that is slow and plain."""

from __future__ import annotations

import random

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
@example(b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [9])
def test_any_bytes_cut_anywhere_give_what_the_standard_says(data, cuts):
    """F15."""
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


def test_an_event_that_is_too_long_is_refused_also_where_it_comes_whole():
    data = b"data: ok\n\ndata: " + b"x" * 1000 + b"\n\n"
    for pieces in ([data], [data[:500], data[500:]]):
        with pytest.raises(BadReply, match="1000 bytes"):
            fed(pieces, limit=1000)
    assert len(fed([b"data: " + b"x" * 999 + b"\n\n"], limit=1000)[0].data) == 999


def test_a_long_line_in_tiny_pieces_is_read_in_one_pass():
    # joined only once: quadratic copying would take minutes here
    data = b"data: " + b"x" * 300_000 + b"\n\n"
    assert len(fed([data[at : at + 1] for at in range(len(data))])[0].data) == 300_000


RECORDED = (
    b': welcome\n\nevent: message_start\ndata: {"a": 1}\n\ndata: one\ndata: two\r\n\r\nid: 7\rdata:tight\r\r'
    b"retry: 10\ndata: caf\xc3\xa9 \xf0\x9f\x97\xbc\n\n: ping\n\ndata\n\ndata: [DONE]\n\n"
)


def test_ten_thousand_mutated_streams_are_read_as_the_standard_says():
    rng = random.Random(15)
    spare = [
        b"\r",
        b"\n",
        b"\r\n",
        b"\xef\xbb\xbf",
        b":",
        b"data:",
        b"data: ",
        b"event:",
        b" ",
        b"\x00",
        b"\xff",
        b"\n\n",
        b"\r\r",
    ]
    for _ in range(10_000):
        data = bytearray(RECORDED)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(data) + 1)
            how = rng.randrange(3)
            if how == 0:
                data[at:at] = rng.choice(spare)
            elif how == 1:
                del data[at : at + rng.randint(1, 5)]
            else:
                data[at : at + 1] = bytes([rng.randrange(256)])
        stream = bytes(data)
        cuts = sorted(rng.sample(range(len(stream) + 1), rng.randint(0, min(8, len(stream)))))
        pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        assert fed(pieces) == reference(stream), stream
    stream = bytes(RECORDED)
    assert fed([stream[at : at + 1] for at in range(len(stream))]) == reference(stream)


def test_a_line_of_50_megabytes_is_cut_at_its_cap_and_not_held():
    taken = []

    def pieces():
        for _ in range(50 * 16):
            taken.append(65_536)
            yield b"x" * 65_536

    with pytest.raises(BadReply, match="1048576 bytes"):
        fed(pieces())
    assert sum(taken) <= (1 << 20) + 65_536
