"""`benchmarks/parts.py` on made-up answers whose figures are known; a figure that could not be had falls short."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy", reason="the benchmark of parts needs mixture-of-agents[eval]")

from benchmarks import methods, parts

ROWS = 200


def said(n: int, place: int, models: int) -> str:
    """Two models in turn are wrong, each in a way of its own; in every eighth question two say the same that is wrong, and stand
    before the two who are right."""
    if n % 8 == 0:
        return "yes" if place in (2, 3) else "no" if place < 2 else f"perhaps {place}"
    return f"no idea {place}" if place in (n % models, (n + 1) % models) else "yes"


def written(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def answered(models: tuple[str, ...]) -> list[dict[str, Any]]:
    """Questions whose right answer is "yes"."""
    answers = [{name: said(n, place, len(models)) for place, name in enumerate(models)} for n in range(ROWS)]
    return [
        {"question": f"q{n}", "models": {name: {"ans": ans, "ok": int(ans == "yes")} for name, ans in one.items()}}
        for n, one in enumerate(answers)
    ]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, models in (("mmlu_pro", methods.MID5), ("zeroeval_gsm", methods.SMALL6)):
        written(tmp_path, name, answered(models))
    scores = ({"x": 1 - n % 2, "y": n % 2} for n in range(ROWS))
    written(
        tmp_path,
        "llmrouter9",
        [{"task": f"t{n % 2}", "question": f"q{n}", "scores": one} for n, one in enumerate(scores)],
    )
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, data: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit status, and the JSON."""
    monkeypatch.setattr(methods, "RESAMPLES", 40)
    monkeypatch.setattr(sys, "argv", ["parts.py", "--data", str(data), "--check", "--json", str(data / "out"), *words])
    status = parts.main()
    return status, json.loads((data / "out").read_text())


RECORDED = ("--only", "pool", "--only", "fields", "--only", "classifier", "--only", "leave_one_out")


def test_what_is_known_of_the_answers_is_what_is_measured(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, found = run(monkeypatch, data, *RECORDED)
    assert status == 0
    assert len(found["figures"]) == len([bar for bar in parts.BARS if bar[0] != "views"])
    rows = {name: table["rows"] for name, table in found["parts"].items()}

    pool = rows["pool"]
    assert pool["log pool, learnt"]["Brier"] < pool["plain mean"]["Brier"] < pool["base rate"]["Brier"]

    fields = rows["fields.mmlu_pro.mid5"]
    assert fields["fields"]["fields right"] == pytest.approx(87.5, abs=2)  # all but every eighth
    assert fields["best single"]["fields right"] < 82
    assert fields["whole forms"]["fields right"] < fields["fields"]["fields right"] - 2
    assert fields["fields, with gaps"]["fields right"] == pytest.approx(87.5, abs=2)  # who says nothing outvotes nobody

    sorted_by = rows["classifier"]
    assert (sorted_by["always right"]["right"], sorted_by["always right"]["calls"]) == (100, 2)
    assert (
        40 < sorted_by["right in 50%, else another"]["right"] < 60 < sorted_by["right in 50%, else none"]["right"] < 90
    )

    hangs = rows["leave_one_out.mmlu_pro.mid5"]["hangs on one proposal"]
    assert (hangs["of all"], hangs["right there"], hangs["elsewhere"]) == (12.5, 0, 100)
    assert "0 more calls, with an aggregator 5" in found["parts"]["leave_one_out.mmlu_pro.mid5"]["title"]


@pytest.mark.parametrize("file", ["mmlu_pro", "zeroeval_gsm", "llmrouter9"])
def test_without_a_file_its_figures_fall_short_and_the_others_stand(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    (data / f"{file}.jsonl").unlink()
    status, found = run(monkeypatch, data, *RECORDED)
    gone = {figure["name"] for figure in found["figures"] if figure["value"] is None}
    assert status == 1
    assert 0 < len(gone) < len(found["figures"])
    assert f"{file} cannot be read" in capsys.readouterr().out


def test_labels_dealt_out_by_chance_teach_a_pool_nothing(data: Path) -> None:
    from benchmarks._recorded import of_pool, read, shuffled
    from benchmarks._witnesses import pooled

    records, _ = of_pool(read(data, "mmlu_pro"), methods.MID5)
    rows, many = pooled(shuffled(records), methods.MID5, 0)
    base, learnt = rows["base rate"]["Brier"], rows["log pool, learnt"]["Brier"]
    assert many == ROWS
    assert isinstance(base, float)
    assert isinstance(learnt, float)
    assert learnt > base - 0.01


def test_views_are_measured_on_the_models_that_ship(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xllamacpp", reason="the models that ship need moa[local]")
    status, found = run(monkeypatch, data, "--only", "views", "--tasks", "8")
    views = found["parts"]["views"]["rows"]
    assert status == 0
    assert views["a view each"]["right"] > views["all parts"]["right"]
    assert views["a view each"]["tokens of a prompt"] < views["all parts"]["tokens of a prompt"] / 2


def test_where_the_models_that_ship_cannot_run_views_are_left_out_with_the_reason(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    status, found = run(monkeypatch, data, "--only", "views")
    assert (status, found["parts"]) == (0, {})
    assert "views: the models that ship need" in capsys.readouterr().out
    assert [figure["value"] for figure in found["figures"]] == [None]
