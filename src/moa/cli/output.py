"""Where a command writes: the answer to stdout, everything else to stderr. What goes to a terminal is made harmless."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TextIO

_BIDI = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_HARMLESS: dict[int, str | None] = {
    **{code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"},
    **{code: f"\\u{code:04x}" for code in _BIDI},
    ord("\r"): None,
}
_UNSAFE_IN_JSON = re.compile(r"[\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def harmless(text: str) -> str:
    """`text` with every control character but newline and tab made visible: it can neither move a cursor, nor set a
    title, nor show other words than it holds."""
    return text.translate(_HARMLESS)


def one_line(text: str) -> str:
    """`text` harmless and on one line."""
    return harmless("; ".join(" ".join(line.split()) for line in text.splitlines() if line.strip()))


def to_json(data: object) -> str:
    """One line of JSON: readable in any language, and harmless on a terminal."""
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(data, ensure_ascii=False))


def money(dollars: float | None) -> str:
    """US dollars as a person reads them."""
    if dollars is None:
        return "$?"
    if dollars == 0:
        return "$0"
    if dollars < 1e-6:
        return "<$0.000001"
    return f"${dollars:.4f}" if dollars >= 0.01 else f"${dollars:.6f}"


def seconds(duration: float | None) -> str:
    """A duration as a person reads it."""
    return "" if duration is None else f"{duration:.1f} s"


def moment(unix: float) -> str:
    """A point in time, in the local zone."""
    return datetime.fromtimestamp(unix).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def day(unix: float) -> str:
    """A point in time, short: the minute if it is of this year, else the date."""
    then = datetime.fromtimestamp(unix).astimezone()
    return then.strftime("%m-%d %H:%M" if then.year == datetime.now().astimezone().year else "%Y-%m-%d")


@dataclass(frozen=True, slots=True)
class Screen:
    """What the streams of this process are. With `quiet` only the answer and errors are written."""

    quiet: bool = False
    as_json: bool = False

    @property
    def streams(self) -> bool:
        """Whether somebody reads the answer as it comes."""
        return _is_terminal(sys.stdout) and not self.as_json

    @property
    def live(self) -> bool:
        """Whether somebody watches."""
        return _is_terminal(sys.stderr) and not self.quiet and not self.as_json and os.environ.get("TERM") != "dumb"

    @property
    def watched(self) -> bool:
        """Whether stderr is a terminal."""
        return _is_terminal(sys.stderr)

    def answer(self, text: str) -> None:
        """A piece of the answer, at once: as it is into a pipe, harmless onto a terminal."""
        sys.stdout.write(harmless(text) if _is_terminal(sys.stdout) else text)
        sys.stdout.flush()

    def line(self, text: str = "") -> None:
        """A line of what the command was asked for, on stdout."""
        self.answer(f"{text}\n")

    def json(self, data: object) -> None:
        """One object on stdout."""
        self.answer(f"{to_json(data)}\n")

    def say(self, text: str) -> None:
        """A line beside the answer, on stderr, dim where there are colours; nothing if quiet."""
        if self.quiet:
            return
        dim = self.live and "NO_COLOR" not in os.environ
        sys.stderr.write(f"\x1b[2m{one_line(text)}\x1b[0m\n" if dim else f"{one_line(text)}\n")
        sys.stderr.flush()

    def aside(self, text: str) -> None:
        """Text of several lines beside the answer, on stderr."""
        sys.stderr.write(f"{harmless(text)}\n")
        sys.stderr.flush()

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]], cut: int = -1) -> None:
        """Aligned columns on stdout; on a terminal, column `cut` is shortened to what fits."""
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        terminal = _is_terminal(sys.stdout)
        console = Console(file=sys.stdout, width=None if terminal else 10_000, highlight=False)
        table = Table(box=None, pad_edge=False, header_style="dim")
        cells = [[Text(one_line(cell)) for cell in row] for row in rows]
        for index, name in enumerate(head):
            widest = max((row[index].cell_len for row in cells), default=0)
            whole = None if index == cut % len(head) else max(widest, len(name))
            table.add_column(name, no_wrap=True, overflow="ellipsis", min_width=whole)
        for row in cells:
            table.add_row(*row)
        with console.capture() as captured:
            console.print(table)
        sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _is_terminal(stream: TextIO | Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False
