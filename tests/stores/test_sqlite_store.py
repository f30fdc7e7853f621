"""The SQLite store: its file, its thread, other processes, and what goes wrong with disks."""

from __future__ import annotations

import gc
import random
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from stored_runs import bytes_under, kept, python, run_of, said

from moa.core.errors import ConfigError, StoreFailed
from moa.core.events import Event
from moa.stores import _schema, _tables
from moa.stores._writer import Writer
from moa.stores.rating import Rating
from moa.stores.sqlite import Sqlite

DAY = 86_400


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def fill(store: Sqlite, *runs: list[Event]) -> None:
    for events in runs:
        for event in events:
            store.add(event)
    store.flush()


def written(path: Path, *runs: str) -> None:
    with closing(Sqlite(path)) as store:
        fill(store, *map(run_of, runs))


def test_the_file_is_in_wal_mode_and_says_whose_it_is(path: Path) -> None:
    written(path, "r1")
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA user_version").fetchone() == (len(_schema.MIGRATIONS),)
        assert database.execute("PRAGMA application_id").fetchone() == (_schema.APPLICATION,)


def test_an_old_file_is_migrated_and_keeps_its_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(path, "r1")
    monkeypatch.setattr(
        _schema, "MIGRATIONS", (*_schema.MIGRATIONS, ("CREATE TABLE later (x)", "CREATE TABLE too (x)"))
    )
    with closing(Sqlite(path)) as store:
        assert store.events("r1") == kept(run_of("r1"))
        fill(store, run_of("r2"))
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (len(_schema.MIGRATIONS),)
        assert database.execute("SELECT count(*) FROM too").fetchone() == (0,)


def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(path, "r1")
    with monkeypatch.context() as patch:
        patch.setattr(_schema, "MIGRATIONS", (*_schema.MIGRATIONS, ("CREATE TABLE later (x)", "CREATE NONSENSE")))
        with pytest.raises(StoreFailed):
            Sqlite(path).events("r1")
    assert Sqlite(path).events("r1") == kept(run_of("r1"))


def test_a_file_of_a_newer_moa_says_to_upgrade(path: Path) -> None:
    written(path, "r1")
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    store = Sqlite(path)
    for reading in (store.runs, store.check, lambda: store.events("r1"), lambda: store.find("r")):
        with pytest.raises(ConfigError, match=r"runs\.db: written by a newer moa \(schema 99.*upgrade moa"):
            reading()
    store.add(run_of("r2")[0])
    with pytest.raises(ConfigError, match="upgrade moa"):
        store.flush()
    assert store.full
    with pytest.raises(ConfigError, match=r"upgrade moa.*\(1 events were not written\)"):
        store.close()
    store.close()


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    store = Sqlite(path)
    with pytest.raises(ConfigError, match="another program's database; give moa a file of its own"):
        store.check()
    store.add(run_of("r1")[0])
    with pytest.raises(ConfigError, match="another program's"):
        store.close()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be read" * 9, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_damaged_file_is_named_with_what_to_do(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    store = Sqlite(path)
    with pytest.raises(ConfigError, match=r"runs\.db: damaged.*move it away, or use --no-store"):
        store.check()
    store.add(run_of("r1")[0])
    with pytest.raises(ConfigError, match="move it away"):
        store.close()
    assert path.read_bytes() == content


def test_damaged_pages_are_named_with_what_to_do(path: Path) -> None:
    written(path, *(f"r{n}" for n in range(30)))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="move it away, or use --no-store"):
        Sqlite(path).runs()


def test_a_damaged_event_names_its_run(path: Path) -> None:
    written(path, "r1")
    with closing(sqlite3.connect(path)) as database, database:
        (data,) = database.execute("SELECT data FROM events").fetchone()
        lines = data.split("\n")
        database.execute("UPDATE events SET data = ?", ("\n".join([*lines[:3], "{}", *lines[4:]]),))
    with pytest.raises(ConfigError, match=r"runs\.db: run r1, event 3: damaged: .*field run: missing"):
        Sqlite(path).events("r1")


def test_adding_waits_for_nobody(path: Path) -> None:
    written(path, "r1")
    store = Sqlite(path, queue=100)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        started = time.perf_counter()
        for n in range(20):
            for event in run_of(f"s{n}"):
                store.add(event)
        assert time.perf_counter() - started < 0.5
        assert store.full, "260 events wait, 100 may"
        other.execute("ROLLBACK")
    store.flush()
    assert not store.full
    assert len(store.runs(None)) == 21
    assert all(store.events(f"s{n}") == kept(run_of(f"s{n}")) for n in range(20))
    store.close()


def test_what_cannot_be_written_is_kept_and_written_later(tmp_path: Path) -> None:
    obstacle = tmp_path / "folder"
    obstacle.write_text("a file where the folder should be")
    store = Sqlite(obstacle / "runs.db")
    store.add(run_of("r1")[0])
    with pytest.raises(StoreFailed, match=r"folder/runs\.db: runs cannot be kept here: Not a directory; .*--no-store"):
        store.flush()
    assert store.full
    for event in run_of("r1")[1:]:
        store.add(event)
    obstacle.unlink()
    store.flush()
    assert not store.full
    assert store.events("r1") == kept(run_of("r1"))
    store.close()


def test_a_store_that_recovers_does_so_without_being_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moa.stores._writer.RETRY", 0.02)
    obstacle = tmp_path / "folder"
    obstacle.write_text("")
    store = Sqlite(obstacle / "runs.db")
    store.add(run_of("r1")[0])
    with pytest.raises(StoreFailed):
        store.flush()
    obstacle.unlink()
    until = time.monotonic() + 10
    while store.full and time.monotonic() < until:
        time.sleep(0.01)
    assert not store.full
    store.close()


def test_a_full_disk_is_said_and_loses_nothing_that_was_written(path: Path) -> None:
    written(path, "r1")
    script = """
import resource
from moa.core.errors import MoaError
store = Sqlite(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
for n in range(200):
    for event in run_of(f"s{n}", "word " * 200):
        store.add(event)
try:
    store.flush()
except MoaError as error:
    print(type(error).__name__, error, store.full)
try:
    store.close()
except MoaError as error:
    print("closed", error)
"""
    output = said(python(script, path))
    assert output.startswith(f"StoreFailed {path}: runs cannot be kept here: ")
    assert "--no-store True" in output
    assert "events were not written" in output
    back = Sqlite(path)
    assert back.events("r1") == kept(run_of("r1"))
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_processes_may_write_one_file_at_once_from_its_first_byte_on(path: Path) -> None:
    script = """
store = Sqlite(sys.argv[1])
sys.stdin.readline()
for n in range(25):
    for event in run_of(f"{sys.argv[2]}-{n}"):
        store.add(event)
    if n % 5 == 0:
        store.flush()
store.close()
"""
    children = [python(script, path, name) for name in "abc"]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        said(child)
    store = Sqlite(path)
    assert sorted(run.id for run in store.runs(None)) == sorted(f"{name}-{n}" for name in "abc" for n in range(25))
    assert all(store.events(run.id) == kept(run_of(run.id)) for run in store.runs(None))
    assert {run.calls for run in store.runs(None)} == {2}


def test_a_program_that_ends_without_closing_loses_nothing(path: Path) -> None:
    output = said(python("store = Sqlite(sys.argv[1])\nfor event in run_of('r1'):\n    store.add(event)", path))
    assert output == ""
    assert Sqlite(path).events("r1") == kept(run_of("r1"))


def test_a_program_that_ends_by_an_error_loses_nothing(path: Path) -> None:
    child = python(
        "store = Sqlite(sys.argv[1])\nfor event in run_of('r1'):\n    store.add(event)\nraise SystemExit(3)", path
    )
    child.communicate(timeout=60)
    assert child.returncode == 3
    assert Sqlite(path).events("r1") == kept(run_of("r1"))


def test_what_is_added_while_the_program_ends_is_kept(path: Path) -> None:
    script = """
import atexit
store = None
def last():
    store = Sqlite(sys.argv[1])
    for event in run_of("r1"):
        store.add(event)
    store.close()
atexit.register(last)
"""
    said(python(script, path))
    assert Sqlite(path).events("r1") == kept(run_of("r1"))


def test_a_program_that_ends_says_what_it_could_not_write(tmp_path: Path) -> None:
    output = said(python("store = Sqlite(sys.argv[1])\nstore.add(run_of('r1')[0])", tmp_path))
    assert (
        output == f"moa: {tmp_path}: runs cannot be kept here: Is a directory; make the file and its folder writable, "
        "or use --no-store (1 events were not written)\n"
    )


def test_a_killed_program_loses_nothing_that_was_flushed(path: Path) -> None:
    script = """
import os, signal
store = Sqlite(sys.argv[1])
for event in run_of("r1"):
    store.add(event)
store.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""
    child = python(script, path)
    child.communicate(timeout=60)
    assert child.returncode == -9
    assert Sqlite(path).events("r1") == kept(run_of("r1"))


def test_a_forked_child_writes_its_own_and_only_its_own(path: Path) -> None:
    script = """
import os, warnings
warnings.simplefilter("ignore")  # newer Pythons warn of forks beside threads: that is what is tried here
store = Sqlite(sys.argv[1])
for event in run_of("before"):
    store.add(event)
store.flush()
for event in run_of("queued"):
    store.add(event)
child = os.fork()
if child == 0:
    for event in run_of("child"):
        store.add(event)
    store.close()
    os._exit(0)
for event in run_of("parent"):
    store.add(event)
assert os.waitpid(child, 0)[1] == 0
store.close()
"""
    said(python(script, path))
    store = Sqlite(path)
    assert sorted(run.id for run in store.runs()) == ["before", "child", "parent", "queued"]
    assert all(store.events(run.id) == kept(run_of(run.id)) for run in store.runs())


def test_a_store_that_nobody_holds_any_more_ends_its_thread(path: Path) -> None:
    before = threading.active_count()
    store = Sqlite(path)
    for event in run_of("r1"):
        store.add(event)
    assert threading.active_count() == before + 1
    del store
    gc.collect()
    assert threading.active_count() == before
    assert Sqlite(path).events("r1") == kept(run_of("r1"))


def test_nothing_is_added_after_closing(path: Path) -> None:
    store = Sqlite(path)
    store.close()
    assert store.full
    with pytest.raises(StoreFailed, match="was closed"):
        store.add(run_of("r1")[0])


def test_old_runs_are_removed_by_the_first_event(path: Path, tmp_path: Path) -> None:
    now = time.time()
    with closing(Sqlite(path)) as store:
        fill(store, run_of("old", "canary", now - 9 * DAY), run_of("new", "fresh", now - DAY))
    with closing(Sqlite(path, days=3)) as store:
        fill(store, run_of("r1", started=now))
        assert [run.id for run in store.runs()] == ["r1", "new"]
    assert b"canary" not in bytes_under(tmp_path)


def test_old_runs_are_removed_by_the_first_look(path: Path, tmp_path: Path) -> None:
    now = time.time()
    with closing(Sqlite(path)) as store:
        fill(store, run_of("old", "canary", now - 9 * DAY), run_of("new", "fresh", now - DAY))
    assert [run.id for run in Sqlite(path, days=3).runs()] == ["new"]
    assert b"canary" not in bytes_under(tmp_path)


@pytest.mark.parametrize(("seed", "longest"), [(7, 3), (5, 40)])
def test_no_copy_of_a_deleted_run_stays_where_rows_were_moved(path: Path, seed: int, longest: int) -> None:
    """These two orders of events leave such copies behind where the file is not written anew."""
    chance = random.Random(seed)
    left = {f"r{n}": run_of(f"r{n}", f"canary-{n}-" * chance.randint(1, longest)) for n in range(40)}
    order = list(left)
    with closing(Sqlite(path)) as store:
        while left:
            run = chance.choice(list(left)[:6])
            store.add(left[run].pop(0))
            left = {run: events for run, events in left.items() if events}
        chance.shuffle(order)
        for run in order[5:]:
            store.delete(run)
            assert f"canary-{run[1:]}-".encode() not in bytes_under(path.parent), run


def test_what_is_removed_is_overwritten_at_once(path: Path) -> None:
    written(path, "r1", "r2")
    assert b"blue" in path.read_bytes()
    with closing(_schema.connect(path)) as database:
        assert _tables.remove(database, _tables.EVERY_RUN) == 2
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert b"blue" not in bytes_under(path.parent)


def test_nothing_is_deleted_while_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    store = Sqlite(tmp_path / "folder" / "runs.db")
    store.add(run_of("r1")[0])
    with pytest.raises(StoreFailed):
        store.delete("r1")
    (tmp_path / "folder").unlink()
    assert store.delete("r1")
    store.close()


def test_a_new_file_that_another_process_is_making_is_waited_for(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("PRAGMA user_version = 0")
        release = threading.Timer(0.2, other.execute, ("ROLLBACK",))
        release.start()
        store = Sqlite(path)
        fill(store, run_of("r1"))
        release.join()
    store.close()


def test_deleting_says_so_while_another_process_keeps_the_bytes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_schema, "BUSY", 0.05)
    written(path, "r1", "r2")
    store = Sqlite(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM runs").fetchall()
        with pytest.raises(StoreFailed, match=r"1 runs are deleted, but their bytes stay in runs\.db-wal"):
            store.delete("r1")
        other.execute("COMMIT")
    assert [run.id for run in store.runs()] == ["r2"]


def test_a_name_with_odd_characters_is_a_file_name_like_others(tmp_path: Path) -> None:
    path = tmp_path / "what? 100% #1 ü.db"
    written(path, "r1")
    assert path.exists()
    assert Sqlite(str(path)).events("r1") == kept(run_of("r1"))


def test_a_write_that_raises_anything_is_kept_and_said() -> None:
    def write(events: object) -> None:
        raise ZeroDivisionError("oh")

    writer = Writer(write, lambda: None, 10)
    writer.add(run_of("r1")[0])
    with pytest.raises(StoreFailed, match="ZeroDivisionError: oh"):
        writer.flush()
    assert writer.full
    with pytest.raises(StoreFailed, match="1 events were not written"):
        writer.close()


def test_a_rating_is_kept_and_the_last_one_holds(path: Path) -> None:
    with closing(Sqlite(path)) as store:
        assert store.ratings() == {}
        fill(store, run_of("r1", started=2000.0), run_of("r2", started=1000.0))
        for run, rating in (("r1", Rating(answer="432")), ("r2", Rating(right=True)), ("r1", Rating(right=False))):
            store.rate(run, rating)
    with closing(Sqlite(path)) as store:
        assert list(store.ratings().items()) == [("r2", Rating(right=True)), ("r1", Rating(right=False))]


def test_an_unknown_run_is_not_rated(path: Path) -> None:
    with closing(Sqlite(path)) as store:
        with pytest.raises(ConfigError, match='no run "r1" is kept here'):
            store.rate("r1", Rating(right=True))
        assert not path.exists()


def test_with_a_run_its_rating_goes(path: Path) -> None:
    with closing(Sqlite(path)) as store:
        fill(store, run_of("r1"), run_of("r2"))
        store.rate("r1", Rating(answer="forty-two herrings"))
        store.delete("r1")
        fill(store, run_of("r1"))
        assert store.ratings() == {}
    assert b"herrings" not in bytes_under(path.parent)


def test_without_prompts_no_right_answer_is_written(path: Path) -> None:
    with closing(Sqlite(path, prompts=False)) as store:
        fill(store, run_of("r1"))
        with pytest.raises(ConfigError, match="texts are not kept"):
            store.rate("r1", Rating(answer="herring"))
        store.rate("r1", Rating(right=True))
        assert store.ratings() == {"r1": Rating(right=True)}


def test_a_file_from_before_there_were_ratings_takes_them(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(_schema, "MIGRATIONS", _schema.MIGRATIONS[:1])
        written(path, "r1")
    with closing(Sqlite(path)) as store:
        assert store.ratings() == {}
        store.rate("r1", Rating(right=True))
        assert store.ratings() == {"r1": Rating(right=True)}
