"""The JSON Lines store: what a crash, an editor and another process may do to its file."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest
from stored_runs import bytes_under, kept, python, run_of, said

from moa.core.errors import ConfigError, StoreFailed
from moa.stores.jsonl import Jsonl


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.jsonl"


def written(path: Path, *runs: str) -> Jsonl:
    store = Jsonl(path)
    for run in runs:
        for event in run_of(run):
            store.add(event)
    store.flush()
    return store


def test_each_line_is_one_event(path: Path) -> None:
    written(path, "r1").close()
    lines = path.read_text("ascii").splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [event.seq for event in kept(run_of("r1"))]


@pytest.mark.parametrize("cut", [1, 2, 40, 90])
def test_a_half_written_last_line_is_set_aside_and_said(path: Path, cut: int) -> None:
    written(path, "r1").close()
    whole = path.read_bytes()
    last = whole.splitlines()[-1]
    path.write_bytes(whole[: -1 - cut])
    store = Jsonl(path)
    assert store.events("r1") == kept(run_of("r1"))[:-1]
    assert store.torn is not None
    assert (store.torn.line, store.torn.data) == (13, last[:-cut])
    assert str(store.torn) == f"{path}, line 13: only half written ({len(last) - cut} bytes), so it was left out"
    assert path.read_bytes() == whole[: -1 - cut], "reading changes nothing"


def test_a_whole_file_is_not_torn(path: Path) -> None:
    store = written(path, "r1")
    store.runs()
    assert store.torn is None


def test_a_last_line_that_only_lacks_its_end_counts(path: Path) -> None:
    written(path, "r1").close()
    path.write_bytes(path.read_bytes()[:-1])
    store = Jsonl(path)
    assert store.events("r1") == kept(run_of("r1"))
    assert store.torn is None
    for event in run_of("r2"):
        store.add(event)
    assert store.events("r1") == kept(run_of("r1"))
    assert store.events("r2") == kept(run_of("r2"))
    store.close()


def test_what_is_added_takes_the_place_of_a_half_line(path: Path) -> None:
    written(path, "r1").close()
    path.write_bytes(path.read_bytes()[:-20])
    store = written(path, "r2")
    assert store.torn is not None
    assert store.torn.line == 13
    assert store.events("r1") == kept(run_of("r1"))[:-1]
    assert store.events("r2") == kept(run_of("r2"))
    store.close()
    assert Jsonl(path).events("r2") == kept(run_of("r2"))


def test_a_file_that_is_one_half_line_has_no_runs(path: Path) -> None:
    path.write_bytes(b'{"run":"r1","se')
    store = Jsonl(path)
    assert store.runs() == []
    assert store.torn is not None


@pytest.mark.parametrize("damage", [b'{"run":"r1","seq', b"\0\0\0\0", b"null", b"{}", b"\xff\xfe", b"[" * 5000])
def test_damage_in_the_middle_names_file_and_line(path: Path, damage: bytes) -> None:
    written(path, "r1").close()
    lines = path.read_bytes().splitlines()
    lines[4] = damage
    path.write_bytes(b"\n".join(lines) + b"\n")
    gc.collect()  # what is left to be collected by others must not be at the depth where the parser gives up
    with pytest.raises(ConfigError, match=r"runs\.jsonl, line 5: damaged"):
        Jsonl(path).events("r1")


def test_empty_lines_are_passed_over(path: Path) -> None:
    written(path, "r1").close()
    path.write_bytes(path.read_bytes().replace(b"\n", b"\n\n"))
    assert Jsonl(path).events("r1") == kept(run_of("r1"))


def test_what_cannot_be_written_is_kept_and_written_later(tmp_path: Path) -> None:
    obstacle = tmp_path / "folder"
    obstacle.write_text("a file where the folder should be")
    store = Jsonl(obstacle / "runs.jsonl")
    store.add(run_of("r1")[0])
    assert store.full
    with pytest.raises(StoreFailed, match=r"runs cannot be kept here: .*--no-store"):
        store.flush()
    obstacle.unlink()
    for event in run_of("r1")[1:]:
        store.add(event)
    store.flush()
    assert not store.full
    assert store.events("r1") == kept(run_of("r1"))
    store.close()


def test_closing_says_what_was_lost_once(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    store = Jsonl(tmp_path / "folder" / "runs.jsonl")
    store.add(run_of("r1")[0])
    with pytest.raises(StoreFailed):
        store.close()
    store.close()
    assert store.full


def test_nothing_is_added_after_closing(path: Path) -> None:
    store = written(path, "r1")
    store.close()
    with pytest.raises(StoreFailed, match="was closed"):
        store.add(run_of("r2")[0])


def test_a_full_disk_leaves_whole_lines_only(path: Path) -> None:
    script = """
import resource
from moa.core.errors import MoaError
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
store = Jsonl(sys.argv[1])
for event in run_of("r1", "word " * 200):
    store.add(event)
try:
    store.close()
except MoaError as error:
    print(type(error).__name__, error)
"""
    output = said(python(script, path))
    assert "StoreFailed" in output
    assert "File too large" in output
    assert path.read_bytes().endswith(b"\n")
    assert path.stat().st_size > 10_000
    back = Jsonl(path)
    assert back.events("r1") == kept(run_of("r1", "word " * 200))[: len(back.events("r1"))]
    assert back.torn is None


def test_processes_may_append_to_one_file_while_it_is_rewritten(path: Path) -> None:
    script = """
store = Jsonl(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for n in range(40):
    for event in run_of(f"{sys.argv[2]}-{n}"):
        store.add(event)
store.close()
"""
    store = written(path, *(f"old-{n}" for n in range(20)))
    children = [python(script, path, name) for name in ("a", "b")]
    for child in children:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        child.stdin.write("go\n")
        child.stdin.flush()
    for n in range(20):
        assert store.delete(f"old-{n}")
    for child in children:
        said(child)
    assert sorted(run.id for run in store.runs(None)) == sorted(f"{name}-{n}" for name in "ab" for n in range(40))
    assert all(store.events(f"a-{n}") == kept(run_of(f"a-{n}")) for n in range(0, 40, 10))
    store.close()


def test_a_file_that_another_rewrote_is_opened_anew(path: Path) -> None:
    one, other = written(path, "r1", "r2"), Jsonl(path)
    assert other.delete("r1")
    for event in run_of("r3"):
        one.add(event)
    assert [run.id for run in other.runs()] == ["r3", "r2"]
    one.close()


def test_deleting_leaves_no_second_file(path: Path, tmp_path: Path) -> None:
    store = written(path, "r1", "r2")
    path.with_suffix(".jsonl.new").write_bytes(b"of a crash")
    store.delete("r1")
    store.close()
    assert [file.name for file in tmp_path.iterdir()] == ["runs.jsonl"]
    assert b"r1" not in bytes_under(tmp_path)


def test_deleting_through_a_link_changes_the_file_it_points_to(path: Path, tmp_path: Path) -> None:
    written(path, "r1", "r2").close()
    link = tmp_path / "link"
    link.symlink_to(path)
    store = Jsonl(link)
    assert store.delete("r1")
    store.close()
    assert link.is_symlink()
    assert [run.id for run in Jsonl(path).runs()] == ["r2"]
