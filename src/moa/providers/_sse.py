"""Server-sent events, read piece by piece as the HTML standard says.

Lines end in CR, LF or CRLF, whatever the boundaries of the pieces; a byte-order mark at the start is dropped; comments and
fields we do not use are passed over; several `data` lines join with LF; what is not closed by a blank line is no event.
"""

from __future__ import annotations

from typing import NamedTuple

from moa.core.errors import BadReply

LIMIT = 1 << 20
"""Most bytes of one line, and of the data of one event."""


class ServerEvent(NamedTuple):
    """One event: its type (empty where none is named) and its data."""

    name: str
    data: bytes


class EventStream:
    """Turns pieces of bytes into events. The same bytes give the same events however they are cut."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._rest = bytearray()  # the line under way
        self._after_cr = False  # the last piece ended in CR: an LF right after it is the same line end
        self._first = True
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """The events that `piece` completes.

        Raises:
            BadReply: a line or an event is longer than the limit.
        """
        if self._after_cr:
            piece = piece.removeprefix(b"\n")
        events, piece = self._plain(piece)
        if b"\n" not in piece and b"\r" not in piece:  # the beginning of a line, or more of it
            self._rest += piece
            self._check(len(self._rest))
            self._after_cr = False
            return events
        for line in piece.splitlines(keepends=True):
            ended = line.endswith((b"\n", b"\r"))
            if self._rest or not ended:
                self._rest += line
                self._check(len(self._rest))
                if not ended:
                    break  # only the last one can be without its end
                line = bytes(self._rest)
                self._rest.clear()
            event = self._line(line.rstrip(b"\r\n"))
            if event is not None:
                events.append(event)
        self._after_cr = piece.endswith(b"\r")
        return events

    def _plain(self, piece: bytes) -> tuple[list[ServerEvent], bytes]:
        """The events that `piece` completes, where each of them is one line of data, as in nearly all streams; and what is left."""
        end = piece.rfind(b"\n\n") + 2
        if end < 2 or self._data or self._name or b"\r" in piece:
            return [], piece
        whole = bytes(self._rest) + piece[:end]
        if whole[:6] != b"data: " or whole.count(b"\n") != 2 * whole.count(b"\n\ndata: ") + 2:
            return [], piece
        lines = whole[6:-2].split(b"\n\ndata: ")
        if max(map(len, lines)) >= self._limit:
            return [], piece
        self._rest.clear()
        self._first = False
        return [ServerEvent("", line) for line in lines], piece[end:]

    def _line(self, line: bytes) -> ServerEvent | None:
        if self._first:
            self._first = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            return self._event()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._size += len(value) + 1
            self._check(self._size)
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        return None

    def _event(self) -> ServerEvent | None:
        event = ServerEvent(self._name, b"\n".join(self._data)) if self._data else None
        self._name, self._data, self._size = "", [], 0
        return event

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise BadReply(f"the stream holds a line or an event of more than {self._limit} bytes")
