"""The live view: one line per agent on stderr, drawn from the folded View by rich's own thread, ten times a second."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from moa.cli.output import Screen, money, one_line, seconds
from moa.core.view import CallView, View

if TYPE_CHECKING:
    from rich.live import Live as RichLive
    from rich.table import Table

FRAMES = 10
"""Frames a second, at most."""

_COLOURS = {"done": "green", "failed": "red", "retrying": "yellow", "abstained": "white"}


class Live:
    """Shows how a run stands until it is stopped; its last frame stays. Without a terminal it does nothing."""

    def __init__(self, screen: Screen) -> None:
        self.on = screen.live
        self._view = View(started=time.time())
        self._live: RichLive | None = None

    def __enter__(self) -> Self:
        if self.on:
            from rich.console import Console
            from rich.live import Live as RichLive

            self._live = RichLive(
                console=Console(stderr=True),
                get_renderable=self._frame,
                refresh_per_second=FRAMES,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def show(self, view: View) -> None:
        """Take a newer view; the next frame shows it."""
        self._view = view

    def stop(self) -> None:
        """Draw the last frame and leave it there; a second call does nothing."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _frame(self) -> Table:
        return frame(self._view, time.time())


NAME_WIDTH = 24
"""Cells an agent's name keeps however long the problem beside it is."""


def frame(view: View, now: float) -> Table:
    """The picture of a view at a moment."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    longest = max((len(one_line(call.agent)) for call in view.calls), default=0)
    for width in (min(longest, NAME_WIDTH), 8):
        table.add_column(no_wrap=True, overflow="ellipsis", min_width=width)
    for width in (11, 7, 6):
        table.add_column(no_wrap=True, overflow="ellipsis", min_width=width, justify="right")
    table.add_column(no_wrap=True, overflow="ellipsis")
    for call in view.calls:
        word = state(call)
        table.add_row(
            Text(one_line(call.agent)),
            Text(word, style=_COLOURS.get(call.state, "cyan")),
            Text(f"{call.tokens} tokens" if call.tokens else ""),
            Text(seconds((call.ended or now) - call.started)),
            Text(money(call.cost) if call.state == "done" else ""),
            Text(one_line(call.problem)),
        )
    if not view.calls:
        table.add_row(Text("starting", style="cyan"), "", "", Text(seconds(now - view.started)), "", "")
    return table


def state(call: CallView) -> str:
    """What a call is doing, in one word."""
    if call.state == "running":
        return "writing" if call.tokens else "thinking"
    return {"done": "known" if call.cached else "done", "cancelled": "stopped"}.get(call.state, call.state)
