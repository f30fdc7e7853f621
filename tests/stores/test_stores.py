"""What holds for every store: one contract, three that keep it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest
from stored_runs import bytes_under, kept, run_of

from moa.core.errors import ConfigError
from moa.core.events import Event, Noted, RunStarted
from moa.core.types import user
from moa.stores._summary import RunSummary
from moa.stores.jsonl import Jsonl
from moa.stores.memory import Memory
from moa.stores.sqlite import Sqlite

AnyStore: TypeAlias = Memory | Jsonl | Sqlite
Opening: TypeAlias = Callable[[], AnyStore]

KINDS = ["memory", "jsonl", "sqlite"]


@pytest.fixture(params=KINDS)
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opening]:
    """Opens the same store again and again (memory: the same object, which cannot be opened again)."""
    opened: list[AnyStore] = []
    memory = Memory()

    def open_it() -> AnyStore:
        made = {
            "memory": lambda: memory,
            "jsonl": lambda: Jsonl(tmp_path / "runs.jsonl"),
            "sqlite": lambda: Sqlite(tmp_path / "runs.db"),
        }
        opened.append(made[request.param]())
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(opening: Opening) -> AnyStore:
    return opening()


def fill(store: AnyStore, *runs: list[Event]) -> None:
    for events in runs:
        for event in events:
            store.add(event)
    store.flush()


def test_every_fact_but_deltas_comes_back_as_it_was(store: AnyStore) -> None:
    events = run_of("r1")
    fill(store, events)
    assert store.events("r1") == kept(events)


def test_what_was_added_is_read_without_a_flush(store: AnyStore) -> None:
    for event in run_of("r1"):
        store.add(event)
    assert len(store.events("r1")) == 13
    assert [run.id for run in store.runs()] == ["r1"]


def test_a_run_is_found_again_after_reopening(opening: Opening) -> None:
    events = run_of("r1")
    first = opening()
    fill(first, events)
    first.close()
    assert opening().events("r1") == kept(events)


def test_an_empty_store_has_no_runs(store: AnyStore) -> None:
    assert store.runs() == []
    assert store.events("nobody") == []
    assert store.delete("nobody") is False
    assert store.delete_all() == 0
    assert store.prune(1) == 0
    assert store.full is False


def test_a_finished_run_is_summed_up(store: AnyStore) -> None:
    fill(store, run_of("r1", "why?", 1000.0))
    assert store.runs() == [RunSummary("r1", 1000.0, "default", "why?", "finished", 1.5, 0.25, 2)]


def test_a_failed_run_is_summed_up(store: AnyStore) -> None:
    fill(store, run_of("r1", "why?", 1000.0, fails=True))
    assert store.runs() == [RunSummary("r1", 1000.0, "default", "why?", "failed", 2.0, 0.5, 2)]


def test_a_run_without_an_end_is_open(store: AnyStore) -> None:
    fill(store, run_of("r1", "why?", 1000.0)[:5])
    assert store.runs() == [RunSummary("r1", 1000.0, "default", "why?", "open", None, None, 2)]


def test_runs_that_go_on_at_once_are_kept_apart(store: AnyStore) -> None:
    one, two = run_of("one", "first?", 1000.0), run_of("two", "second?", 1000.0)
    fill(store, [event for pair in zip(one, two, strict=True) for event in pair])
    assert store.events("one") == kept(one)
    assert store.events("two") == kept(two)


def test_runs_are_listed_newest_first_up_to_the_limit(store: AnyStore) -> None:
    fill(store, *(run_of(f"r{n}", started=float(n)) for n in (3, 1, 5, 2, 4)))
    assert [run.id for run in store.runs(2)] == ["r5", "r4"]
    assert [run.id for run in store.runs(None)] == ["r5", "r4", "r3", "r2", "r1"]
    assert store.runs(0) == []


def test_of_runs_that_started_together_the_later_added_is_listed_first(store: AnyStore) -> None:
    fill(store, run_of("b"), run_of("a"), run_of("c"))
    assert [run.id for run in store.runs()] == ["c", "a", "b"]


def test_twenty_runs_are_listed_unless_told_otherwise(store: AnyStore) -> None:
    fill(store, *(run_of(f"r{n}")[:1] for n in range(25)))
    assert len(store.runs()) == 20


def test_a_long_question_is_shortened_and_put_on_one_line(store: AnyStore) -> None:
    fill(store, run_of("r1", "why\n\tis " + "it " * 500))
    (run,) = store.runs()
    assert run.question.startswith("why is it it")
    assert len(run.question) == 200
    assert run.question.endswith("…")


def test_odd_characters_survive(store: AnyStore) -> None:
    text = 'nul \0, lone \ud800, line \u2028, quote ", emoji 🦉, \r\n'
    events = [Event(RunStarted("m\udfff", (user(text),)), "r1", 0, 1.5)]
    fill(store, events)
    assert store.events("r1") == events
    (run,) = store.runs()
    assert run.question.encode()
    assert run.mixture.encode()


def test_a_fact_that_cannot_be_written_is_named_and_harms_no_other(store: AnyStore) -> None:
    if isinstance(store, Memory):
        pytest.skip("memory writes nothing")
    events = run_of("r1")
    broken = replace(events[1], fact=object())  # type: ignore[arg-type]
    fill(store, [events[0], broken, *events[2:]])
    back = store.events("r1")
    assert [event.seq for event in back] == [event.seq for event in kept(events)]
    assert back[1].fact == Noted("not writable", "object: KeyError")
    assert back[2:] == kept(events)[2:]
    assert not store.full


def test_the_start_of_an_id_is_enough(store: AnyStore) -> None:
    fill(store, run_of("abc1"), run_of("abd2"))
    assert store.find("abc") == "abc1"
    assert store.find("abd2") == "abd2"


def test_an_id_that_is_the_start_of_another_is_found(store: AnyStore) -> None:
    fill(store, run_of("ab"), run_of("abc"))
    assert store.find("ab") == "ab"


@pytest.mark.parametrize("prefix", ["zz", "", "%", "_", "*", "abc1x", "\ud800", "' OR 1=1 --"])
def test_an_unknown_start_of_an_id_says_where_to_look(store: AnyStore, prefix: str) -> None:
    fill(store, run_of("abc1"))
    with pytest.raises(ConfigError, match=r"no run .* `moa runs`"):
        store.find(prefix)


def test_an_id_with_a_slip_is_told_the_nearest(store: AnyStore) -> None:
    fill(store, run_of("0123456789abcdef"), run_of("fedcba9876543210"))
    with pytest.raises(
        ConfigError, match='no run "01234x6789" is kept here; the nearest is 0123456789abcdef; `moa runs`'
    ):
        store.find("01234x6789")


def test_an_ambiguous_start_of_an_id_names_the_runs(store: AnyStore) -> None:
    fill(store, *(run_of(f"ab{n}") for n in range(9)))
    with pytest.raises(ConfigError, match=r"several runs \(ab0, ab1, ab2, …\).*more of the id"):
        store.find("ab")


def test_a_deleted_run_is_gone_and_the_others_stay(store: AnyStore) -> None:
    fill(store, run_of("r1"), run_of("r2"))
    assert store.delete("r1") is True
    assert store.events("r1") == []
    assert store.events("r2") == kept(run_of("r2"))
    assert [run.id for run in store.runs()] == ["r2"]


def test_all_runs_can_be_deleted_and_new_ones_added(store: AnyStore) -> None:
    fill(store, run_of("r1"), run_of("r2"))
    assert store.delete_all() == 2
    assert store.runs() == []
    fill(store, run_of("r3"))
    assert [run.id for run in store.runs()] == ["r3"]


def test_deleting_includes_what_was_added_a_moment_ago(store: AnyStore) -> None:
    for event in run_of("r1"):
        store.add(event)
    assert store.delete("r1") is True
    store.flush()
    assert store.events("r1") == []


def test_a_run_deleted_under_way_is_not_hidden_when_it_goes_on(store: AnyStore) -> None:
    events = run_of("r1")
    fill(store, events[:6])
    store.delete("r1")
    fill(store, events[6:])
    assert store.events("r1") == events[6:]
    (run,) = store.runs()
    assert (run.id, run.state, run.started) == ("r1", "finished", events[6].time)
    assert store.delete("r1") is True


def test_old_runs_are_pruned(store: AnyStore) -> None:
    now = time.time()
    fill(store, run_of("old", started=now - 3 * 86_400), run_of("new", started=now - 86_400))
    assert store.prune(2) == 1
    assert [run.id for run in store.runs()] == ["new"]
    assert store.events("old") == []


def test_no_byte_of_a_deleted_run_stays_on_disk(opening: Opening, tmp_path: Path) -> None:
    store = opening()
    for n in range(40):  # of many lengths, so that rows overflow pages and are moved between them
        fill(store, run_of(f"r{n}", f"canary-{n}-" * (1 + 7 * n % 61)))
    for n in (*range(1, 40, 2), *range(0, 30, 2)):
        store.delete(f"r{n}")
        assert f"canary-{n}-".encode() not in bytes_under(tmp_path), n
    store.delete_all()
    assert b"canary" not in bytes_under(tmp_path)
    store.close()
    assert b"canary" not in bytes_under(tmp_path)


def test_a_closed_store_can_be_closed_again_and_still_be_read(opening: Opening) -> None:
    store = opening()
    fill(store, run_of("r1"))
    store.close()
    store.close()
    assert len(store.events("r1")) == 13


def test_threads_may_add_at_once(store: AnyStore) -> None:
    def one(number: int) -> None:
        for event in run_of(f"r{number}"):
            store.add(event)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.flush()
    for number in range(8):
        assert store.events(f"r{number}") == kept(run_of(f"r{number}"))
    assert [run.calls for run in store.runs()] == [2] * 8


@pytest.mark.parametrize("kind", ["jsonl", "sqlite"])
def test_without_prompts_nothing_that_was_said_reaches_the_disk(kind: str, tmp_path: Path) -> None:
    store: AnyStore = (
        Jsonl(tmp_path / "runs", prompts=False) if kind == "jsonl" else Sqlite(tmp_path / "runs", prompts=False)
    )
    fill(store, run_of("r1", "canary"), run_of("r2", "canary", fails=True))
    assert b"canary" not in bytes_under(tmp_path)
    (second, first) = store.runs()
    assert (first.question, first.mixture, first.cost, first.calls) == ("", "default", 0.25, 2)
    assert second.state == "failed"
    assert [type(event.fact) for event in store.events("r1")] == [type(event.fact) for event in kept(run_of("r1"))]
    store.close()
    assert b"canary" not in bytes_under(tmp_path)


@pytest.mark.parametrize("kind", ["jsonl", "sqlite"])
def test_opening_makes_no_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "runs"
    store: AnyStore = Jsonl(path) if kind == "jsonl" else Sqlite(path, days=1)
    assert store.runs() == []
    store.flush()
    store.close()
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("kind", ["jsonl", "sqlite"])
def test_files_are_private(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "runs"
    store: AnyStore = Jsonl(path) if kind == "jsonl" else Sqlite(path)
    fill(store, run_of("r1"))
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert kind == "jsonl" or {"runs", "runs-wal", "runs-shm"} <= modes.keys()
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.parent.parent.stat().st_mode & 0o777 == 0o700
    store.delete("r1")
    store.close()
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


@pytest.mark.parametrize("kind", ["jsonl", "sqlite"])
def test_a_file_that_others_could_read_is_made_private(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "runs"
    path.touch()
    path.chmod(0o644)
    store: AnyStore = Jsonl(path) if kind == "jsonl" else Sqlite(path)
    fill(store, run_of("r1"))
    store.close()
    assert path.stat().st_mode & 0o777 == 0o600
