"""Each guard holds something up: with it taken out, the test of what it guards fails."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clock import run
from engine import test_drive
from faults import test_faults as faults
from faults.rigged import Rigged, ask
from moa import Agent
from moa.core.events import CallFinished
from moa.core.ports import Scope
from moa.core.types import Reply, Request
from moa.providers.fake import Script
from moa.wrap.attempts import Attempts
from moa.wrap.budget import Budget
from moa.wrap.cache import Cache
from moa.wrap.circuit import Circuit
from moa.wrap.continued import Continued
from moa.wrap.fallback import Fallback
from moa.wrap.fit import Fit
from moa.wrap.limit import Limit
from moa.wrap.obey import Obey
from moa.wrap.timeout import Timeout
from moa.wrap.turns import Turns
from wrap import test_fit, test_obey, test_turns


def through(self: Any, request: Request, scope: Scope) -> Any:
    """A wrap that does nothing."""
    return self.inner.send(request, scope)


def test_no_more_calls_go_out_at_once_than_a_host_is_given() -> None:
    rigged = Rigged(faults.FINE, limits={"at_once": 2})
    asked = run(rigged.ask(rigged.mixture([faults.FOUR], "agg")))
    assert asked.seconds == pytest.approx(3.0)  # two, two, and the aggregator


def test_an_equal_question_is_answered_from_the_cache() -> None:
    rigged = Rigged(faults.FINE, cache={"exact": True})
    mixture = rigged.mixture([faults.FOUR], "agg")

    async def main() -> None:
        for _ in range(2):
            assert (await rigged.ask(mixture)).answer == "answer of agg"

    run(main())
    assert len(rigged.asked) == 5


def test_references_that_do_not_fit_are_cut_and_it_is_said() -> None:
    long = {name: Script(f"{name} " * 5000) for name in faults.FOUR} | {"agg": "short"}
    asked, rigged = ask(long, [faults.FOUR], profiles={"h:agg": {"context": 2048}})
    assert asked.answer == "short"
    assert asked.noted("fitted") == ["4 of 4 references are cut to about 265 tokens each: the context of h:agg is 2048"]
    (shown,) = [request for request in rigged.fake.asked if request.call.model == "h:agg"]
    assert sum(len(message.text) for message in shown.messages) < 2048 * 4
    first = next(event.fact for event in asked.events if isinstance(event.fact, CallFinished))
    assert len(first.reply.text) > 9000  # what was said is kept whole


def fits_nothing(call: Any, context: Any, *, spare: bool = False) -> tuple[Any, str]:
    return call, ""


def anything_goes(reply: Reply, call: Any, *, final: bool, without: str = "") -> None:
    return None


def named(module: Any, start: str) -> Callable[..., None]:
    """The one test of a module whose name begins so."""
    (test,) = [value for name, value in vars(module).items() if name.startswith(f"test_{start}")]
    found: Callable[..., None] = test
    return found


WRAPS = "moa.wrap."
HERE = sys.modules[__name__]
GUARDS: dict[str, tuple[str, Any, Any, str, tuple[Any, ...]]] = {
    "attempts": (f"{WRAPS}attempts.Attempts.send", through, faults, "f11_a_cut", (False,)),
    "timeout": (f"{WRAPS}timeout.Timeout.send", through, faults, "f09_one_whose", ()),
    "circuit": (f"{WRAPS}circuit.Circuit.send", through, faults, "f08", ()),
    "fallback": (f"{WRAPS}fallback.Fallback.send", through, faults, "f12_another", ()),
    "limit": (f"{WRAPS}limit.Limit.send", through, HERE, "no_more_calls", ()),
    "cache": (f"{WRAPS}cache.Cache.send", through, HERE, "an_equal_question", ()),
    "fit": (
        f"{WRAPS}fit.Fit.send",
        through,
        test_fit,
        "a_refused_setting",
        ("`top_p` is not supported", None, "top_p"),
    ),
    "continued": (f"{WRAPS}continued.Continued.send", through, faults, "f11_an_answer_cut", ()),
    "obey": (f"{WRAPS}obey.Obey.send", through, test_obey, "one_that_does_not", ()),
    "turns": (f"{WRAPS}turns.Turns.send", through, test_turns, "calls_of_one_model", ()),
    "too long": (f"{WRAPS}fit.too_long", lambda request, context: "", test_fit, "a_request_that", ()),
    "room": ("moa.engine.call.with_room", fits_nothing, HERE, "references_that_do_not_fit", ()),
    "no answer": ("moa.engine.call.no_answer", anything_goes, faults, "f12_what_is", (Script(""),)),
    "no answer, next": (f"{WRAPS}fallback.no_answer", anything_goes, faults, "f32_where", (Script(""),)),
    "share": ("moa.engine.drive.share", lambda left, steps: left, faults, "f01", ()),
    "unread": ("moa.engine.watch.UNREAD", 1 << 40, test_drive, "a_reader_too_slow", ()),
}


@pytest.mark.parametrize("name", GUARDS)
def test_without_its_guard_the_test_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, instead, module, start, arguments = GUARDS[name]
    test = named(module, start)
    test(*arguments)
    monkeypatch.setattr(place, instead)
    with pytest.raises(BaseException):  # noqa: B017 - an assertion, a deadlock, a call that pytest itself gives up
        test(*arguments)


def test_without_the_budget_money_is_spent_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Budget, "send", through)
    with pytest.raises(AssertionError):
        faults.test_a_daily_budget_ends_a_run_before_the_call_that_would_pass_it(tmp_path)


def test_every_wrap_is_a_guard_here() -> None:
    wraps = {Attempts, Budget, Cache, Circuit, Continued, Fallback, Fit, Limit, Obey, Timeout, Turns}
    guarded = {place.split(".")[3] for place, *_ in GUARDS.values() if place.startswith("moa.wrap.")} | {"Budget"}
    assert {wrap.__name__ for wrap in wraps} <= guarded
    files = {path.stem for path in Path(__file__).parent.parent.parent.joinpath("src/moa/wrap").glob("*.py")}
    assert files == {wrap.__module__.rpartition(".")[2] for wrap in wraps} | {
        "__init__",
        "advice",
        "alarms",
        "pace",
        "sizes",
    }
    assert Agent("h:a").fallback == ()
