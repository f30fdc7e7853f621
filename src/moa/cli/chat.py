"""`moa chat`: turn by turn, what was said before kept in mind."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from moa.cli import notices, question
from moa.cli.ask import open_mixture
from moa.cli.options import (
    ConfigFile,
    Deadline,
    Files,
    Images,
    Json,
    MaxCost,
    MixtureName,
    NoStore,
    Parts,
    Quiet,
    ReplayFile,
    ShowProposals,
    System,
)
from moa.cli.output import Screen
from moa.cli.turn import Asked, Wishes, answered, opened
from moa.cli.verdict import problem, verdict
from moa.core.errors import ConfigError, MoaError
from moa.core.types import Conversation, Message, assistant
from moa.mixture import Mixture

EXIT, RESET = "/exit", "/reset"


def chat(
    mixture: MixtureName = None,
    show_proposals: ShowProposals = False,
    deadline: Deadline = None,
    max_cost: MaxCost = None,
    file: Files = None,
    image: Images = None,
    part: Parts = None,
    system: System = None,
    as_json: Json = False,
    no_store: NoStore = False,
    config: ConfigFile = None,
    replay: ReplayFile = None,
    quiet: Quiet = False,
) -> int:
    """Talk turn by turn: /reset forgets, /exit or Ctrl-D ends, Ctrl-C stops an answer. Piped in, each line is a turn."""
    screen = Screen(quiet, as_json)
    asked = open_mixture(mixture, config, no_store=no_store, replay=replay)
    attached = question.attached(file, image, part)
    talk = _Talk(asked, Wishes(deadline, max_cost, show_proposals), screen, question.opening(system), attached)
    with asyncio.Runner() as runner:
        kept_open = opened(asked)
        runner.run(kept_open.__aenter__())
        try:
            for line in lines(screen):
                talk.hear(line, runner)
        finally:
            runner.run(kept_open.__aexit__(None, None, None))
    if isinstance(asked, Mixture) and talk.answers:
        notices.connect(asked, mixture, screen)
    return 0 if talk.interactive else talk.failed


@dataclass(slots=True)
class _Talk:
    """A conversation under way. A turn that has no answer leaves it as it was."""

    asked: Asked
    wishes: Wishes
    screen: Screen
    opening: Conversation
    attached: question.Attached
    said: Conversation = ()
    answers: int = 0
    failed: int = 0
    interactive: bool = field(default_factory=lambda: sys.stdin.isatty())

    def hear(self, line: str, runner: asyncio.Runner) -> None:
        """One line of the user's: a command, or a turn."""
        if line == RESET:
            self.said = ()
            self.screen.say("forgotten; the next question begins anew")
            return
        turn = question.turn(line, question.Attached() if self.said else self.attached)
        try:
            self._answer((*self.opening, *self.said, turn), turn, runner)
        except KeyboardInterrupt:
            if not self.interactive:
                raise
            self.screen.say("stopped; this turn is forgotten")
        except MoaError as error:
            self.failed, words = verdict(error)
            problem(words)

    def _answer(self, conversation: Conversation, turn: Message, runner: asyncio.Runner) -> None:
        if isinstance(self.asked, Mixture):
            notices.choice(self.asked, conversation, self.screen, self.wishes.max_cost)
        answer = runner.run(answered(self.asked, conversation, self.wishes, self.screen))
        self.said = (*self.said, turn, assistant(answer.text))
        self.answers += 1


def lines(screen: Screen) -> Iterator[str]:
    """What the user types, or what is piped in, line by line, without blank lines, until /exit or the end."""
    typed = sys.stdin.isatty()
    if typed:
        with suppress(ImportError):
            import readline  # noqa: F401 - makes input() editable
        screen.say(f"{EXIT} or Ctrl-D ends, {RESET} forgets, Ctrl-C stops an answer")
    while (line := _prompted() if typed else _next_line()) is not None:
        if line.strip() == EXIT:
            return
        if line.strip():
            yield line.strip()


def _prompted() -> str | None:
    """A line from the terminal; Ctrl-C clears it, Ctrl-D ends."""
    while True:
        try:
            if sys.stdout.isatty():
                return input("> ")
            sys.stderr.write("> ")
            sys.stderr.flush()
            return sys.stdin.readline() or None
        except KeyboardInterrupt:
            sys.stderr.write("\n")
        except EOFError:
            sys.stderr.write("\n")
            return None


def _next_line() -> str | None:
    try:
        return sys.stdin.buffer.readline().decode("utf-8") or None
    except UnicodeDecodeError:
        raise ConfigError("stdin: not UTF-8 text") from None
