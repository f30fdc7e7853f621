"""`moa ask` on a terminal: a line per agent, then the answer as it comes, then one line about the run."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from command import moa_says, terminal, write_config
from fake_host import Model, host

LONG = Model("The answer is four , and four it stays .", delay=0.3, interval=0.15)


def test_each_agent_has_a_line_and_the_answer_comes_as_it_is_written(tmp_path: Path) -> None:
    with host(a=Model("I think four", delay=0.3, interval=0.1), b=Model(status=400), judge=LONG) as here:
        write_config(tmp_path, here.url, ["a", "b"], "judge")
        with terminal("ask", "2 + 2?", home=tmp_path) as screen:
            seen = screen.until("\nThe ")
            assert screen.end() == 0
    assert seen - here.first_word["judge"] < 0.5
    assert seen < here.last_word["judge"] - 0.5, "the first word was on the screen long before the last was written"
    for words in ("a       thinking", "a       writing", "b       failed", "judge   writing"):
        assert " ".join(words.split()) in " ".join(screen.text.split()), words
    assert screen.text.count("The answer is four , and four it stays .\n") == 1
    last = screen.text.splitlines()[-1]
    assert "3 calls" in last
    assert "b failed: BadRequest" in last
    assert json.loads(moa_says("runs", "--json", home=tmp_path).out)[0]["id"] in last


def test_there_are_at_most_ten_frames_a_second_and_the_clock_ticks(tmp_path: Path) -> None:
    with host(a=Model("four", delay=1.5), judge=Model("four")) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        with terminal("ask", "2 + 2?", home=tmp_path) as screen:
            assert screen.end() == 0
    ticks = {f"thinking 0.{tenth} s" for tenth in range(10)}
    drawn = " ".join(screen.text.split())
    assert sum(tick in drawn for tick in ticks) >= 5
    assert screen.text.count("thinking") <= 22


def test_control_characters_in_an_answer_cannot_draw_on_a_terminal(tmp_path: Path) -> None:
    evil = "before \x1b[2J\x1b]0;gotcha\x07 \x9b31m \u202eback after"
    with host(a=Model("four"), judge=Model(evil)) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        with terminal("ask", "2 + 2?", home=tmp_path) as screen:
            assert screen.end() == 0
    assert "before \\x1b[2J\\x1b]0;gotcha\\x07 \\x9b31m \\u202eback after" in screen.raw
    assert "\x1b[2J" not in screen.raw
    assert "\x07" not in screen.raw


def test_piped_on_a_terminal_the_view_is_on_stderr_and_the_answer_in_the_pipe(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with host(a=Model("four", delay=0.3), judge=Model("It is four.")) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        with terminal("ask", "2 + 2?", home=tmp_path, out=writer) as screen:
            os.close(writer)
            assert screen.end() == 0
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b"It is four.\n"
    assert "thinking" in screen.text
    assert "2 calls" in screen.text.splitlines()[-1]


def test_no_colour_and_quiet_are_respected(tmp_path: Path) -> None:
    with host(a=Model("four"), judge=Model("It is four.")) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        with terminal("ask", "2 + 2?", home=tmp_path, NO_COLOR="1") as screen:
            assert screen.end() == 0
        with terminal("ask", "2 + 2?", "-q", home=tmp_path) as quiet:
            assert quiet.end() == 0
    assert "\x1b[3" not in screen.raw
    assert "\x1b[2m" not in screen.raw
    assert quiet.raw == "It is four.\r\n"


def test_where_what_was_streamed_is_not_the_answer_the_answer_is_printed(tmp_path: Path) -> None:
    with host(a=Model("I say four."), judge=Model("It is fi ve", interval=0.05, cut=3)) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        with terminal("ask", "2 + 2?", home=tmp_path) as screen:
            assert screen.end() == 0
    lines = screen.text.splitlines()
    said = next(number for number, line in enumerate(lines) if "was replaced" in line)
    assert lines[said - 1] == "It is fi"
    assert lines[said + 1] == "I say four."
    assert "fallback" in lines[-1]


def test_ctrl_c_ends_with_130_and_leaves_a_failed_run_in_the_store(tmp_path: Path) -> None:
    with host(a=Model(hang=True), judge=Model("four")) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        with terminal("ask", "2 + 2?", home=tmp_path) as screen:
            screen.until("thinking")
            screen.interrupt()
            assert screen.end() == 130
    assert screen.text.splitlines()[-1] == "moa: stopped"
    assert "Traceback" not in screen.text
    (run,) = json.loads(moa_says("runs", "--json", home=tmp_path).out)
    assert run["state"] == "failed"
    events = json.loads(moa_says("runs", "show", run["id"], "--events", "--json", home=tmp_path).out)["events"]
    assert [event["kind"] for event in events][-3:] == ["call_cancelled", "step_finished", "run_failed"]
    assert events[-1]["failure"]["kind"] == "CancelledError"


def test_sigterm_ends_a_run_as_ctrl_c_does(tmp_path: Path) -> None:
    with host(a=Model(hang=True), judge=Model("four")) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        with terminal("ask", "2 + 2?", home=tmp_path) as screen:
            screen.until("thinking")
            screen.process.terminate()
            assert screen.end() == 143
    (run,) = json.loads(moa_says("runs", "--json", home=tmp_path).out)
    assert run["state"] == "failed"


def test_sigterm_ends_a_run_that_a_script_started_in_the_background(tmp_path: Path) -> None:
    with host(a=Model(hang=True), judge=Model("four")) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        heard = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell's `&` hands it down
        try:
            with terminal("ask", "2 + 2?", home=tmp_path) as screen:
                screen.until("thinking")
                screen.interrupt()
                screen.process.terminate()
                assert screen.end() == 143
        finally:
            signal.signal(signal.SIGINT, heard)
    (run,) = json.loads(moa_says("runs", "--json", home=tmp_path).out)
    assert run["state"] == "failed"


def test_ctrl_c_in_the_middle_of_the_answer_begins_a_new_line(tmp_path: Path) -> None:
    with host(a=Model("four"), judge=Model("It is " * 100, interval=0.05)) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        with terminal("ask", "2 + 2?", home=tmp_path) as screen:
            screen.until("It is It")
            screen.interrupt()
            assert screen.end() == 130
    assert screen.text.splitlines()[-1] == "moa: stopped"
