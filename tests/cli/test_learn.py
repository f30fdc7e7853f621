"""`moa learn`: from a file of graded questions to a file that a mixture names, and what is told where that cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from cli.command import moa_says
from moa import Agent, Mixture
from moa.providers.fake import Fake
from moa.stores.rating import Rating
from moa.stores.sqlite import Sqlite

pytest.importorskip("numpy", reason="weights and pools are fitted with numpy: mixture-of-agents[eval]")


def records(folder: Path, count: int = 200) -> None:
    """Questions of cities, which "a" knows and "b" does not, and of sums, where it is the other way round; "c" is half right."""
    rng, lines = Random(1), []
    for number in range(count):
        city = number % 5 < 3
        right = {"a": city, "b": not city, "c": rng.random() < 0.5}
        agents = {name: {"answer": "42" if is_right else f"{number}", "right": int(is_right), "cost": 0.01, "seconds": 2}
                  for name, is_right in right.items()}  # fmt: skip
        question = f"Which city is number {number}?" if city else f"How much is {number} and {number}?"
        lines.append(json.dumps({"question": question, "agents": agents, "id": str(number)}))
    (folder / "records.jsonl").write_text("\n".join(lines) + "\n")


AGENTS = '[agents]\na = { model = "fake:a" }\nb = { model = "fake:b" }\nc = { model = "fake:c" }\n'


def test_a_router_is_learnt_and_used(tmp_path: Path) -> None:
    records(tmp_path)
    learnt = moa_says("learn", "router", "records.jsonl", "--out", "router.json", home=tmp_path)
    assert (learnt.code, learnt.out) == (0, "")
    assert "of 200 questions; +" in learnt.err
    assert "points over a alone" in learnt.err
    assert "which is significant" in learnt.err
    assert json.loads((tmp_path / "router.json").read_text())["version"] == 1
    (tmp_path / "moa.toml").write_text(AGENTS + '[mixtures.m]\nrouter = "router.json"\n')
    for question, who in (("Which city is it?", "a"), ("How much is it?", "b")):
        told = json.loads(moa_says("ask", question, "--json", "--no-store", home=tmp_path).out)
        assert [call["agent"] for call in told["calls"]] == [who]
    assert "calls: 1" in moa_says("show", "m", home=tmp_path).out


def test_weights_are_learnt_and_used(tmp_path: Path) -> None:
    records(tmp_path)
    how = ["--out", "w.json", "--agent", "a", "--agent", "c", "--answers", "number"]
    learnt = moa_says("learn", "weights", "records.jsonl", *how, home=tmp_path)
    assert (learnt.code, learnt.out) == (0, "")
    assert "what a vote is worth: a " in learnt.err
    assert set(json.loads((tmp_path / "w.json").read_text())["of"]) == {"a", "c"}
    (tmp_path / "moa.toml").write_text(
        AGENTS + '[mixtures.m]\nproposers = ["a", "c"]\ncombine = "vote"\nweights = "w.json"\n'
    )
    assert moa_says("ask", "hi", "--no-store", "-q", home=tmp_path).out == "hi\n"


@pytest.mark.parametrize("write", [str, float])
def test_a_pool_is_learnt_of_probabilities_as_texts_or_numbers(
    tmp_path: Path, write: Callable[[float], str | float]
) -> None:
    lines = ({"agents": {"a": {"answer": write(n % 10 / 10)}}, "happened": n % 10 > 4} for n in range(100))
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    learnt = moa_says("learn", "pool", "cases.jsonl", "--out", "p.json", home=tmp_path)
    assert (learnt.code, learnt.out) == (0, "")
    assert json.loads((tmp_path / "p.json").read_text())["slope"] > 1.0


ROW = '{"question": "q", "agents": {"a": {"right": 1}, "b": {"right": 0}}}'
CASE = '{"agents": {"a": {"answer": "0.5"}}, "happened": true}'


@pytest.mark.parametrize(
    ("words", "text", "problem"),
    [
        (["router"], None, "records.jsonl: cannot be read: No such file"),
        (["router"], "\n", "records.jsonl: there is no record in it"),
        (["router"], ROW + "\n{", "records.jsonl:2: Input data was truncated"),
        (["router"], ROW.replace('"right": 1', '"right": 3'), "records.jsonl:1: Expected `float` <= 1.0 - at `$.agents"),
        (["router"], ROW.replace('"right": 1', '"rigth": 1'), "unknown field `rigth`"),
        (["router"], ROW + "\n" + ROW.replace('"b"', '"c"'), "records.jsonl:2: b is not among the agents"),
        (["router"], ROW.replace('"right": 1', '"answer": "x"'), "records.jsonl:1: a has no right"),
        (["router", "--agent", "z"], ROW, "records.jsonl:1: z is not among the agents"),
        (["router", "--clusters", "3"], ROW, "--clusters: clusters are of embeddings"),
        (["router", "--embedder", "fake:e"], ROW, "fake:e gave no JSON list of numbers"),
        (["weights", "--answers", "colour"], ROW, "--answers colour: take auto"),
        (["pool"], ROW, "records.jsonl:1: happened is missing"),
        (["pool"], CASE.replace("0.5", "who knows"), "records.jsonl: 0 cases with a probability among the answers"),
        (["pool"], CASE, "records.jsonl: 1 cases with a probability among the answers, in 1 of which it happened"),
        (["weights"], ROW, "records.jsonl: no record has an answer"),
        (["weights"], ROW.replace('"right": 1', '"right": 1, "answer": "x"'), "records.jsonl: 1 records: what votes are"),
        (["router", "--cost-weight", "inf"], ROW, "--cost-weight inf: take a finite number"),
        (["router", "--cost-weight", "nan"], ROW, "--cost-weight"),
        (["router", "--cost-weight", "5"], ROW.replace('"right": 1', '"right": 1, "cost": 1'), "b has no cost at 'q'"),
        (["router", "--latency-weight", "5"], ROW, "a has no seconds at 'q'"),
        (["pool"], CASE.replace('"0.5"', "73"), "records.jsonl:1: a answers 73, which is no probability"),
        (["router", "--latency-weight", "inf"], ROW, "--latency-weight inf: take a finite number"),
        (["pool", "--kind", "odd"], ROW, "--kind odd: take log or linear"),
    ],
)  # fmt: skip
def test_what_cannot_be_learnt_from_is_told_with_its_place(
    tmp_path: Path, words: list[str], text: str | None, problem: str
) -> None:
    if text is not None:
        (tmp_path / "records.jsonl").write_text(text)
    said = moa_says("learn", *words, "records.jsonl", "--out", "out.json", home=tmp_path)
    assert said.code == 2
    assert problem in said.problem
    assert not (tmp_path / "out.json").exists()


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_text(ROW)
    said = moa_says("learn", "router", "records.jsonl", "--out", "no/such/folder.json", home=tmp_path)
    assert (said.code, "--out no/such/folder.json: cannot be written" in said.problem) == (2, True)


def rated_runs(folder: Path, count: int) -> None:
    """So many runs of "a" and "b", of whom "a" knows cities and "b" sums, each rated by its right answer."""
    panel = [Agent(f"fake:{name}", name=name) for name in ("a", "b")]
    store = Sqlite(folder / "runs.db")
    for number in range(count):
        city = number % 2 == 0
        fake = Fake({"a": "right" if city else "no", "b": "no" if city else "right", "judge": "no"})
        mixture = Mixture([panel], Agent("fake:judge", name="judge"), providers={"fake": fake}, sinks=[store.add])
        question = f"Which city is number {number}?" if city else f"How much is {number} and {number}?"
        store.rate(mixture.ask_sync(question).view.run, Rating(answer="Right."))
    store.close()
    (folder / "moa.toml").write_text('[store]\npath = "runs.db"\n')


def test_a_router_and_weights_are_learnt_from_rated_runs(tmp_path: Path) -> None:
    rated_runs(tmp_path, 40)
    learnt = moa_says("learn", "router", "--runs", "--out", "router.json", home=tmp_path)
    assert (learnt.code, learnt.out) == (0, "")
    assert "of 40 questions; +" in learnt.err
    assert "which is significant" in learnt.err
    (tmp_path / "moa.toml").write_text(AGENTS + '[mixtures.m]\nrouter = "router.json"\n')
    for question, who in (("Which city is it?", "a"), ("How much is it?", "b")):
        told = json.loads(moa_says("ask", question, "--json", "--no-store", home=tmp_path).out)
        assert [call["agent"] for call in told["calls"]] == [who]
    (tmp_path / "moa.toml").write_text('[store]\npath = "runs.db"\n')
    assert moa_says("learn", "weights", "--runs", "--out", "w.json", home=tmp_path).code == 0
    assert set(json.loads((tmp_path / "w.json").read_text())["of"]) == {"a", "b"}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["router", "--runs"], "--runs: 3 rated runs tell of a, b, 10 at least are needed; `moa runs rate ID"),
        (["router", "--runs", "records.jsonl"], "learn from one of the two: a file of records, or --runs"),
        (["weights"], "learn from one of the two: a file of records, or --runs"),
        (["pool", "--runs"], "a pool is of probabilities"),
    ],
)
def test_what_cannot_be_learnt_from_runs_is_told(tmp_path: Path, words: list[str], problem: str) -> None:
    rated_runs(tmp_path, 3)
    said = moa_says("learn", *words, "--out", "out.json", home=tmp_path)
    assert said.code == 2
    assert problem in said.problem


def test_where_no_run_is_rated_it_is_told_how(tmp_path: Path) -> None:
    said = moa_says("learn", "router", "--runs", "--out", "out.json", home=tmp_path)
    assert said.code == 2
    assert "--runs: 0 rated runs, 10 at least are needed; `moa runs rate ID --answer ANSWER` rates one" in said.problem


@pytest.mark.parametrize("what", ["weights", "router", "pool"])
def test_the_records_are_not_written_over(tmp_path: Path, what: str) -> None:
    records(tmp_path)
    before = (tmp_path / "records.jsonl").read_text()
    said = moa_says("learn", what, "records.jsonl", "--out", "./records.jsonl", home=tmp_path)
    assert (said.code, "these are the records; name another file" in said.problem) == (2, True)
    assert (tmp_path / "records.jsonl").read_text() == before
