"""The memory store: what it forgets, and what it never does."""

from __future__ import annotations

from stored_runs import run_of

from moa.stores.memory import Memory


def test_the_oldest_runs_are_forgotten_over_the_limit() -> None:
    store = Memory(limit=2)
    for n in range(5):
        for event in run_of(f"r{n}"):
            store.add(event)
    assert [run.id for run in store.runs()] == ["r4", "r3"]
    assert not store.full


def test_an_open_run_is_never_forgotten() -> None:
    store = Memory(limit=2)
    events = run_of("open")
    store.add(events[0])
    for n in range(5):
        for event in run_of(f"r{n}"):
            store.add(event)
    assert [run.id for run in store.runs()] == ["r4", "open"]
    for event in events[1:]:
        store.add(event)
    assert len(store.events("open")) == 13


def test_it_is_full_while_as_many_runs_as_it_holds_are_open() -> None:
    store = Memory(limit=2)
    store.add(run_of("a")[0])
    assert not store.full
    store.add(run_of("b")[0])
    assert store.full
    store.add(run_of("c")[0])  # too many all the same: nothing is lost
    assert len(store.runs()) == 3
    for run in "abc":
        for event in run_of(run)[1:]:
            store.add(event)
    assert not store.full
