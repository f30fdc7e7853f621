"""`moa ask`: one question, one answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from moa.cli import notices, question
from moa.cli.options import (
    Auto,
    ConfigFile,
    Deadline,
    Files,
    Images,
    Json,
    LeaveOneOut,
    MaxCost,
    MixtureName,
    NoStore,
    Parts,
    Quiet,
    ReplayFile,
    ShowProposals,
    Solo,
    System,
    Tag,
    mode_of,
)
from moa.cli.output import Screen
from moa.cli.recording import Recording
from moa.cli.turn import Asked, Wishes, answered, opened
from moa.core.types import Conversation
from moa.flows.modes import Mode
from moa.mixture import Mixture


def ask(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="QUESTION", help="The question; text piped in is added to it.")
    ] = None,
    mixture: MixtureName = None,
    show_proposals: ShowProposals = False,
    deadline: Deadline = None,
    max_cost: MaxCost = None,
    solo: Solo = False,
    auto: Auto = False,
    tag: Tag = "",
    leave_one_out: LeaveOneOut = False,
    file: Files = None,
    image: Images = None,
    part: Parts = None,
    system: System = None,
    as_json: Json = False,
    no_store: NoStore = False,
    config: ConfigFile = None,
    replay: ReplayFile = None,
    quiet: Quiet = False,
) -> None:
    """Ask a question; the answer goes to stdout, all else to stderr."""
    screen = Screen(quiet, as_json)
    wishes = Wishes(deadline, max_cost, show_proposals)
    mode = mode_of(solo, auto)
    asked = open_mixture(
        mixture, config, no_store=no_store, replay=replay, mode=mode, tag=tag, leave_one_out=leave_one_out
    )
    attached = question.attached(file, image, part)
    turn = question.turn(question.said(words or [], screen), attached)
    conversation = (*question.opening(system), turn)
    if isinstance(asked, Mixture):
        notices.choice(asked, conversation, screen, max_cost)
    asyncio.run(_once(asked, conversation, wishes, screen))
    if isinstance(asked, Mixture):
        notices.connect(asked, mixture, screen)


async def _once(asked: Asked, conversation: Conversation, wishes: Wishes, screen: Screen) -> None:
    async with opened(asked):
        await answered(asked, conversation, wishes, screen)


def open_mixture(
    name: str | None,
    config: Path | None,
    *,
    no_store: bool,
    replay: Path | None,
    mode: Mode | None = None,
    tag: str = "",
    leave_one_out: bool = False,
) -> Asked:
    """The mixture of that name, or the default; over the recording `replay` where one is given. See `Mixture.ask` for the rest.

    Raises:
        ConfigError: the configuration or the recording is wrong.
    """
    flags = {"store": {"keep": False}} if no_store else None
    mixture = Mixture.from_config(name, config=config, flags=flags, mode=mode, tag=tag, leave_one_out=leave_one_out)
    if replay is None:
        return mixture
    from moa.providers.replay import read

    return Recording(mixture, read(replay), str(replay))
