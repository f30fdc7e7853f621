"""The Python API: a mixture is asked, watched, planned; with scripted members and with the models that ship."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from moa import Agent, Answer, ConfigError, Event, Mixture, MoaError
from moa.core.errors import BudgetExceeded, NotEnoughReplies, Overloaded
from moa.core.events import CallStarted, Delta, RunFinished
from moa.core.types import Reply
from moa.providers.fake import Fake, Script


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration and no store but those of the test."""
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)


def scripted(**scripts: object) -> dict[str, Fake]:
    return {"x": Fake({f"x:{name}": script for name, script in scripts.items()})}  # type: ignore[misc]


def test_a_mixture_answers_and_tells_who_said_what() -> None:
    mixture = Mixture([["x:a", "x:b"]], "x:agg", providers=scripted(a="Lima", b="Cusco", agg="It is Lima."))
    answer = mixture.ask_sync("What is the capital of Peru?")
    assert isinstance(answer, Answer)
    assert str(answer) == "It is Lima."
    assert [(proposal.agent, proposal.text) for proposal in answer.proposals] == [("x:a", "Lima"), ("x:b", "Cusco")]
    assert not answer.degraded
    assert answer.usage.output == 5
    assert answer.run


def test_a_dead_member_is_named_in_the_answer() -> None:
    mixture = Mixture([["x:a", "x:b"]], "x:agg", providers=scripted(a="Lima", b=Overloaded("down"), agg="Lima."))
    answer = mixture.ask_sync("What is the capital of Peru?")
    assert answer.degraded
    assert answer.view.calls[1].problem == "Overloaded: fake:x:b: down"


def test_a_mixture_may_stand_in_a_mixture() -> None:
    inner = Mixture([["x:a"]], "x:b")
    outer = Mixture([[inner, "x:c"]], "x:d", providers=scripted(a="1", b="2", c="3", d="4"))
    answer = outer.ask_sync("?!")
    assert [call.model for call in answer.view.calls] in (["x:a", "x:c", "x:b", "x:d"], ["x:c", "x:a", "x:b", "x:d"])


def test_watching_streams_the_answer() -> None:
    mixture = Mixture([["x:a"]], "x:agg", providers=scripted(a="Lima", agg="It is Lima."))

    async def look() -> tuple[list[Event], Reply]:
        async with mixture.watch("What is the capital of Peru?") as events:
            return [event async for event in events], await events.reply()

    events, reply = asyncio.run(look())
    assert "".join(event.fact.text for event in events if isinstance(event.fact, Delta)) == reply.text == "It is Lima."
    assert isinstance(events[-1].fact, RunFinished)


def test_two_questions_at_once_do_not_mix() -> None:
    mixture = Mixture([["x:a", "x:b"]], combine="vote", providers={"x": Fake()})

    async def both() -> list[str]:
        return [str(answer) for answer in await asyncio.gather(*(mixture.ask(f"Question {n}") for n in range(50)))]

    assert asyncio.run(both()) == [f"Question {n}" for n in range(50)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mixture([], "x:a"), "at least one layer"),
        (lambda: Mixture([[]], "x:a"), "at least one agent"),
        (lambda: Mixture([["x:a"]]), "aggregator: one is needed"),
        (lambda: Mixture([[5]], "x:a"), r"layers\[0\]\[0\]: an Agent"),  # type: ignore[list-item]
        (lambda: Mixture([["x:a"]], "x:b", combine="mix"), "combine: 'mix'"),
        (lambda: Mixture([["x:a"]], "x:b", providers=scripted()).ask_sync(""), "question is empty"),
        (lambda: Mixture([["x:a"]], "x:b", providers=scripted()).ask_sync("Hi", deadline=0), "deadline"),
        (
            lambda: Mixture([["openai:gpt"]], "x:b", providers=scripted()).ask_sync("Hi"),
            "agent openai:gpt: openai needs a key",
        ),
        (lambda: Mixture.from_config("bultin"), 'did you mean "builtin"'),
    ],
)
def test_a_mistake_is_an_error_that_says_what_to_do(
    make: object, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match=message):
        make()  # type: ignore[operator]


def test_ask_sync_inside_an_event_loop_says_what_to_do() -> None:
    async def wrong() -> None:
        Mixture([["x:a"]], "x:b").ask_sync("Hi")

    with pytest.raises(ConfigError, match=r"await mixture\.ask"):
        asyncio.run(wrong())


def test_everyone_dead_is_an_error_that_names_the_causes() -> None:
    mixture = Mixture([["x:a"]], "x:agg", providers=scripted(a=Overloaded("down"), agg=Overloaded("down too")))
    with pytest.raises(NotEnoughReplies, match="down"):
        mixture.ask_sync("Hi")


def test_max_cost_bounds_the_worst_case(tmp_path: Path) -> None:
    (tmp_path / "moa.toml").write_text(
        "[prices.'x:a']\ninput = 1\noutput = 10\n[prices.'x:agg']\ninput = 1\noutput = 10\n"
    )
    fake = Fake({"x:a": "Lima", "x:agg": "Lima."})
    mixture = Mixture([["x:a"]], "x:agg", providers={"x": fake})
    assert mixture.ask_sync("Capital?", max_cost=1.0).text == "Lima."
    assert fake.asked[-1].call.sampling.max_tokens == 4096
    mixture.ask_sync("Capital?", max_cost=0.08)
    assert fake.asked[-1].call.sampling.max_tokens == 1024
    asked = len(fake.asked)
    with pytest.raises(BudgetExceeded, match="allow more, or take a smaller mixture"):
        mixture.ask_sync("Capital?", max_cost=0.001)
    with pytest.raises(ConfigError, match="no price is known for x:b"):
        Mixture([["x:b"]], "x:b", providers={"x": fake}).ask_sync("Capital?", max_cost=1.0)
    assert len(fake.asked) == asked


def test_runs_are_kept_where_asked_for_and_only_there(tmp_path: Path) -> None:
    kept = Mixture([["x:a"]], "x:a", providers=scripted(a="Lima"), keep=True)
    answer = kept.ask_sync("Capital?")
    store = kept.rig.store
    assert store is not None
    assert [type(event.fact).__name__ for event in store.events(answer.run)][-1] == "RunFinished"
    assert store.path.is_relative_to(tmp_path)
    store.close()
    store.path.unlink()
    Mixture([["x:a"]], "x:a", providers=scripted(a="Lima")).ask_sync("Capital?")
    assert not store.path.exists()


def test_a_custom_flow_is_a_mixture() -> None:
    from moa import Ask, user
    from moa.core.types import Conversation

    async def twice(conversation: Conversation) -> Reply:
        first = await Ask((Agent("x:a").call(conversation),))
        return (await Ask((Agent("x:b").call((*conversation, user(first.replies[0].text))),), final=True)).replies[0]

    fake = Fake({"x:a": "draft", "x:b": "final"})
    assert str(Mixture.of_flow(twice, providers={"x": fake}).ask_sync("Hi")) == "final"
    assert fake.asked[1].messages[-1].text == "draft"


def test_connections_and_slow_members_do_not_outlive_a_question() -> None:
    mixture = Mixture([["x:a", "x:b"]], "x:agg", need=1, providers=scripted(a="Lima", b=Script(hang=True), agg="Lima."))

    async def ask() -> set[object]:
        await mixture.ask("Capital?")
        return set(asyncio.all_tasks() - {asyncio.current_task()})

    assert not asyncio.run(ask())


def test_the_models_that_ship_answer_as_the_default_mixture() -> None:
    pytest.importorskip("xllamacpp", reason="the models that ship need moa[local]")
    mixture = Mixture.from_config("builtin")
    answer = mixture.ask_sync("What is 347 + 85?")
    assert answer.text.endswith("Answer: 432")
    assert len(answer.proposals) == 4
    assert len({proposal.text for proposal in answer.proposals}) > 1
    assert (answer.cost, answer.degraded) == (0.0, False)


def test_leaving_a_watched_run_of_real_models_cancels_it() -> None:
    pytest.importorskip("xllamacpp", reason="the models that ship need moa[local]")
    mixture = Mixture([[Agent(f"builtin:p{n}", framing="quoted", temperature=0.0)] for n in (1, 2, 3)], combine="vote")

    async def leave() -> int:
        async with mixture.watch("What is 347 + 85?", proposers=True) as events:
            async for event in events:
                if isinstance(event.fact, CallStarted):
                    break
        return len(asyncio.all_tasks())

    assert asyncio.run(leave()) == 1


def test_errors_are_one_tree() -> None:
    assert issubclass(ConfigError, MoaError)
