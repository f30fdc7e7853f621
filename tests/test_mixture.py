"""The Python API: a mixture is asked, watched, planned; with scripted members and with the models that ship."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from moa import Agent, Answer, ConfigError, Event, Mixture, MoaError
from moa.core.errors import BudgetExceeded, NotEnoughReplies, Overloaded, StoreFailed
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


def test_default_is_what_there_is_where_no_mixture_is_called_so() -> None:
    assert Mixture.from_config("default").name == Mixture.from_config().name
    Path("moa.toml").write_text('[mixtures.default]\nproposers = ["fake:a"]\ncombine = "vote"\n')
    assert Mixture.from_config("default").name == "default"
    assert str(Mixture.from_config("default").ask_sync("Lima")) == "Lima"


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


def test_an_answer_is_not_lost_when_its_record_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mixture = Mixture([["x:a"]], "x:a", providers=scripted(a="Lima"), keep=True)
    assert mixture.ask_sync("Capital?").text == "Lima"
    store = mixture.rig.store
    assert store is not None
    for path in tmp_path.rglob("runs.db*"):
        path.unlink()
    store.path.mkdir()  # nothing can be written there any more
    store.close = raise_full  # type: ignore[method-assign]
    store.flushed = flush_full  # type: ignore[method-assign]
    assert mixture.ask_sync("Capital?").text == "Lima"
    assert "disk is full" in caplog.text


async def flush_full(seconds: float) -> None:
    raise_full()


def raise_full() -> None:
    raise StoreFailed("the disk is full")


def test_no_new_run_is_started_while_the_store_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake({"x:a": "Lima"})
    mixture = Mixture([["x:a"]], "x:a", providers={"x": fake}, keep=True)
    monkeypatch.setattr("moa.stores.sqlite.Sqlite.full", True)
    with pytest.raises(Overloaded, match=r"runs\.db cannot be written"):
        mixture.ask_sync("Capital?")
    assert not fake.asked


class Counted:
    """A provider over nothing that counts how often its connections are closed."""

    closed = 0

    async def send(self, request: object, scope: object) -> Reply:
        await asyncio.sleep(0.05)
        return Reply("Lima")


def test_connections_are_closed_by_the_last_to_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    mixture = Mixture([["x:a"]], combine="vote", providers={"x": Counted()})
    closed: list[int] = []

    async def close() -> None:
        closed.append(1)

    monkeypatch.setattr(mixture.rig, "aclose", close)

    async def overlapping() -> None:
        async def inside() -> None:
            async with mixture:
                pass

        await asyncio.gather(mixture.ask("Capital?"), mixture.ask("Capital?"), inside())
        assert len(closed) == 1
        async with mixture:
            await mixture.ask("Capital?")
            assert len(closed) == 1
        assert len(closed) == 2

    asyncio.run(overlapping())


def test_a_mixture_may_be_asked_from_several_threads(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    mixture = Mixture([["x:a"]], combine="vote", providers={"x": Counted()})
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: str(mixture.ask_sync(f"Capital {n}?")), range(8)))
    assert answers == ["Lima"] * 8
    assert not mixture.rig._held


def test_an_answer_from_the_cache_is_free_and_not_degraded(tmp_path: Path) -> None:
    (tmp_path / "moa.toml").write_text("[cache]\nexact = true\n")
    mixture = Mixture([["x:a"]], "x:b", providers=scripted(a="Lima", b="Lima."))
    first, second = mixture.ask_sync("Capital?"), mixture.ask_sync("Capital?")
    assert first.text == second.text
    assert (second.cost, second.degraded, second.notes) == (0.0, False, ())
    assert all(call.cached for call in second.view.calls)


def test_a_mixture_inside_another_brings_its_providers() -> None:
    inner = Mixture([["y:a"]], combine="vote", providers={"y": Fake({"y:a": "Lima"})})
    outer = Mixture([[inner, "x:b"]], combine="vote", providers=scripted(b="Lima"))
    assert str(outer.ask_sync("Capital?")) == "Lima"


def test_a_flow_that_asks_nothing_or_parses_its_replies_is_a_mixture() -> None:
    from moa import Ask
    from moa.core.types import Conversation

    async def nothing(conversation: Conversation) -> Reply:
        return Reply("hi")

    async def parses(conversation: Conversation) -> Reply:
        outcomes = await Ask((Agent("x:a").call(conversation),))
        return Reply(str(int(outcomes.replies[0].text) + 1))

    assert str(Mixture.of_flow(nothing).ask_sync("Hi")) == "hi"
    assert str(Mixture.of_flow(parses, providers=scripted(a="41")).ask_sync("Hi")) == "42"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mixture(["x:a", "x:b"], "x:c"), r"layers\[0\]: a layer is a list of agents"),  # type: ignore[list-item]
        (lambda: Mixture(None, "x:c"), "layers: a list of layers is needed, not NoneType"),  # type: ignore[arg-type]
        (lambda: Mixture([["x:a"]], "x:c", need=2), "need: 2 replies cannot come from a layer of 1"),
        (lambda: Mixture([["x:a"]], "x:c", least=3), "least: 3 replies cannot come from a layer of 1"),
        (lambda: Mixture([["x:a"]], "x:c", need="2"), "need: '2' replies"),  # type: ignore[arg-type]
        (lambda: Mixture([["x:a"]], "x:c").ask_sync(3), "a question is a text"),  # type: ignore[arg-type]
        (lambda: Mixture([["x:a"]], "x:c").ask_sync("Hi", deadline="10"), "deadline: '10' is no number above 0"),  # type: ignore[arg-type]
        (lambda: Mixture([["x:a"]], "x:c").ask_sync("Hi", max_cost=float("nan")), "max_cost: nan"),
        (lambda: Agent("x:a", framing="xml"), "framing 'xml' is none of"),  # type: ignore[arg-type]
        (lambda: Agent("x:a", temperature="hot"), "temperature 'hot' is no number"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_type_is_an_error_that_names_it(make: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()  # type: ignore[operator]


def test_errors_are_one_tree() -> None:
    assert issubclass(ConfigError, MoaError)


def test_mixtures_on_one_rig_do_not_close_each_others_connections() -> None:
    closed: list[str] = []

    async def both() -> None:
        first = Mixture([["fake:a"]], combine="vote", providers={"fake": Fake({"a": "x"})})
        second = Mixture([["fake:a"]], combine="vote").on(first.rig)
        closing = first.rig.wires.aclose

        async def told() -> None:
            closed.append("closed")
            await closing()

        first.rig.wires.aclose = told  # type: ignore[method-assign]
        async with first:
            await second.ask("hi")
            assert not closed
        assert closed == ["closed"]

    asyncio.run(both())
