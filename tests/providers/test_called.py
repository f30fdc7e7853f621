"""Agents that are functions, through the real engine: what they are given, what they may return, and how they fail."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clock import run as on_virtual_clock
from moa import Agent, Answer, Mixture
from moa.core.agents import Agent as AgentOf
from moa.core.errors import BadReply, ConfigError, NotEnoughReplies, RateLimited
from moa.core.events import Delta, Event
from moa.core.named import text_of
from moa.core.ports import Scope
from moa.core.types import Call, Conversation, Form, Image, Replies, Reply, Request, Tool, Usage, user
from moa.engine.watch import Order, run, watch
from moa.flows.combine import synthesise
from moa.flows.layered import layered
from moa.providers.called import Called
from moa.providers.replay import Replay, from_events

QUESTION = {"question": "Is it urgent?", "labs": "K 6.8", "history": "Tired."}


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration but what ships."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


async def labs(conversation: Conversation) -> str:
    return f"labs: {text_of(conversation, 'labs')}"


async def judge(conversation: Conversation, references: Replies) -> str:
    return " & ".join(one.text for one in references) or "nobody said anything"


def asked(*members: Any, aggregator: Any = judge, question: Any = QUESTION, **more: Any) -> Answer:
    return Mixture([list(members)], aggregator).ask_sync(question, **more)


def states(answer: Answer) -> list[str]:
    return [call.state for call in answer.view.calls]


def test_a_function_is_a_member_under_its_own_name() -> None:
    answer = asked(labs)
    assert str(answer) == "labs: K 6.8"
    assert [(call.agent, call.model, call.cost) for call in answer.view.calls] == [
        ("labs", "function:labs", 0.0),
        ("judge", "function:judge", 0.0),
    ]


def test_a_function_sees_only_the_parts_of_its_view() -> None:
    seen: list[Conversation] = []

    async def spy(conversation: Conversation) -> str:
        seen.append(conversation)
        return "seen"

    asked(Agent(spy, view=["history"]))
    assert seen == [(user("Is it urgent?", history="Tired."),)]


def test_a_function_of_one_argument_reads_the_others_in_the_conversation() -> None:
    async def last(conversation: Conversation) -> str:
        assert text_of(conversation, "labs") == "K 6.8"
        return conversation[-1].text

    told = str(asked(labs, aggregator=last))
    assert "\n> labs: K 6.8" in told
    assert told.startswith("Is it urgent?")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("yes", "yes"),
        (0.25, "0.25"),
        (3, "3"),
        (True, "true"),
        ({"p": 0.5, "who": "ö"}, '{"p": 0.5, "who": "ö"}'),
        ([1, 2], "[1, 2]"),
        (Reply("paid", usage=Usage(5, 6), cost=0.5), "paid"),
    ],
)
def test_what_a_function_may_return(value: object, text: str) -> None:
    async def says(conversation: Conversation) -> object:
        return value

    answer = asked(says)
    assert str(answer) == text
    assert answer.cost == (0.5 if isinstance(value, Reply) else 0.0)
    assert answer.usage.output == (6 if isinstance(value, Reply) else 0)


def test_a_function_that_has_nothing_to_say_abstains() -> None:
    async def silent(conversation: Conversation) -> None:
        return None

    answer = asked(silent, labs)
    assert str(answer) == "labs: K 6.8"
    assert states(answer) == ["abstained", "done", "done"]
    assert answer.view.calls[0].problem == "Abstained: silent has nothing to say"
    assert not answer.degraded


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}, ""])
def test_what_is_no_answer_fails_its_call_only(value: object) -> None:
    async def odd(conversation: Conversation) -> object:
        return value

    answer = asked(odd, labs)
    assert str(answer) == "labs: K 6.8"
    assert states(answer) == ["failed", "done", "done"]
    assert "function:odd" in answer.view.calls[0].problem
    assert answer.degraded


def test_what_a_function_raises_fails_its_call_and_names_it() -> None:
    async def broken(conversation: Conversation) -> str:
        raise ConfigError("of another mixture inside")

    async def divides(conversation: Conversation) -> str:
        return str(1 / 0)

    answer = asked(broken, divides, labs)
    assert str(answer) == "labs: K 6.8"
    problems = [call.problem for call in answer.view.calls[:2]]
    assert problems == [
        "BadReply: function:broken: it raised ConfigError: of another mixture inside",
        "BadReply: function:divides: it raised ZeroDivisionError: division by zero",
    ]


def test_a_function_may_say_that_trying_again_helps() -> None:
    turns: list[int] = []

    async def busy(conversation: Conversation) -> str:
        turns.append(1)
        if len(turns) == 1:
            raise RateLimited("not now", retry_after=0.0)
        return "now"

    assert str(asked(busy)) == "now"
    assert len(turns) == 2


def test_where_the_aggregator_raises_the_proposals_stand_in() -> None:
    async def broken(conversation: Conversation, references: Replies) -> str:
        raise ValueError("boom")

    answer = asked(labs, aggregator=broken)
    assert str(answer) == "labs: K 6.8"
    assert "it raised ValueError: boom" in answer.view.notes[0]


def ran(members: Iterable[AgentOf], **order: Any) -> tuple[Reply, list[Event]]:
    events: list[Event] = []

    async def flow(conversation: Conversation) -> Reply:
        return await layered(conversation, [list(members)], synthesise(AgentOf(judge)))

    made = Order(flow, (user("Is it urgent?", labs="K 6.8"),), Called(), "test", sinks=(events.append,), **order)
    return on_virtual_clock(run(made)), events


def test_a_function_that_hangs_is_cancelled_at_its_step_s_end() -> None:
    ended: list[str] = []

    async def hangs(conversation: Conversation) -> str:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return "too late"

    reply, events = ran([AgentOf(hangs), AgentOf(labs)], deadline=10.0)
    assert (reply.text, ended) == ("labs: K 6.8", ["cancelled"])
    assert [type(event.fact).__name__ for event in events].count("CallCancelled") == 1


def test_a_run_that_is_left_cancels_its_functions() -> None:
    ended: list[str] = []

    async def hangs(conversation: Conversation) -> str:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("ended")
        return "too late"

    async def main() -> None:
        flow = Mixture([[hangs]], judge)
        async with watch(Order(flow, (user("hi"),), Called(), "test")) as events:
            async for event in events:
                if type(event.fact).__name__ == "CallStarted":
                    await asyncio.sleep(1)
                    break

    on_virtual_clock(main())
    assert ended == ["ended"]


def test_the_answer_of_a_function_is_streamed_in_one_piece() -> None:
    async def main() -> list[Delta]:
        async with Mixture([[labs]], judge).watch(QUESTION) as events:
            return [event.fact async for event in events if isinstance(event.fact, Delta)]

    assert asyncio.run(main()) == [Delta("labs: K 6.8", final=True)]


def test_a_replay_calls_no_function_and_knows_who_abstained() -> None:
    turns: list[int] = []

    async def once(conversation: Conversation) -> str | None:
        turns.append(1)
        return None if len(turns) == 1 else "again"

    mixture = Mixture([[once, labs]], judge)
    answer = mixture.ask_sync(QUESTION)
    events: list[Event] = []
    replay = Replay(from_events(answer.events))
    order = Order(
        mixture, (user("Is it urgent?", labs="K 6.8", history="Tired."),), replay, "m", sinks=(events.append,)
    )
    assert on_virtual_clock(run(order)).text == "labs: K 6.8"
    assert len(turns) == 1
    assert not events[-1].fact.degraded  # type: ignore[union-attr]


def test_the_same_function_twice_is_two_samples_and_two_of_one_name_are_refused() -> None:
    def made(text: str) -> Any:
        async def rule(conversation: Conversation) -> str:
            return text

        return rule

    one, two = made("one"), made("two")
    assert str(asked(one, one)) == "one & one"
    assert str(asked(Agent(one), Agent(two, name="other"))) == "one & two"
    with pytest.raises(ConfigError, match="two functions are called rule"):
        Mixture([[one, two]], judge)


def test_an_object_that_can_be_awaited_is_a_function_too() -> None:
    class Rule:
        async def __call__(self, conversation: Conversation) -> str:
            return "by an object"

    assert str(asked(Rule())) == "by an object"
    assert str(asked(Agent(partial(labs), name="bound"))) == "labs: K 6.8"


def sync(conversation: Conversation) -> str:
    return "x"


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (sync, r"layers\[0\]\[0\]: sync: .*async def sync\(conversation\).*asyncio.to_thread"),
        (lambda conversation: "x", "async function with a name"),
        (partial(labs), "Agent\\(…, name=…\\)"),
        (5, "not int"),
    ],
)
def test_what_cannot_be_a_member_is_told(member: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Mixture([[member]], judge)


@pytest.mark.parametrize("setting", [{"prompt": "Be brief."}, {"temperature": 0.5}, {"role": "nurse"}, {"seed": 0}])
def test_what_is_of_models_is_refused_for_functions(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(setting))} is of models"):
        Agent(labs, **setting)


def test_a_function_cannot_call_tools() -> None:
    with pytest.raises(NotEnoughReplies, match="function:judge: it calls no tools"):
        asyncio.run(Mixture([[labs]], judge).ask(QUESTION, form=Form(tools=(Tool("f"),))))


def test_a_function_that_is_not_there_is_told() -> None:

    call = Call("function:gone", (user("hi"),))
    with pytest.raises(BadReply, match="function:gone: no function of this name is here"):
        asyncio.run(Called().send(Request(call, call.conversation), Scope()))


def test_all_abstaining_without_an_aggregator_is_no_answer() -> None:
    async def silent(conversation: Conversation) -> None:
        return None

    with pytest.raises(NotEnoughReplies, match="silent has nothing to say"):
        Mixture([[silent, silent]], combine="vote").ask_sync("hi")


def test_pictures_reach_a_function_by_their_name() -> None:
    async def sight(conversation: Conversation) -> str:
        return ", ".join(f"{part.name} {part.url}" for part in conversation[-1].parts if isinstance(part, Image))

    picture = Image("data:image/png;base64,AAAA")
    assert str(asked(sight, question={"scan": picture})) == "scan data:image/png;base64,AAAA"


async def cancels(conversation: Conversation) -> str:
    raise asyncio.CancelledError


async def textless(conversation: Conversation) -> Reply:
    return Reply(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("function", "why"), [(cancels, "CancelledError"), (textless, "NoneType")])
def test_a_function_that_cancels_itself_or_gives_no_text_fails_its_call_and_is_named(function: Any, why: str) -> None:
    proposing = asked(labs, function)
    assert str(proposing) == "labs: K 6.8"
    assert proposing.degraded
    failed = proposing.view.calls[1]
    assert (failed.agent, failed.state) == (function.__name__, "failed")
    assert why in failed.problem
    aggregating = asked(labs, aggregator=function)
    assert str(aggregating) == "labs: K 6.8"
    assert any(why in note for note in aggregating.notes)


async def sleeps(conversation: Conversation) -> str:
    await asyncio.sleep(60)
    return "late"


def test_a_function_that_is_cancelled_by_others_is_cancelled() -> None:
    async def cancelled() -> None:
        asking = asyncio.create_task(Mixture([[labs]], Agent(sleeps)).ask(QUESTION))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(cancelled())
