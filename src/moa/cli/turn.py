"""One question carried out: watched and streamed where somebody looks on, quietly asked where the output is piped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from moa.cli.live import Live
from moa.cli.output import Screen
from moa.cli.recording import Recording
from moa.cli.report import result, summary, troubles
from moa.core.answer import Answer
from moa.core.errors import CallError, DeadlinePassed, MoaError, NotEnoughReplies, TimedOut
from moa.core.events import Delta, Event
from moa.core.types import Conversation
from moa.core.view import CallView, View, fold
from moa.mixture import Mixture

Asked: TypeAlias = Mixture | Recording
"""What answers: a mixture, or one whose answers come from a recording."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user wants of the answer: in how many seconds, for how many dollars, with or without the proposals."""

    deadline: float | None = None
    max_cost: float | None = None
    proposals: bool = False


@asynccontextmanager
async def opened(asked: Asked) -> AsyncIterator[None]:
    """Keep connections while inside. A run that cannot be kept does not cost the answer: the store says so at the end."""
    if isinstance(asked, Recording):
        yield
        return
    await asked.__aenter__()
    try:
        yield
    finally:
        with suppress(MoaError):
            await asked.aclose()


async def answered(asked: Asked, conversation: Conversation, wishes: Wishes, screen: Screen) -> Answer:
    """The answer to a conversation, shown on `screen` with what belongs to it.

    Raises:
        MoaError: there is none.
    """
    try:
        if screen.live or screen.streams:
            answer = await _watched(asked, conversation, wishes, screen)
        else:
            answer = await asked.ask(conversation, deadline=wishes.deadline, max_cost=wishes.max_cost)
            _proposals(answer.proposals, wishes, screen)
            _whole(answer, wishes, screen)
    except CallError as error:
        raise _in_words_of_time(error, wishes.deadline or asked.deadline) from error
    if screen.watched or troubles(answer.view):
        screen.say(summary(answer.view))
    return answer


def _whole(answer: Answer, wishes: Wishes, screen: Screen) -> None:
    if screen.as_json:
        screen.json(result(answer.view, answer.text, texts=wishes.proposals))
    else:
        screen.line(answer.text.removesuffix("\n"))


async def _watched(asked: Asked, conversation: Conversation, wishes: Wishes, screen: Screen) -> Answer:
    with Live(screen) as live:
        stream = _Stream(live, wishes, screen)
        async with asked.watch(
            conversation, deadline=wishes.deadline, max_cost=wishes.max_cost, proposers=live.on
        ) as events:
            try:
                async for event in events:
                    stream.take(event)
                reply = await events.reply()
            except BaseException:
                stream.end_line()
                raise
    answer = Answer(reply.text, tuple(stream.events))
    stream.finish(answer)
    return answer


@dataclass(slots=True)
class _Stream:
    """A run on its way to the screen: the live view first, and from its first piece on, the answer."""

    live: Live
    wishes: Wishes
    screen: Screen
    view: View = field(default_factory=View)
    events: list[Event] = field(default_factory=list)
    written: list[str] = field(default_factory=list)

    def take(self, event: Event) -> None:
        """Show one more event."""
        self.view = fold(self.view, event)
        fact = event.fact
        if not isinstance(fact, Delta):
            self.events.append(event)
        if self.screen.streams and isinstance(fact, Delta) and fact.final and fact.what == "text":
            if not self.written:
                self._begin()
            self.written.append(fact.text)
            self.screen.answer(fact.text)
        else:
            self.live.show(self.view)

    def end_line(self) -> None:
        """See that what comes next begins on a line of its own."""
        if self.written and not self.written[-1].endswith("\n"):
            self.screen.answer("\n")

    def finish(self, answer: Answer) -> None:
        """The rest: the whole answer where it was not streamed, or where what was streamed is not the answer."""
        streamed = "".join(self.written)
        self.end_line()
        if not self.written:
            self._begin()
        elif streamed != answer.text:
            self.screen.say("what you have read is not the answer: it was replaced; the answer is:")
        if streamed != answer.text:
            _whole(answer, self.wishes, self.screen)

    def _begin(self) -> None:
        self.live.show(self.view)
        self.live.stop()
        said = tuple(call for call in self.view.calls if call.role == "proposer" and call.state == "done")
        _proposals(said, self.wishes, self.screen)


def _proposals(calls: tuple[CallView, ...], wishes: Wishes, screen: Screen) -> None:
    """What the proposers said, beside the answer. In JSON it stands with the calls."""
    if wishes.proposals and not screen.as_json:
        for call in calls:
            screen.aside(f"── {call.agent} ──\n{call.text.rstrip()}\n")


def _in_words_of_time(error: CallError, deadline: float | None) -> MoaError:
    """The deadline, where nothing but time was lacking; the error as it is otherwise."""
    causes = error.causes if isinstance(error, NotEnoughReplies) else (error,)
    if deadline is not None and causes and all(isinstance(cause, TimedOut) for cause in causes):
        return DeadlinePassed(f"nothing came within {deadline:g} s; allow more by --deadline ({error})")
    return error
