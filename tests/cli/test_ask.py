"""`moa ask` with its output piped: the answer alone on stdout, everything else on stderr."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from command import environment, fake_config, moa_says, write_config
from fake_host import Model, host

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def test_only_the_answer_is_on_stdout_and_a_good_run_says_nothing(tmp_path: Path) -> None:
    with host(a=Model("one"), b=Model("two"), judge=Model("It is four.")) as here:
        write_config(tmp_path, here.url, ["a", "b"], "judge")
        ended = moa_says("ask", "What", "is", "2 + 2?", home=tmp_path)
    assert (ended.code, ended.out, ended.err) == (0, "It is four.\n", "")
    assert [body["messages"][-1]["content"] for body in here.asked_of("a")] == ["What is 2 + 2?"]
    assert not any(body.get("stream") for body in here.asked), "nobody watches, so nothing is streamed"


def test_text_piped_in_is_the_question_or_comes_after_it(tmp_path: Path) -> None:
    with host(a=Model("one"), judge=Model("four")) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        moa_says("ask", home=tmp_path, stdin="Wie groß ist π?\n")
        moa_says("ask", "Translate:", home=tmp_path, stdin="Guten Tag\n")
    assert [body["messages"][-1]["content"] for body in here.asked_of("a")] == [
        "Wie groß ist π?",
        "Translate:\n\nGuten Tag",
    ]


def test_files_and_pictures_and_a_system_prompt_go_along(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("a ``` fence\n")
    (tmp_path / "p.png").write_bytes(PNG)
    with host(a=Model("one"), judge=Model("four")) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        flags = ("--file", "notes.md", "--image", "p.png", "--system", "Be brief.")
        assert moa_says("ask", "Sum up", *flags, home=tmp_path).code == 0
    first = here.asked_of("a")[0]["messages"]
    assert first[0] == {"role": "system", "content": "Be brief."}
    text, picture = first[1]["content"]
    assert text["text"] == "Sum up\n\nFile notes.md:\n````\na ``` fence\n````"
    assert picture["image_url"]["url"] == f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


def test_json_is_one_object_with_every_call(tmp_path: Path) -> None:
    with host(a=Model("one"), b=Model(status=400), judge=Model("four\x1b[31m\u202e")) as here:
        write_config(tmp_path, here.url, ["a", "b"], "judge")
        ended = moa_says("ask", "2 + 2?", "--json", home=tmp_path)
        with_texts = json.loads(moa_says("ask", "2 + 2?", "--json", "--show-proposals", home=tmp_path).out)
    assert ended.out.count("\n") == 1
    assert "\u202e" not in ended.out, "escaped, so that nothing is hidden on a terminal either"
    told = json.loads(ended.out)
    assert set(told) == {"answer", "run", "mixture", "seconds", "cost", "usage", "degraded", "notes", "calls"}
    assert (told["answer"], told["mixture"], told["cost"]) == ("four\x1b[31m\u202e", "default", 0)
    assert [(call["agent"], call["role"], call["state"]) for call in told["calls"]] == [
        ("a", "proposer", "done"),
        ("b", "proposer", "failed"),
        ("judge", "aggregator", "done"),
    ]
    assert told["degraded"]
    assert "status 400" in told["calls"][1]["problem"]
    assert "text" not in told["calls"][0]
    assert with_texts["calls"][0]["text"] == "one"


def test_json_tells_how_far_an_ordinary_panel_agreed(tmp_path: Path) -> None:
    with host(a=Model("Answer: 4"), b=Model("4"), c=Model("5"), judge=Model("4")) as here:
        write_config(tmp_path, here.url, ["a", "b", "c"], "judge")
        told = json.loads(moa_says("ask", "2 + 2?", "--json", home=tmp_path).out)
    assert told["agreement"] == {"same_input": pytest.approx(2 / 3), "different_parts": None}


def test_proposals_are_shown_beside_the_answer(tmp_path: Path) -> None:
    with host(a=Model("one"), judge=Model("four")) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        ended = moa_says("ask", "2 + 2?", "--show-proposals", home=tmp_path)
    assert ended.out == "four\n"
    assert "── a ──\none" in ended.err


def test_who_failed_and_why_is_said_in_one_line_unless_quiet(tmp_path: Path) -> None:
    with host(a=Model("one"), b=Model(status=400), judge=Model("four")) as here:
        write_config(tmp_path, here.url, ["a", "b"], "judge")
        ended = moa_says("ask", "2 + 2?", home=tmp_path)
        quiet = moa_says("ask", "2 + 2?", "-q", home=tmp_path)
    assert ended.out == quiet.out == "four\n"
    assert ended.err.count("\n") == 1
    assert "b failed: BadRequest: near:b: status 400" in ended.err
    assert quiet.err == ""


def test_what_a_pipe_gets_is_raw_and_what_stderr_gets_is_harmless(tmp_path: Path) -> None:
    with host(a=Model("\x1b]0;title\x07"), judge=Model("red \x1b[31mred")) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        ended = moa_says("ask", "2 + 2?", "--show-proposals", home=tmp_path)
    assert ended.out == "red \x1b[31mred\n"
    assert "\x1b" not in ended.err
    assert "\\x1b]0;title\\x07" in ended.err


def test_no_answer_is_exit_code_1_and_names_the_reason(tmp_path: Path) -> None:
    with host(a=Model(status=401), judge=Model(status=401)) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        ended = moa_says("ask", "2 + 2?", home=tmp_path)
    assert (ended.code, ended.out) == (1, "")
    assert "AuthFailed: near:a" in ended.problem


def test_a_question_dearer_than_allowed_is_exit_code_3_and_nothing_is_sent(tmp_path: Path) -> None:
    with host(a=Model("one"), judge=Model("four")) as here:
        prices = '[prices."near:a"]\ninput = 1.0\noutput = 1.0\n[prices."near:judge"]\ninput = 1.0\noutput = 1.0\n'
        write_config(tmp_path, here.url, ["a"], "judge", rest=prices)
        ended = moa_says("ask", "2 + 2?", "--max-cost", "0.0001", home=tmp_path)
        enough = moa_says("ask", "2 + 2?", "--max-cost", "1", home=tmp_path)
    assert (ended.code, ended.out) == (3, "")
    assert "more than $0.0001" in ended.problem
    assert enough.code == 0
    assert len(here.asked) == 2


def test_no_answer_by_the_deadline_is_exit_code_4(tmp_path: Path) -> None:
    with host(a=Model(hang=True), judge=Model(hang=True)) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        ended = moa_says("ask", "2 + 2?", "--deadline", "0.5", home=tmp_path)
    assert (ended.code, ended.out) == (4, "")
    assert "deadline" in ended.problem


def test_no_store_keeps_nothing(tmp_path: Path) -> None:
    fake_config(tmp_path)
    assert moa_says("ask", "hello", "--no-store", home=tmp_path).code == 0
    assert not list(tmp_path.rglob("runs.db"))


def test_an_answer_is_not_lost_where_the_run_cannot_be_kept(tmp_path: Path) -> None:
    fake_config(tmp_path)
    ended = moa_says("ask", "hello", home=tmp_path, MOA_STORE__PATH=str(tmp_path / "moa.toml" / "runs.db"))
    assert ended.code == 0
    assert ended.out.startswith("hello")
    told = sorted(ended.err.splitlines())
    assert ["runs.db" in line for line in told] == [True, False], "that of the runs, and the ledger"
    assert all(line.startswith("moa: ") for line in told)
    assert "--no-store" in told[0]
    quiet = moa_says(
        "ask", "hello", "--no-store", home=tmp_path, MOA_STORE__PATH=str(tmp_path / "moa.toml" / "runs.db")
    )
    assert (quiet.code, quiet.err) == (0, "")


def test_with_nothing_configured_the_embedded_models_answer_and_say_how_to_connect_a_real_one(tmp_path: Path) -> None:
    ended = moa_says("ask", "What is 3 + 4?", home=tmp_path)
    assert ended.code == 0
    assert ended.out.strip()
    assert ended.err.count("\n") == 1
    assert "OPENROUTER_API_KEY" in ended.err
    assert "moa models" in ended.err
    named = moa_says("ask", "What is 3 + 4?", "-m", "builtin", home=tmp_path)
    assert named.out.strip()
    assert named.err == "", "who asks for them by name knows"


def test_the_first_use_of_what_was_found_says_what_was_chosen_and_what_it_costs(tmp_path: Path) -> None:
    with host(**{"llama-70b": Model("four")}) as here:
        first = moa_says("ask", "2 + 2?", home=tmp_path, OLLAMA_BASE_URL=here.url)
        again = moa_says("ask", "2 + 2?", home=tmp_path, OLLAMA_BASE_URL=here.url)
    with host(**{"llama-70b": Model("four"), "qwen-30b": Model("4")}) as here:
        changed = moa_says("ask", "2 + 2?", home=tmp_path, OLLAMA_BASE_URL=here.url)
    assert [ended.out for ended in (first, again, changed)] == ["four\n"] * 3
    assert "ollama:llama-70b" in first.err
    assert "at most $0" in first.err
    assert "moa init" in first.err
    assert again.err == ""
    assert "ollama:qwen-30b" in changed.err


def test_a_recording_answers_and_nothing_is_sent(tmp_path: Path) -> None:
    with host(a=Model("one"), judge=Model("It is four.")) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        moa_says("ask", "2 + 2?", home=tmp_path)
        sent = len(here.asked)
        (tmp_path / "r.jsonl").write_text(moa_says("runs", "export", "--format", "recording", home=tmp_path).out)
        ended = moa_says("ask", "2 + 2?", "--replay", "r.jsonl", home=tmp_path)
        other = moa_says("ask", "3 + 3?", "--replay", "r.jsonl", home=tmp_path)
        assert len(here.asked) == sent
    assert (ended.code, ended.out, ended.err) == (0, "It is four.\n", "")
    assert other.code == 1
    assert "conversation differs" in other.problem


def test_a_reader_that_goes_away_is_met_with_silence(tmp_path: Path) -> None:
    fake_config(tmp_path)
    reader, writer = socket.socketpair()
    reader.close()
    process = subprocess.run(
        [sys.executable, "-m", "moa", "ask", "hello"],
        cwd=tmp_path, env=environment(tmp_path), stdin=subprocess.DEVNULL, stdout=writer.fileno(), stderr=subprocess.PIPE,
    )  # fmt: skip
    writer.close()
    assert (process.returncode, process.stderr) == (141, b"")


def test_named_parts_are_given_as_text_or_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "labs.txt").write_text("K 6.8\n")
    (tmp_path / "p.png").write_bytes(PNG)
    with host(a=Model("one"), judge=Model("four")) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        flags = ("--part", "labs=@labs.txt", "--part", "history=a = b", "--part", "scan=@p.png")
        ended = moa_says("ask", "Urgent?", *flags, "--json", home=tmp_path)
    assert ended.code == 0, ended.err
    content = here.asked_of("a")[0]["messages"][0]["content"]
    texts = [part["text"] for part in content if part["type"] == "text"]
    assert texts == ["Urgent?", "\n\nlabs:\nK 6.8\n", "\n\nhistory:\na = b", "\n\nscan:\n"]
    assert content[-1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert json.loads(ended.out)["calls"][0]["saw"] == ["labs", "history", "scan"]
    shown = moa_says("runs", "show", json.loads(ended.out)["run"], home=tmp_path).out
    assert "labs:\nK 6.8" in shown
    assert "saw labs, history, scan" in shown


def test_it_is_told_on_demand_on_whom_the_answer_hangs(tmp_path: Path) -> None:
    with host(a=Model("5"), b=Model("4"), judge=Model("Answer: 4")) as here:
        write_config(tmp_path, here.url, ["a", "b"], "judge")
        ended = moa_says("ask", "2 + 2?", "--leave-one-out", home=tmp_path)
        solo = moa_says("ask", "2 + 2?", "--leave-one-out", "--solo", home=tmp_path)
    assert ended.out == "Answer: 4\n"
    assert "leave one out: without a or b it is the same" in ended.err
    assert len(here.asked_of("judge")) == 3
    assert "leave_one_out: one agent answers" in solo.problem


def test_agreement_is_of_answers_of_the_mixtures_kind(tmp_path: Path) -> None:
    with host(a=Model("It is (B), I think."), b=Model("(B) for sure."), judge=Model("B")) as here:
        write_config(tmp_path, here.url, ["a", "b"], "judge")
        flags = ("ask", "Urgent?", "--part", "labs=K 6.8", "--json")
        plain = moa_says(*flags, home=tmp_path)
        choice = moa_says(*flags, home=tmp_path, MOA_MIXTURES__DEFAULT__ANSWERS="choice")
    told = [json.loads(one.out)["agreement"]["same_input"] for one in (plain, choice)]
    assert told == [0.5, 1.0]


def test_what_is_no_part_is_told(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    told = {
        "labs": "write --part NAME=TEXT",
        "labs=": "it is empty",
        "question=x": "what all agents see",
        "a/b=x": "names no part",
        "labs=@missing": "cannot be read",
        "labs=@bytes": "not UTF-8 text",
    }
    for part, words in told.items():
        ended = moa_says("ask", "hi", "--part", part, "--no-store", home=tmp_path)
        assert (ended.code, ended.out) == (2, ""), part
        assert words in ended.err
        assert ended.err.count("\n") == 1


def test_how_much_works_and_by_which_tag_is_said_with_the_question(tmp_path: Path) -> None:
    fake_config(
        tmp_path, '[mixtures.m]\nproposers = ["a", "b"]\naggregator = "judge"\nroutes = [{ to = "b", tag = "legal" }]\n'
    )

    def who(*words: str) -> list[str]:
        told = json.loads(moa_says("ask", "-m", "m", "hi", "--json", "--no-store", *words, home=tmp_path).out)
        return [call["agent"] for call in told["calls"]]

    assert who() == who("--tag", "other") == ["a", "b", "judge"]
    assert who("--solo") == ["judge"]
    assert who("--auto") == ["a", "b"]
    assert who("--tag", "legal") == ["b"]
    both = moa_says("ask", "-m", "m", "hi", "--solo", "--auto", home=tmp_path)
    assert (both.code, "exclude each other" in both.problem) == (2, True)
    assert "calls: 2 to 5" in moa_says("show", "m", "--auto", home=tmp_path).out
    assert "calls: 1" in moa_says("show", "m", "--tag", "legal", home=tmp_path).out
