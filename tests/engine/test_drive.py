"""The engine on a virtual clock: calls at once, order, closing, cancelling, one deadline, exactly one terminal event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from clock import run as on_virtual_clock
from moa.core.agents import Agent
from moa.core.errors import (
    BudgetExceeded,
    ConfigError,
    DeadlinePassed,
    NotEnoughReplies,
    Overloaded,
    TimedOut,
)
from moa.core.events import (
    TERMINAL,
    CallCancelled,
    CallFailed,
    CallFinished,
    CallStarted,
    Delta,
    Event,
    Failure,
    Noted,
    RunFailed,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
)
from moa.core.flow import Ask, Fork, Outcomes
from moa.core.ports import Provider, Scope
from moa.core.prices import Price
from moa.core.types import Conversation, Form, Late, Reply, Request, Tool, ToolCall, Usage, user
from moa.engine.call import Run, draw_nonce
from moa.engine.drive import share
from moa.engine.recorder import Recorder
from moa.engine.watch import Order, run, watch
from moa.flows.combine import synthesise
from moa.flows.layered import layered
from moa.providers.fake import Fake, Script

QUESTION = (user("What is 2 + 2?"),)
A, B, C, D, AGG = (Agent(f"fake:{name}") for name in ("a", "b", "c", "d", "agg"))


class Ran:
    """What a run came to: its answer or error, its events, and how long it took on the virtual clock."""

    def __init__(
        self, flow: Callable[[Conversation], Any], scripts: Mapping[str, Any] | Provider, **order: Any
    ) -> None:
        self.events: list[Event] = []
        self.answer: Reply | None = None
        self.error: BaseException | None = None
        provider = Fake(scripts) if isinstance(scripts, Mapping) else scripts
        sinks = (*order.pop("sinks", ()), self.events.append)
        self.order = Order(flow, QUESTION, provider, "test", sinks=sinks, **order)
        self.seconds = on_virtual_clock(self._run())
        self.check()

    async def _run(self) -> float:
        try:
            self.answer = await run(self.order)
        except Exception as error:  # noqa: BLE001 - kept for the test
            self.error = error
        return asyncio.get_running_loop().time()

    def check(self) -> None:
        """What holds for every run: one terminal event, at the end; no gaps; every call ends once."""
        assert [event.seq for event in self.events] == list(range(len(self.events)))
        assert sum(isinstance(event.fact, TERMINAL) for event in self.events) == 1
        assert isinstance(self.events[-1].fact, TERMINAL)
        started = [event.span for event in self.events if isinstance(event.fact, CallStarted)]
        ended = [
            event.span for event in self.events if isinstance(event.fact, CallFinished | CallFailed | CallCancelled)
        ]
        assert sorted(started) == sorted(ended)
        opened = [event.span for event in self.events if isinstance(event.fact, StepStarted)]
        closed = [event.span for event in self.events if isinstance(event.fact, StepFinished)]
        assert sorted(opened) == sorted(closed)

    def facts(self, kind: type) -> list[Any]:
        return [event.fact for event in self.events if isinstance(event.fact, kind)]


def ask(*agents: Agent, **rules: Any) -> Callable[[Conversation], Any]:
    """A flow of one step, whose answer is the texts of its outcomes joined."""

    async def flow(conversation: Conversation) -> Reply:
        outcomes = await Ask(tuple(agent.call(conversation) for agent in agents), **rules)
        return Reply(
            " ".join(outcome.text if isinstance(outcome, Reply) else type(outcome).__name__ for outcome in outcomes)
        )

    return flow


def moa(**rules: Any) -> Callable[[Conversation], Any]:
    return lambda conversation: layered(conversation, [[A, B, C]], synthesise(AGG), **rules)


def test_calls_run_at_once_and_outcomes_keep_the_order_asked() -> None:
    ran = Ran(ask(A, B, C), {"a": Script("1", delay=3.0), "b": Script("2", delay=1.0), "c": Script("3", delay=2.0)})
    assert ran.answer is not None
    assert ran.answer.text == "1 2 3"
    assert ran.seconds == 3.0


def test_a_step_closes_at_need_and_cancels_the_rest() -> None:
    ran = Ran(
        ask(A, B, C, need=2), {"a": Script("1", delay=9.0), "b": Script("2", delay=1.0), "c": Script("3", delay=2.0)}
    )
    assert ran.answer is not None
    assert ran.answer.text == "Late 2 3"
    assert ran.seconds == 2.0
    assert [fact.reason for fact in ran.facts(CallCancelled)] == ["its step closed"]
    assert ran.facts(StepFinished) == [StepFinished(2, 0, 1)]


def test_grace_lets_stragglers_in_for_that_long() -> None:
    scripts = {"a": Script("1", delay=2.5), "b": Script("2", delay=1.0), "c": Script("3", delay=9.0)}
    ran = Ran(ask(A, B, C, need=1, grace=2.0), scripts)
    assert ran.answer is not None
    assert (ran.answer.text, ran.seconds) == ("1 2 Late", 3.0)


def test_a_step_closes_as_soon_as_until_holds() -> None:
    def two_agree(outcomes: Outcomes) -> bool:
        texts = [reply.text for reply in outcomes.replies]
        return len(texts) > len(set(texts))

    scripts = {"a": Script("4", delay=1.0), "b": Script("4", delay=2.0), "c": Script("5", delay=9.0)}
    assert Ran(ask(A, B, C, until=two_agree), scripts).seconds == 2.0


def test_one_dead_proposer_does_not_end_the_run_and_the_event_names_it() -> None:
    ran = Ran(moa(), {"a": "4", "b": Overloaded("down", provider="fake", model="b"), "c": "4", "agg": "It is 4"})
    assert ran.answer is not None
    assert ran.answer.text == "It is 4"
    failure = ran.facts(CallFailed)[0].failure
    assert (failure.kind, failure.provider, failure.model) == ("Overloaded", "fake", "b")
    assert ran.facts(RunFinished)[0].degraded


def test_a_hanging_proposer_costs_no_more_than_its_share_of_the_deadline() -> None:
    ran = Ran(moa(), {"a": "4", "b": Script(hang=True), "c": "4", "agg": "It is 4"}, deadline=10.0)
    assert ran.answer is not None
    assert ran.answer.text == "It is 4"
    assert ran.seconds == pytest.approx(5.0)
    assert ran.facts(CallCancelled)[0].reason == "the time of its step was used up"
    assert ran.facts(RunFinished)[0].degraded


def test_a_cut_stream_of_a_proposer_is_named_and_the_answer_comes() -> None:
    ran = Ran(moa(), {"a": "4", "b": Script("one two three", cut=2), "c": "4", "agg": "It is 4"}, deltas="all")
    assert ran.answer is not None
    assert ran.answer.text == "It is 4"
    assert ran.facts(CallFailed)[0].failure.kind == "Cut"


def test_with_the_aggregator_hanging_there_is_an_answer_by_the_deadline() -> None:
    ran = Ran(moa(), {"a": "4", "b": "4", "c": "5", "agg": Script(hang=True)}, deadline=10.0)
    assert ran.answer is not None
    assert ran.answer.text == "4"
    assert ran.answer.notes[0].startswith("fallback")
    assert ran.seconds <= 10.0
    assert ran.facts(Noted)[0].reason == "fallback"


def test_with_everyone_hanging_the_run_fails_before_the_deadline() -> None:
    hang = Script(hang=True)
    ran = Ran(moa(), {"a": hang, "b": hang, "c": hang, "agg": hang}, deadline=10.0)
    assert isinstance(ran.error, NotEnoughReplies)
    assert any(isinstance(cause, TimedOut) for cause in ran.error.causes)
    assert ran.seconds <= 10.0


def test_a_flow_that_asks_after_the_deadline_is_ended() -> None:
    async def stubborn(conversation: Conversation) -> Reply:
        while True:
            try:
                await Ask((A.call(conversation),))
            except NotEnoughReplies:
                continue

    ran = Ran(stubborn, {"a": Script(hang=True)}, deadline=1.0)
    assert isinstance(ran.error, DeadlinePassed | NotEnoughReplies)
    assert ran.seconds == pytest.approx(1.0, abs=0.01)


def test_the_share_of_a_step_is_never_the_last_tenth() -> None:
    assert share(10.0, 2) == 5.0
    assert share(10.0, None) == 5.0
    assert share(10.0, 1) == 9.0
    assert share(10.0, 5) == 2.0


def test_kept_stragglers_come_as_late_replies_of_the_next_ask() -> None:
    async def flow(conversation: Conversation) -> Reply:
        await Ask((A.call(conversation), B.call(conversation)), need=1, keep=True)
        outcomes = await Ask((C.call(conversation),))
        return Reply(" ".join(reply.text for reply in outcomes.late + outcomes.replies))

    ran = Ran(flow, {"a": "1", "b": Script("2", delay=1.0), "c": Script("3", delay=2.0)})
    assert ran.answer is not None
    assert ran.answer.text == "2 3"
    assert [fact.late for fact in ran.facts(CallFinished)] == [False, True, False]


@pytest.mark.parametrize("members", [[A], [A, B]], ids=["alone", "with another"])
def test_a_step_that_a_halt_ends_is_finished_all_the_same(members: list[Agent]) -> None:
    class Broke:
        async def send(self, request: Request, scope: Scope) -> Reply:
            if request.call.agent == A.name:
                raise BudgetExceeded("no more")
            await asyncio.sleep(5.0)
            return Reply("slow")

    ran = Ran(ask(*members), Broke())
    assert isinstance(ran.error, BudgetExceeded)
    assert ran.facts(StepFinished) == [StepFinished(0, 0, len(members))]


def test_a_run_holds_no_task_that_has_ended() -> None:
    held, fake = [], Fake({"a": "fast", "b": Script("slow", delay=5.0)})

    class Counting:
        async def send(self, request: Request, scope: Scope) -> Reply:
            run: Run = scope.emit.func.__self__  # type: ignore[attr-defined]
            held.append(len(run.tasks))
            return await fake.send(request, scope)

    async def flow(conversation: Conversation) -> Reply:
        for _ in range(5):
            await Ask((A.call(conversation), B.call(conversation)), need=1)
        return (await Ask((A.call(conversation),))).replies[0]

    Ran(flow, Counting())
    assert max(held) <= 3  # of this step, and one that is just being stopped


def test_kept_stragglers_are_cancelled_when_the_run_ends() -> None:
    ran = Ran(ask(A, B, need=1, keep=True), {"a": "1", "b": Script(hang=True)})
    assert [fact.reason for fact in ran.facts(CallCancelled)] == ["the run ended"]
    assert isinstance(ran.events[-2].fact, CallCancelled)


def test_forks_run_flows_at_once_in_order_with_the_rules_of_ask() -> None:
    async def one(conversation: Conversation, agent: Agent) -> str:
        return (await Ask((agent.call(conversation),))).replies[0].text

    async def flow(conversation: Conversation) -> Reply:
        results = await Fork(tuple(one(conversation, agent) for agent in (A, B, C)), need=2)
        return Reply(" ".join(str(result) for result in results))

    scripts = {"a": Script("1", delay=3.0), "b": Script("2", delay=1.0), "c": Script("3", delay=2.0)}
    ran = Ran(flow, scripts)
    assert ran.answer is not None
    assert (ran.answer.text, ran.seconds) == ("None 2 3", 2.0)


def test_a_straggling_branch_is_cancelled_with_all_its_calls() -> None:
    async def flow(conversation: Conversation) -> Reply:
        results = await Fork((ask(A)(conversation), ask(B)(conversation)), need=1)
        await Ask((C.call(conversation),))
        return Reply(str(results[1]))

    ran = Ran(flow, {"a": "1", "b": Script("2", delay=30.0), "c": Script("3", delay=50.0)})
    assert ran.answer is not None
    assert (ran.answer.text, ran.seconds) == ("None", 50.0)
    assert [fact.reason for fact in ran.facts(CallCancelled)] == ["its step closed"]
    assert ran.facts(CallCancelled)[0].seconds == 0.0


def test_a_branch_that_uses_up_its_share_does_not_end_the_run() -> None:
    async def stubborn(conversation: Conversation) -> Reply:
        while True:
            try:
                await Ask((B.call(conversation),))
            except NotEnoughReplies:
                continue

    def outer(conversation: Conversation) -> Any:
        return layered(conversation, [[A, stubborn]], synthesise(AGG))

    ran = Ran(outer, {"a": "4", "b": Script(hang=True), "agg": "4!"}, deadline=60.0)
    assert ran.answer is not None
    assert ran.answer.text == "4!"
    assert ran.seconds <= 31.0


def test_late_replies_belong_to_the_flow_that_asked() -> None:
    async def branch(conversation: Conversation, quick: Agent, slow: Agent) -> str:
        await Ask((quick.call(conversation), slow.call(conversation)), need=1, keep=True)
        outcomes = await Ask((D.call(conversation),))
        return "+".join(reply.text for reply in outcomes.late)

    async def flow(conversation: Conversation) -> Reply:
        return Reply(" ".join(str(one) for one in await Fork((branch(conversation, A, B), branch(conversation, A, C)))))

    ran = Ran(flow, {"a": "1", "b": Script("B", delay=1.0), "c": Script("C", delay=1.0), "d": Script("4", delay=2.0)})
    assert ran.answer is not None
    assert ran.answer.text == "B C"


def test_a_kept_straggler_may_take_until_the_deadline_of_its_flow() -> None:
    async def flow(conversation: Conversation) -> Reply:
        await Ask((A.call(conversation), B.call(conversation)), need=1, keep=True, steps=10)
        outcomes = await Ask((C.call(conversation),), steps=1)
        return Reply(" ".join(reply.text for reply in outcomes.late))

    class Punctual:
        """Answers late calls only while their own deadline allows."""

        async def send(self, request: Request, scope: Scope) -> Reply:
            name = request.call.model.removeprefix("fake:")
            async with asyncio.timeout_at(scope.deadline):
                await asyncio.sleep({"a": 0.0, "b": 5.0, "c": 6.0}[name])
            return Reply(name)

    ran = Ran(flow, Punctual(), deadline=10.0)
    assert ran.answer is not None
    assert ran.answer.text == "b"


def test_a_fork_that_is_cancelled_at_once_leaves_no_flow_unawaited() -> None:
    async def flow(conversation: Conversation) -> Reply:
        await Fork((ask(A)(conversation), ask(B)(conversation)))
        return Reply("")

    async def cancel() -> None:
        task = asyncio.create_task(run(Order(flow, QUESTION, Fake({"a": Script(hang=True), "b": Script(hang=True)}))))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    on_virtual_clock(cancel())


def test_a_failing_branch_is_an_outcome_of_its_fork() -> None:
    async def flow(conversation: Conversation) -> Reply:
        return (await Fork((ask(A)(conversation), ask(B)(conversation))))[1]

    ran = Ran(flow, {"a": Overloaded("down"), "b": "2"})
    assert ran.answer is not None
    assert ran.answer.text == "2"


@pytest.mark.parametrize("text", ["", "  \n"])
def test_a_blank_reply_is_no_proposal(text: str) -> None:
    ran = Ran(ask(A, B), {"a": text, "b": "2"})
    assert ran.answer is not None
    assert ran.answer.text == "BadReply 2"
    assert "empty" in ran.facts(CallFailed)[0].failure.message


def test_reasoning_alone_and_a_cut_at_the_token_limit_are_no_proposals() -> None:
    ran = Ran(ask(A, B, C), {"a": Script(reasoning="hm"), "b": Script("half", finish="length"), "c": "3"})
    assert ran.answer is not None
    assert ran.answer.text == "BadReply BadReply 3"
    assert [fact.failure.message for fact in ran.facts(CallFailed)] == [
        "only reasoning, no answer came back",
        "the answer was cut at its token limit; raise max_tokens",
    ]


def test_a_provider_that_breaks_its_word_fails_its_call_and_not_the_run() -> None:
    class Broken:
        async def send(self, request: Request, scope: Scope) -> Reply:
            if request.call.model == "fake:a":
                raise KeyError("choices")
            return Reply("2")

    ran = Ran(ask(A, B), Broken())
    assert ran.answer is not None
    assert ran.answer.text == "BadReply 2"
    assert "KeyError" in ran.facts(CallFailed)[0].failure.message


def test_a_provider_that_returns_no_reply_fails_its_call() -> None:
    class Wrong:
        async def send(self, request: Request, scope: Scope) -> Reply:
            return "4"  # type: ignore[return-value]

    ran = Ran(ask(A), Wrong())
    assert isinstance(ran.error, NotEnoughReplies)
    assert "returned str, not a Reply" in str(ran.error)


def test_a_flow_that_returns_no_reply_is_told_what_to_return() -> None:
    async def flow(conversation: Conversation) -> Reply:
        return "4"  # type: ignore[return-value]

    ran = Ran(flow, {})
    assert isinstance(ran.error, ConfigError)
    assert "a mixture's flow returns a Reply" in str(ran.error)


def test_what_a_filter_or_an_error_cut_is_no_proposal_and_no_answer() -> None:
    filtered = Script("4 an", finish="content_filter")
    scripts = {"a": filtered, "b": Script("4 an", finish="error"), "c": "4", "agg": filtered}
    ran = Ran(moa(), scripts)
    assert [fact.failure.kind for fact in ran.facts(CallFailed)] == ["Refused", "BadReply", "Refused"]
    assert ran.answer is not None
    assert ran.answer.text == "4"


def test_an_answer_cut_at_its_token_limit_is_given_and_says_so() -> None:
    ran = Ran(moa(), {"a": "4", "b": "4", "c": "4", "agg": Script("It is fo", finish="length")})
    assert ran.answer is not None
    assert ran.answer.text == "It is fo"
    assert ran.facts(Noted)[0].reason == "cut"
    assert ran.facts(RunFinished)[0].degraded


def test_a_run_that_the_interpreter_ends_still_ends_in_the_store() -> None:
    class Quits:
        async def send(self, request: Request, scope: Scope) -> Reply:
            raise SystemExit(3)

    events: list[Event] = []
    with pytest.raises(SystemExit):
        on_virtual_clock(run(Order(ask(A), QUESTION, Quits(), sinks=(events.append,))))
    assert isinstance(events[-1].fact, RunFailed)


def test_nothing_is_recorded_after_the_end_of_a_run() -> None:
    events: list[Event] = []
    recorder = Recorder((events.append,))
    recorder.emit(RunFailed(Failure("x", "y"), Usage(), 0.0, 1.0))
    recorder.emit(Noted("too late"))
    assert len(events) == 1


def test_a_flow_is_closed_when_its_run_is_cancelled() -> None:
    closed: list[str] = []

    async def flow(conversation: Conversation) -> Reply:
        try:
            await Ask((A.call(conversation),))
        finally:
            closed.append("closed")
        return Reply("")

    async def cancel() -> None:
        made = flow(QUESTION)
        task = asyncio.create_task(run(Order(lambda conversation: made, QUESTION, Fake({"a": Script(hang=True)}))))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert closed == ["closed"]

    on_virtual_clock(cancel())


def test_cancelling_who_watches_is_not_swallowed() -> None:
    class Slow:
        async def send(self, request: Request, scope: Scope) -> Reply:
            try:
                await asyncio.sleep(100.0)
            finally:
                await asyncio.sleep(1.0)
            return Reply("")

    reached: list[str] = []

    async def look() -> None:
        async with watch(Order(ask(A), QUESTION, Slow())):
            await asyncio.sleep(0.5)
        await asyncio.sleep(10.0)
        reached.append("after")

    async def cancel() -> None:
        task = asyncio.create_task(look())
        await asyncio.sleep(0.7)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(5.0)

    on_virtual_clock(cancel())
    assert not reached


def test_waiting_for_the_reply_may_be_given_up_without_ending_the_run() -> None:
    async def look() -> str:
        async with watch(Order(ask(A), QUESTION, Fake({"a": Script("4", delay=2.0)}))) as watching:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(watching.reply(), 1.0)
            return (await watching.reply()).text

    assert on_virtual_clock(look()) == "4"


def test_tool_calls_that_were_not_streamed_come_at_the_end_whatever_a_model_has_thought_aloud() -> None:
    call = ToolCall("c1", "weather", "{}")

    class Thinks:
        async def send(self, request: Request, scope: Scope) -> Reply:
            scope.emit(Delta("Hm.", "reasoning", final=scope.final))
            return Reply("", tool_calls=(call,), reasoning="Hm.")

    async def flow(conversation: Conversation) -> Reply:
        calling = replace(A.call(conversation), form=Form(tools=(Tool("weather"),)))
        return (await Ask((calling,), final=True)).replies[0]

    ran = Ran(flow, Thinks(), deltas="final")
    assert [(delta.what, delta.text, delta.name) for delta in ran.facts(Delta)] == [
        ("reasoning", "Hm.", ""),
        ("tool", "{}", "weather"),
    ]


def test_events_read_after_leaving_end() -> None:
    async def look() -> list[str]:
        async with watch(Order(ask(A), QUESTION, Fake({"a": Script(hang=True)}))) as watching:
            await asyncio.sleep(1.0)
        return [type(event.fact).__name__ async for event in watching]

    assert on_virtual_clock(look())[-1] == "RunFailed"


def test_a_halt_in_one_call_ends_the_run_and_cancels_the_others() -> None:
    class Broke:
        async def send(self, request: Request, scope: Scope) -> Reply:
            if request.call.model == "fake:a":
                await asyncio.sleep(1.0)
                raise BudgetExceeded("no money left")
            await asyncio.sleep(100.0)
            return Reply("2")

    ran = Ran(ask(A, B), Broke())
    assert isinstance(ran.error, BudgetExceeded)
    assert ran.seconds == 1.0
    assert ran.facts(RunFailed)[0].failure.kind == "BudgetExceeded"


def test_a_flow_with_a_bug_ends_its_run_with_that_bug() -> None:
    async def buggy(conversation: Conversation) -> Reply:
        await Ask((A.call(conversation),))
        raise ZeroDivisionError

    assert isinstance(Ran(buggy, {"a": "1"}).error, ZeroDivisionError)
    until = ask(A, B, until=lambda outcomes: bool(1 / 0))
    assert isinstance(Ran(until, {"a": "1", "b": Script(hang=True)}).error, ZeroDivisionError)


def test_a_flow_that_awaits_real_io_is_told_so() -> None:
    async def impure(conversation: Conversation) -> Reply:
        await asyncio.sleep(1)
        return Reply("")

    assert isinstance(Ran(impure, {}).error, ConfigError)


def test_a_sink_that_raises_is_dropped_and_the_run_goes_on() -> None:
    heard: list[Event] = []

    def broken(event: Event) -> None:
        heard.append(event)
        raise RuntimeError("sink is full")

    ran = Ran(ask(A), {"a": "1"}, sinks=(broken,))
    assert ran.answer is not None
    assert len(heard) == 1
    assert ran.facts(Noted)[0].reason == "sink dropped"
    assert "sink is full" in ran.facts(Noted)[0].detail


def test_usage_and_cost_of_all_calls_are_summed_also_of_those_that_gave_no_answer() -> None:
    ran = Ran(
        moa(),
        {"a": "one two", "b": Script(" ", cost=0.25), "c": "4", "agg": Script("4", cost=0.5)},
        price=lambda model: Price(0, 1e6),
    )
    finished = ran.facts(RunFinished)[0]
    assert finished.cost == pytest.approx(2 + 0.25 + 1 + 0.5)
    assert Ran(ask(A), {"a": "1"}).facts(RunFinished)[0].cost is None


def test_the_final_step_is_streamed_and_the_others_are_not_unless_asked_for() -> None:
    scripts = {"a": "4", "b": "4", "c": "4", "agg": "It is four"}
    final = Ran(moa(), scripts, deltas="final")
    assert "".join(fact.text for fact in final.facts(Delta)) == "It is four"
    assert all(fact.final for fact in final.facts(Delta))
    everything = Ran(moa(), scripts, deltas="all")
    assert len([fact for fact in everything.facts(Delta) if not fact.final]) == 3
    assert not Ran(moa(), scripts).facts(Delta)


def test_an_answer_that_was_not_streamed_is_passed_on_as_one_delta() -> None:
    ran = Ran(ask(A), {"a": "4"}, deltas="final")
    assert ran.facts(Delta) == [Delta("4", final=True)]


def test_a_cut_aggregator_stream_is_replaced_by_a_proposal_and_flagged() -> None:
    ran = Ran(moa(), {"a": "4", "b": "4", "c": "5", "agg": Script("It is four", cut=2)}, deltas="final")
    assert ran.answer is not None
    assert ran.answer.text == "4"
    assert [fact.reason for fact in ran.facts(Noted)] == ["replaced", "fallback"]
    assert ran.facts(RunFinished)[0].degraded


def test_a_run_tells_its_story_in_order() -> None:
    kinds = [
        type(event.fact)
        for event in Ran(
            lambda conversation: layered(conversation, [[A]], synthesise(AGG)), {"a": "4", "agg": "4"}
        ).events
    ]
    step = [StepStarted, CallStarted, CallFinished, StepFinished]
    assert kinds == [RunStarted, *step, *step, RunFinished]


def test_leaving_a_watched_run_cancels_every_call_and_records_it() -> None:
    events: list[Event] = []

    async def leave() -> None:
        order = Order(
            ask(A, B), QUESTION, Fake({"a": Script(hang=True), "b": Script(hang=True)}), sinks=(events.append,)
        )
        async with watch(order) as watching:
            async for event in watching:
                if isinstance(event.fact, CallStarted):
                    break
            await asyncio.sleep(1.0)

    on_virtual_clock(leave())
    assert len([event for event in events if isinstance(event.fact, CallCancelled)]) == 2
    assert isinstance(events[-1].fact, RunFailed)
    assert events[-1].fact.failure.kind == "CancelledError"


def test_a_watched_run_gives_its_events_and_its_reply() -> None:
    async def look() -> tuple[list[str], str]:
        order = Order(moa(), QUESTION, Fake({"a": "4", "b": "4", "c": "4", "agg": "It is 4"}), deltas="final")
        async with watch(order) as watching:
            kinds = [type(event.fact).__name__ async for event in watching]
            return kinds, (await watching.reply()).text

    kinds, text = on_virtual_clock(look())
    assert text == "It is 4"
    assert kinds[0] == "RunStarted"
    assert kinds[-1] == "RunFinished"


def test_a_watched_run_that_fails_raises_only_where_its_reply_is_asked_for() -> None:
    async def look(*, reply: bool) -> None:
        async with watch(Order(ask(A), QUESTION, Fake({"a": Overloaded("down")}))) as watching:
            async for _ in watching:
                pass
            if reply:
                await watching.reply()

    on_virtual_clock(look(reply=False))
    with pytest.raises(NotEnoughReplies):
        on_virtual_clock(look(reply=True))


def test_cancelling_a_run_from_outside_leaves_no_task_and_says_so() -> None:
    events: list[Event] = []

    async def cancel() -> None:
        order = Order(
            ask(A, B), QUESTION, Fake({"a": Script(hang=True), "b": Script(hang=True)}), sinks=(events.append,)
        )
        task = asyncio.create_task(run(order))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    on_virtual_clock(cancel())
    assert isinstance(events[-1].fact, RunFailed)


def test_a_nonce_occurs_nowhere_in_what_the_call_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["aaaa", "bbbb", "cccc"])
    monkeypatch.setattr("moa.engine.call.token", lambda: next(drawn))
    call = A.call((user("aaaa"),), (Reply("bbbb"),))
    assert draw_nonce(call) == "cccc"


def test_outcomes_of_calls_that_never_answered_name_their_call() -> None:
    async def flow(conversation: Conversation) -> Reply:
        outcomes = await Ask((A.call(conversation), B.call(conversation)), need=1)
        assert isinstance(outcomes[1], Late)
        return Reply(outcomes[1].call.model)

    ran = Ran(flow, {"a": "1", "b": Script(hang=True)})
    assert ran.answer is not None
    assert ran.answer.text == "fake:b"


def test_a_reader_too_slow_ends_its_run_and_what_proposers_say_is_joined_meanwhile() -> None:
    """F22: at most 256 KB wait for whoever watches."""

    async def main(size: int) -> tuple[list[Event], int]:
        talk = Script("word " * (size // 5), interval=0.001)
        order = Order(ask(A, B), QUESTION, Fake({"a": talk, "b": Script("b")}), deltas="all")
        async with watch(order) as watching:
            await asyncio.sleep(1000.0)  # nobody reads meanwhile
            waiting = len(watching._events)
            return [event async for event in watching], waiting

    events, waiting = on_virtual_clock(main(50_000))
    assert isinstance(events[-1].fact, RunFinished)
    assert waiting < 50
    assert max(len(event.fact.text) for event in events if isinstance(event.fact, Delta)) > 10_000
    events, _ = on_virtual_clock(main(300_000))
    assert isinstance(events[-1].fact, RunFailed)
    assert events[-1].fact.failure.kind == "CancelledError"
