"""`benchmarks/methods.py` on files, models and rows that are not as it knows them: what is missing is said, and stops nothing."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy", reason="the benchmark of methods needs mixture-of-agents[eval]")

from benchmarks import methods
from benchmarks._recorded import of_pool, read, texts_of

from moa.core.types import Reply
from moa.flows.vote import plurality


def rows(count: int, **also: Any) -> list[dict[str, Any]]:
    """Questions of one id, which three models answer; `a` is right two times of three, `c` is missing in every fourth."""
    return [
        {
            "qid": 0,
            "question": f"question {n}",
            "models": {
                name: {"ans": str([n, right]), "ok": right}
                for name, right in (("a", int(n % 3 > 0)), ("b", int(n % 2)), ("c", 1))
                if name != "c" or n % 4
            },
        }
        | also
        for n in range(count)
    ]


def written(folder: Path, name: str, lines: list[Any]) -> None:
    text = "".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in lines)
    (folder / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    monkeypatch.setattr(methods, "RESAMPLES", 40)
    monkeypatch.setattr(sys, "argv", ["methods.py", *words])
    assert methods.main() == 0
    return capsys.readouterr().out


def test_a_model_that_is_missing_in_a_row_is_wrong_there_and_equal_ids_are_different_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, "odd.jsonl.gz", rows(60))
    said = run(monkeypatch, capsys, "--data", str(tmp_path), "--pool", "odd:a,b,c,c")
    assert "c is missing in 15 of 60 rows, and wrong there" in said
    assert "best single                75.0" in said
    assert "the best is asked on" in said
    assert "no vote there" not in said


def test_who_is_right_without_an_answer_is_told_to_have_no_vote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    graded = rows(60)
    for row in graded[1:30:3]:
        del row["models"]["a"]["ans"]
    written(tmp_path, "odd.jsonl", graded)
    assert "a is right without an answer in 10 rows, and has no vote there" in run(
        monkeypatch, capsys, "--data", str(tmp_path)
    )


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (rows(3), "records: what votes are worth is learnt from 20 or more"),
        ([{"prompt": f"q{n}", "weak_ok": n % 2, "strong_ok": 1} for n in range(40)], "no answers are recorded"),
        ([{"task": f"t{n % 2}", "question": "q", "scores": {"x": 0.5, "y": None}} for n in range(40)], "router by category"),
        (["{no json\n", "[1]\n", *rows(30)], "2 lines grade no model, line 1 among them"),
        (["\n", {"judge": "x", "verdict": 1}], "no model is graded there"),
        ([{"question": "q", "models": {"a": {"ans": None, "ok": 0}, "b": {"ok": "yes"}}}], "oracle"),
    ],
)  # fmt: skip
def test_files_of_any_shape_and_length_are_run_or_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], lines: list[Any], words: str
) -> None:
    written(tmp_path, "strange.jsonl", lines)
    said = run(monkeypatch, capsys, "--data", str(tmp_path))
    assert words in said


def test_a_file_whose_known_models_are_gone_is_run_with_those_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, "zeroeval_gsm.jsonl.gz", rows(40))
    written(tmp_path, "cut.jsonl", [])
    (tmp_path / "cut.jsonl").write_bytes(gzip.compress(b"x" * 9999)[:20])
    said = run(monkeypatch, capsys, "--data", str(tmp_path))
    assert said.count("plurality") == 1
    assert "gsm.small6.percent" not in said
    assert "cut cannot be read" in said


def test_the_vote_of_the_library_is_the_plurality_of_the_table_on_values_of_python(tmp_path: Path) -> None:
    answers = ("'a'", '"A"', "'A'", "[1, 2]", "[1,2]", "[1, 2.0]")
    row = {"question": "q", "models": {str(n): {"ans": answer, "ok": 0} for n, answer in enumerate(answers)}}
    written(tmp_path, "crux.jsonl", [row])
    (record,), _ = of_pool(read(tmp_path, "crux"), [str(n) for n in range(6)])
    chosen = methods.plurality([], [record], list(record.answers))[0][0]
    flow = plurality(tuple(Reply(answer, agent=str(n)) for n, answer in enumerate(answers)), "literal")
    assert chosen == flow.agent == "3"
    assert methods.early([], [record], list(record.answers)) == [("3", 6.0)]


def test_texts_go_by_the_keys_of_the_records(tmp_path: Path) -> None:
    written(tmp_path, "texts.jsonl", [{"qid": 7, "models": {"a": {"out": "x", "ans": "x", "ok": 1}}}] * 2)
    assert list(texts_of(tmp_path, "texts")) == [record.key for record in read(tmp_path, "texts").records] == ["0", "1"]
