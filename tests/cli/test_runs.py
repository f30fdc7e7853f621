"""`moa runs`: list, show, rate, replay, export, delete."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import moa_says, write_config
from fake_host import Host, Model, host


@pytest.fixture
def home(tmp_path: Path) -> Iterator[tuple[Path, Host]]:
    """A home where two questions were asked."""
    with host(a=Model("one"), b=Model(status=400), judge=Model("It is four.")) as here:
        write_config(tmp_path, here.url, ["a", "b"], "judge")
        for question in ("What is 2 + 2?", "And\n3 + 3?"):
            assert moa_says("ask", question, "-q", home=tmp_path).code == 0
        yield tmp_path, here


def test_runs_are_listed_newest_first(home: tuple[Path, Host]) -> None:
    listed = moa_says("runs", home=home[0])
    head, new, old = listed.out.splitlines()
    assert head.split() == ["id", "when", "mixture", "question", "state", "time", "cost", "calls"]
    assert "And 3 + 3?" in new
    assert "What is 2 + 2?" in old
    assert old.split()[-1] == "3"
    (one,) = json.loads(moa_says("runs", "--limit", "1", "--json", home=home[0]).out)
    assert (one["question"], one["state"], one["calls"]) == ("And 3 + 3?", "finished", 3)


def test_a_run_is_told_and_an_id_may_be_shortened(home: tuple[Path, Host]) -> None:
    run = json.loads(moa_says("runs", "--json", home=home[0]).out)[0]["id"]
    told = moa_says("runs", "show", run[:-3], "--events", home=home[0])
    assert (told.code, told.err) == (0, "")
    for words in (
        run,
        "── user ──\nAnd\n3 + 3?",
        "proposer a · near:a · done",
        "BadRequest",
        "── answer ──\nIt is four.",
    ):
        assert words in told.out, words
    assert "run_finished" in told.out
    data = json.loads(moa_says("runs", "show", run, "--json", home=home[0]).out)
    assert (data["answer"], data["state"], data["degraded"]) == ("It is four.", "done", True)
    assert [call["text"] for call in data["calls"]] == ["one", "", "It is four."]
    assert "events" not in data


def test_a_stored_run_is_compared_as_its_mixture_compares(tmp_path: Path) -> None:
    with host(a=Model("Answer: 'x'"), b=Model("Answer: 'X'"), judge=Model("'x'")) as here:
        write_config(tmp_path, here.url, ["a", "b"], "judge")
        for answers, share in (("literal", 0.5), ("text", 1.0)):
            with (tmp_path / "moa.toml").open("a") as config:
                config.write(
                    f'[mixtures.{answers}]\nproposers = ["a", "b"]\naggregator = "judge"\nanswers = "{answers}"\n'
                )
            asked = json.loads(moa_says("ask", "Which?", "--mixture", answers, "--json", home=tmp_path).out)
            shown = json.loads(moa_says("runs", "show", asked["run"], "--json", home=tmp_path).out)
            assert shown["agreement"] == asked["agreement"] == {"same_input": share, "different_parts": None}


def test_a_replay_costs_nothing_and_says_whether_the_answer_is_the_same(home: tuple[Path, Host]) -> None:
    place, here = home
    run = json.loads(moa_says("runs", "--json", home=place).out)[0]["id"]
    sent = len(here.asked)
    told = moa_says("runs", "replay", run, home=place)
    data = json.loads(moa_says("runs", "replay", run, "--json", home=place).out)
    assert len(here.asked) == sent
    assert (told.code, told.out, told.err) == (0, "It is four.\n", "equal to the stored answer\n")
    assert data == {"run": run, "mixture": "default", "answer": "It is four.", "stored": "It is four.", "equal": True}
    assert len(json.loads(moa_says("runs", "--json", home=place).out)) == 2, "a replay is not kept"
    write_config(place, here.url, ["a", "b"], "judge", rest='[agents.c]\nmodel = "near:a"\ntemperature = 1.0')
    (place / "moa.toml").write_text((place / "moa.toml").read_text().replace('["a", "b"]', '["c", "b"]'))
    other = moa_says("runs", "replay", run, home=place)
    assert "sampling differs" in other.err + other.out


def test_a_run_under_a_cost_limit_can_be_replayed(home: tuple[Path, Host]) -> None:
    place, here = home
    prices = "".join(f'[prices."near:{name}"]\ninput = 1.0\noutput = 1.0\n' for name in ("a", "b", "judge"))
    write_config(place, here.url, ["a", "b"], "judge", rest=prices)
    assert moa_says("ask", "2 + 2?", "--max-cost", "0.02", "-q", home=place).code == 0
    assert here.asked[-1]["max_tokens"] < 4096
    run = json.loads(moa_says("runs", "--json", home=place).out)[0]["id"]
    assert json.loads(moa_says("runs", "replay", run, "--json", home=place).out)["equal"] is True


def test_events_are_exported_as_json_lines_oldest_first(home: tuple[Path, Host]) -> None:
    from moa.core.plain import from_plain

    lines = moa_says("runs", "export", home=home[0]).out.splitlines()
    events = [from_plain(json.loads(line)) for line in lines]
    ids = [run["id"] for run in json.loads(moa_says("runs", "--json", home=home[0]).out)]
    assert list(dict.fromkeys(event.run for event in events)) == ids[::-1]
    assert [event.seq for event in events if event.run == ids[0]] == list(range(len(events) // 2))
    one = moa_says("runs", "export", ids[0], home=home[0]).out.splitlines()
    assert one == lines[len(lines) // 2 :]


def test_runs_are_deleted_by_id_by_age_and_all(home: tuple[Path, Host]) -> None:
    place = home[0]
    run = json.loads(moa_says("runs", "--json", home=place).out)[0]["id"]
    assert moa_says("runs", "delete", run, "--yes", home=place).out == "deleted 1 run\n"
    assert json.loads(moa_says("runs", "delete", "--older-than", "1", "-y", "--json", home=place).out) == {"deleted": 0}
    assert moa_says("runs", "delete", "--all", home=place).code == 2, "nobody said yes"
    assert moa_says("runs", "delete", "--all", "--yes", home=place).out == "deleted 1 run\n"
    empty = moa_says("runs", home=place)
    assert (empty.out, empty.err) == ("", "no runs are kept here yet\n")
    assert moa_says("runs", "--json", home=place).out == "[]\n"


def test_a_run_without_its_texts_says_why_it_cannot_be_replayed(home: tuple[Path, Host]) -> None:
    place = home[0]
    moa_says("ask", "secret", "-q", home=place, MOA_STORE__PROMPTS="false")
    run = json.loads(moa_says("runs", "--json", home=place).out)[0]["id"]
    ended = moa_says("runs", "replay", run, home=place)
    assert ended.code == 2
    assert "texts were not kept" in ended.problem


def test_a_run_is_rated_shown_so_and_rated_again(home: tuple[Path, Host]) -> None:
    place = home[0]
    run = json.loads(moa_says("runs", "--json", home=place).out)[0]["id"]
    assert "rated" not in moa_says("runs", "show", run, home=place).out
    assert moa_says("runs", "rate", run[:-3], "wrong", home=place).out == f"rated {run}: wrong\n"
    assert "rated: wrong\n" in moa_says("runs", "show", run, home=place).out
    said = json.loads(moa_says("runs", "rate", run, "--answer", "432", "--json", home=place).out)
    assert said == {"run": run, "right": None, "answer": "432"}
    assert "rated: the right answer is 432\n" in moa_says("runs", "show", run, home=place).out
    told = json.loads(moa_says("runs", "show", run, "--json", home=place).out)
    assert told["rating"] == {"right": None, "answer": "432"}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["x"], "say what the answer is: right or wrong, or --answer"),
        (["x", "good"], "say what the answer is: right or wrong, or --answer"),
        (["x", "right", "--answer", "4"], "say what the answer is: right or wrong, or --answer"),
        (["x", "--answer", " "], "there is no answer in it"),
        (["nobody", "right"], 'no run "nobody" is kept here'),
    ],
)
def test_a_rating_that_cannot_be_kept_is_told(tmp_path: Path, words: list[str], problem: str) -> None:
    said = moa_says("runs", "rate", *words, home=tmp_path)
    assert said.code == 2
    assert problem in said.problem
