"""Answers from recordings."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from clock import run
from faults.rigged import Rigged
from moa.core import errors
from moa.core.errors import BadRequest, ConfigError, NotEnoughReplies, Overloaded, ProviderError, TimedOut
from moa.core.events import CallCancelled, CallFailed, CallFinished, CallStarted, Delta, Event, Failure, StepFinished
from moa.core.ports import Scope
from moa.core.types import Call, Reply, Request, Sampling, ToolCall, Usage, user
from moa.engine.watch import Order
from moa.engine.watch import run as ordered
from moa.providers.fake import Script
from moa.providers.replay import Recorded, Replay, from_events, raised, read, written


def asked(text="What is 2 + 2?", sample=0, **settings) -> Request:
    call = Call("local:p2", (user(text),), sampling=Sampling(**settings), sample=sample, agent="p2")
    return Request(call, call.conversation)


def recorded(request: Request, *outcomes) -> list[Recorded]:
    return [Recorded(request.call.key, request.call.digests, outcome) for outcome in outcomes]


def answered(provider: Replay, request: Request, scope: Scope | None = None) -> Reply:
    return asyncio.run(provider.send(request, scope or Scope()))


REPLY = Reply("4", "p2", "p2", "tool_calls", (ToolCall("1", "f", "{}"),), "hm", Usage(3, 1), 0.5, ("note",))


def test_a_recorded_call_is_answered_whole_and_emitted_where_wanted():
    facts = []
    assert answered(Replay(recorded(asked(), REPLY)), asked(), Scope(facts.append, want_deltas=True)) == REPLY
    assert facts == [Delta("hm", "reasoning"), Delta("4"), Delta("{}", "tool", id="1", name="f")]


def test_a_miss_names_the_agent_the_run_and_the_field_that_differs():
    replay = Replay([*recorded(asked("Quite another", 3, temperature=1.0), REPLY), *recorded(asked(), REPLY)], "run X")
    with pytest.raises(BadRequest) as caught:
        answered(replay, asked("What is 2 + 3?"))
    assert "no recorded call for agent p2 of run X: its conversation differs (recorded " in str(caught.value)
    with pytest.raises(BadRequest, match="its conversation and sample differ"):
        answered(replay, asked("What is 2 + 3?", 1))


def test_samples_of_one_agent_are_never_folded_into_one():
    replay = Replay([*recorded(asked(sample=0), Reply("zero")), *recorded(asked(sample=1), Reply("one"))])
    assert [answered(replay, asked(sample=n)).text for n in (1, 0)] == ["one", "zero"]
    with pytest.raises(BadRequest, match="its sample differs"):
        answered(replay, asked(sample=2))


def test_a_miss_in_an_empty_recording_says_so():
    with pytest.raises(BadRequest, match="holds no calls"):
        answered(Replay([]), asked())


def test_one_call_recorded_several_times_gives_its_outcomes_in_order():
    replay = Replay(recorded(asked(), Failure("Overloaded", "busy", provider="x", model="m"), Reply("4")))
    with pytest.raises(Overloaded, match="x:m: busy"):
        answered(replay, asked())
    assert [answered(replay, asked()).text for _ in range(2)] == ["4", "4"]


@pytest.mark.parametrize(
    "name",
    [name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.MoaError)],
)
def test_every_error_of_ours_comes_back_as_itself(name):
    error = raised(Failure(name, "why", provider="x", model="m", partial="half"))
    assert type(error) is (ProviderError if name == "NotEnoughReplies" else getattr(errors, name))
    assert "why" in str(error)
    assert getattr(error, "partial", "half") == "half"


def test_a_foreign_error_comes_back_as_a_provider_error_naming_it():
    assert str(raised(Failure("KeyError", "'x'"))) == "KeyError: 'x'"
    assert str(raised(Failure("ClassVar", "x"))) == "ClassVar: x"
    assert NotEnoughReplies.__name__ in str(raised(Failure("NotEnoughReplies", "1 of 2")))


def test_the_calls_of_a_run_are_found_in_its_events_late_and_failed_ones_too():
    def begun(span, request):
        call = request.call
        return Event(
            CallStarted(call.key, "p2", call.model, "proposer", call.sample, 0, call.digests), "r", span, 0.0, span
        )

    requests = [asked(f"question {n}") for n in range(4)]
    events = [begun(span, request) for span, request in enumerate(requests, 1)]
    failure = Failure("Cut", "half", provider="x")
    ends = [
        CallFinished(Reply("late"), 1.0, late=True),
        CallFailed(failure, 1.0),
        CallCancelled("its step closed", 1.0),
    ]
    events += [Event(fact, "r", 9, 0.0, span) for span, fact in zip((2, 1, 3), ends, strict=True)]
    events += [Event(CallFinished(Reply("of another run"), 1.0), "other", 9, 0.0, 4)]
    calls = from_events(events)
    assert [call.key for call in calls] == [request.call.key for request in requests[:3]]
    assert [call.outcome for call in calls[:2]] == [failure, Reply("late")]
    assert calls[2].outcome.kind == "TimedOut"
    assert "its step closed" in calls[2].outcome.message


def test_what_came_late_comes_late_again_and_is_read_by_the_same_layer():
    scripts = {
        "a": Script("fast", delay=1.0),
        "b": Script("slow", delay=3.0),
        "c": Script("five", delay=5.0),
        "agg": "end",
    }
    rigged, events = Rigged(scripts), []
    mixture = rigged.mixture([["a", "b"], ["c"]], "agg", need=1, grace=0.5)
    run(mixture.ask("hi", sinks=(events.append,)))
    calls = from_events(events)
    assert {call.outcome.text: call.late is not None for call in calls} == {
        "fast": False, "slow": True, "five": False, "end": False,
    }  # fmt: skip
    again = []
    order = Order(mixture, (user("hi"),), Replay(calls), sinks=(again.append,))
    assert run(ordered(order)).text == "end"
    assert [event.fact for event in again if isinstance(event.fact, StepFinished)] == [
        event.fact for event in events if isinstance(event.fact, StepFinished)
    ]


def test_a_step_that_closed_by_its_time_alone_is_not_waited_for_without_end():
    late = [Recorded(call.key, call.digests, call.outcome, 2.0) for call in recorded(asked(), REPLY)]

    async def main():
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimedOut, match="after its step had closed"):
            await Replay(late).send(asked(), Scope())
        return asyncio.get_running_loop().time() - began

    assert 2.0 < run(main()) < 3.0


def test_a_recording_is_written_and_read_again(tmp_path):
    calls = [*recorded(asked(), REPLY), *recorded(asked("b"), Failure("Cut", "half", "cut", "x", "m", "par"))]
    calls.append(replace(calls[0], late=1.5))
    path = tmp_path / "run.jsonl"
    path.write_bytes(written(calls) + b"\n")
    assert read(path) == calls


def test_a_line_cut_in_half_is_a_config_error_naming_file_line_and_remedy(tmp_path):
    path = tmp_path / "run.jsonl"
    whole = written(recorded(asked(), REPLY))
    path.write_bytes(whole + whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match=r"run\.jsonl:2: broken line .*remove it, or record the run again") as caught:
        read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [b"{}", b'{"key": "x"}', b'{"key": 5, "reply": {"text": "x"}}', b'{"key": "x", "reply": {}}', b"[]", b"\xff"],
)
def test_a_line_of_another_shape_is_a_config_error(tmp_path, line):
    path = tmp_path / "run.jsonl"
    path.write_bytes(line)
    with pytest.raises(ConfigError, match=r"run\.jsonl:1"):
        read(path)


def test_a_recording_that_is_not_there_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="no such recording"):
        read(tmp_path / "none.jsonl")
