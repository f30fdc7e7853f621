"""The one owner of attempts, on a virtual clock."""

from __future__ import annotations

import asyncio

import pytest

from clock import run
from moa.core import errors
from moa.core.errors import Cut, Overloaded, ProviderError, RateLimited
from moa.core.events import CallRetried, Delta, Failure
from moa.core.ports import Scope
from moa.core.types import Call, Reply, Request, user
from moa.providers.fake import Fake, Script
from moa.wrap.attempts import Attempts
from moa.wrap.pace import Allowance

CALL = Call("fake:a", (user("hi"),))
REQUEST = Request(CALL, CALL.conversation)


def ended(lines, *, chance=0.0, most=2, **scope):
    """What came of a call, what was emitted, how often it was sent, and when it ended."""
    facts, fake = [], Fake({"a": lines})

    async def main():
        try:
            outcome = await Attempts(fake, most=most, chance=lambda: chance).send(REQUEST, Scope(facts.append, **scope))
        except ProviderError as error:
            outcome = error
        return outcome, asyncio.get_running_loop().time()

    outcome, when = run(main())
    return outcome, facts, len(fake.asked), when


def test_a_retryable_error_is_tried_once_more_and_told():
    reply, facts, sent, _ = ended([Overloaded("busy"), "Paris"])
    assert (reply.text, sent) == ("Paris", 2)
    assert facts == [CallRetried(1, 0.0, Failure("Overloaded", "busy", "overloaded", "fake", "a"))]


def test_at_most_two_are_sent_in_all():
    error, facts, sent, _ = ended([Overloaded("busy")])
    assert (error.kind, sent, len(facts)) == ("Overloaded", 2, 1)


KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ProviderError) and kind is not ProviderError
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_only_retryable_errors_are_tried_again(kind):
    error, _, sent, _ = ended([kind("why"), "Paris"])
    assert sent == (2 if kind in (errors.Unreachable, Cut, RateLimited, Overloaded) else 1)
    assert (error.text == "Paris") if sent == 2 else (error.kind == kind.__name__)


@pytest.mark.parametrize(
    ("after", "chance", "when"),
    [(2.0, 0.0, 2.0), (2.0, 1.0, 2.5), (None, 1.0, 0.5), (None, 0.0, 0.0), (0.0, 0.5, 0.25)],
)
def test_what_the_host_asks_for_is_waited_at_least_and_chance_comes_on_top(after, chance, when):
    *_, ended_at = ended([RateLimited("slow down", retry_after=after), "Paris"], chance=chance)
    assert ended_at == pytest.approx(when)


@pytest.mark.parametrize(("after", "sent"), [(3.9, 2), (4.0, 1), (1e9, 1)])
def test_it_never_sleeps_to_the_deadline(after, sent):
    error, facts, times, when = ended([RateLimited("slow down", retry_after=after), "Paris"], deadline=4.0)
    assert times == sent
    assert len(facts) == sent - 1
    assert when <= 4.0
    assert sent == 2 or error.kind == "RateLimited"


def test_a_wait_of_hours_is_not_waited_even_without_a_deadline():
    _, _, sent, when = ended([RateLimited("tomorrow", retry_after=36_000.0), "Paris"])
    assert (sent, when) == (1, 0.0)


def test_once_a_delta_was_passed_on_there_is_no_second_text():
    error, facts, sent, _ = ended([Script("one two three", cut=1), "Paris"], want_deltas=True)
    assert (error.kind, error.partial, sent) == ("Cut", "one", 1)
    assert facts == [Delta("one")]


def test_a_stream_that_fails_before_its_first_delta_is_tried_again_as_the_second_attempt():
    reply, facts, sent, _ = ended([Script("one two", cut=0), "Paris"], want_deltas=True)
    assert (reply.text, sent) == ("Paris", 2)
    assert [fact.attempt for fact in facts if isinstance(fact, Delta)] == [2]


def test_a_stream_that_is_cut_while_its_model_still_thinks_is_tried_again():
    reply, facts, sent, _ = ended([Script("one two", reasoning="Hm.", cut=0), "Paris"], want_deltas=True)
    assert (reply.text, sent) == ("Paris", 2)
    assert [(fact.what, fact.text, fact.attempt) for fact in facts if isinstance(fact, Delta)] == [
        ("reasoning", "Hm.", 1),
        ("text", "Paris", 2),
    ]


def test_a_stream_that_is_cut_after_blank_text_is_tried_again_and_the_blank_is_not_passed_on():
    reply, facts, sent, _ = ended([Script("\n\n", cut=1), "\n\nParis"], want_deltas=True)
    assert (reply.text, sent) == ("\n\nParis", 2)
    assert [fact.text for fact in facts if isinstance(fact, Delta)] == ["\n\nParis"]


class Spells:
    """Streams these pieces, and answers with all its text."""

    def __init__(self, *pieces):
        self.pieces = pieces

    async def send(self, request, scope):
        for what, text in self.pieces:
            scope.emit(Delta(text, what, scope.attempt))
        return Reply("".join(text for what, text in self.pieces if what == "text"))


def test_blank_text_comes_before_what_follows_it_and_nothing_is_held_back_from_then_on():
    facts = []
    pieces = [("text", "\n"), ("reasoning", "Hm."), ("text", " "), ("tool", "{}"), ("text", " "), ("text", "x")]
    run(Attempts(Spells(*pieces)).send(REQUEST, Scope(facts.append, want_deltas=True)))
    assert [(fact.what, fact.text) for fact in facts] == [
        ("reasoning", "Hm."), ("text", "\n"), ("text", " "), ("tool", "{}"), ("text", " "), ("text", "x"),
    ]  # fmt: skip


def test_one_that_waits_can_be_cancelled():
    async def main():
        fake = Fake({"a": [RateLimited("slow down", retry_after=30.0), "Paris"]})
        task = asyncio.create_task(Attempts(fake).send(REQUEST, Scope()))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(fake.asked) == 1

    run(main())


def test_an_attempt_that_took_too_long_is_not_repeated():
    error, _, sent, seconds = ended([Script(failure=errors.TimedOut("hung"), delay=61.0), "Paris"])
    assert isinstance(error, errors.TimedOut)
    assert (sent, seconds) == (1, 61.0)


def test_of_a_model_whose_pace_is_unknown_nothing_is_hopeless():
    async def main():
        return (await Attempts(Fake({"a": "x"})).send(REQUEST, Scope(deadline=-0.001))).text

    assert run(main()) == "x"


@pytest.mark.parametrize(("left", "sent"), [(0.4, 0), (0.6, 1), (5.0, 1)])
def test_what_cannot_finish_is_not_started(left, sent):
    fake = Fake({"a": Script("x", delay=0.1)})
    attempts = Attempts(fake)
    for _ in range(30):
        attempts.paces["fake:a"].add(1.0)

    async def main():
        try:
            return (await attempts.send(REQUEST, Scope(deadline=left))).text
        except errors.TimedOut as error:
            return error.sent

    assert run(main()) == ("x" if sent else False)
    assert len(fake.asked) == sent


def test_a_host_that_says_it_timed_out_is_asked_again_and_one_that_was_silent_is_not():
    _, _, sent, _ = ended([errors.TimedOut("a gateway's 504", http_status=504), "Paris"])
    assert sent == 2
    _, _, sent, _ = ended([errors.TimedOut("not a piece of an answer within 60 s"), "Paris"])
    assert sent == 1


@pytest.mark.parametrize("calls", [5, 100, 101, 2000])
def test_retries_are_never_more_than_their_share_or_the_first_few(calls):
    allowance, spent = Allowance(0.1), 0
    for _ in range(calls):
        allowance.earn()
        spent += allowance.spend()
    assert spent <= max(10, calls / 10)
    assert spent >= min(calls, 10, calls / 10)
