"""`moa chat`: turns, history, commands; on a terminal and piped in."""

from __future__ import annotations

import json
from pathlib import Path

from command import moa_says, terminal, write_config
from fake_host import Host, Model, host


def _turns(here: Host, model: str = "a") -> list[list[str]]:
    return [[message["content"] for message in body["messages"]] for body in here.asked_of(model)]


def test_each_line_piped_in_is_a_turn_and_history_is_kept(tmp_path: Path) -> None:
    with host(a=Model("one"), judge=Model("two")) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        ended = moa_says(
            "chat", "--system", "Be brief.", home=tmp_path, stdin="first\n\nsecond\n/reset\nthird\n/exit\nno"
        )
    assert (ended.code, ended.out) == (0, "two\ntwo\ntwo\n")
    assert _turns(here) == [
        ["Be brief.", "first"],
        ["Be brief.", "first", "two", "second"],
        ["Be brief.", "third"],
    ]


def test_named_parts_go_with_the_first_turn_and_are_seen_by_views_in_all_of_the_talk(tmp_path: Path) -> None:
    (tmp_path / "labs.txt").write_text("K 6.8")
    flags = ("--part", "labs=@labs.txt", "--part", "history=Tired.")
    with host(a=Model("one"), judge=Model("two")) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        config = tmp_path / "moa.toml"
        config.write_text(config.read_text().replace('"near:a"\n', '"near:a"\nview = ["labs"]\n'))
        ended = moa_says("chat", *flags, home=tmp_path, stdin="first\nsecond\n/reset\nthird\n")
    assert (ended.code, ended.out) == (0, "two\ntwo\ntwo\n")
    seen = "\n\nlabs:\nK 6.8"
    shown = [turn[1:] for turn in _turns(here)]  # behind the prompt, which says that it sees only a part
    assert shown == [["first" + seen], ["first" + seen, "two", "second"], ["third" + seen]]
    unseen = "\n\nhistory:\nTired."
    begun = [turn[0].partition("\n\n")[0] for turn in _turns(here, "judge") if turn[0].find(seen + unseen) > 0]
    assert begun == ["first", "first", "third"]


def test_a_part_of_a_talk_that_is_none_is_told_before_it_begins(tmp_path: Path) -> None:
    ended = moa_says("chat", "--part", "labs", "--no-store", home=tmp_path, stdin="first\n")
    assert (ended.code, ended.out) == (2, "")
    assert "write --part NAME=TEXT" in ended.err


def test_a_failed_turn_leaves_the_history_as_it_was(tmp_path: Path) -> None:
    with host(a=Model("one"), judge=Model("two")) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        picture = tmp_path / "p.gif"
        picture.write_bytes(b"GIF89a....")
        here.models = dict(here.models) | {"judge": Model(status=400), "a": Model(status=400)}
        failed = moa_says("chat", "--image", "p.gif", home=tmp_path, stdin="first\nsecond\n")
    assert (failed.code, failed.out) == (1, "")
    assert failed.err.count("moa: no answer: ") == 2
    assert [len(turn) for turn in _turns(here)] == [1, 1], "nothing was added to the history"
    assert all(len(turn[0]) == 2 for turn in _turns(here)), "the picture goes with the first turn that is answered"


def test_json_is_one_object_a_turn(tmp_path: Path) -> None:
    with host(a=Model("one"), judge=Model("two")) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        ended = moa_says("chat", "--json", home=tmp_path, stdin="first\nsecond\n")
    assert [json.loads(line)["answer"] for line in ended.out.splitlines()] == ["two", "two"]
    assert ended.err == ""


def test_ctrl_c_stops_the_answer_and_not_the_talk_and_ctrl_d_ends_it(tmp_path: Path) -> None:
    with host(a=Model("one"), judge=Model("It is " * 50, interval=0.1)) as here:
        write_config(tmp_path, here.url, ["a"], "judge")
        with terminal("chat", home=tmp_path) as screen:
            screen.until("> ")
            screen.type("first\n")
            screen.until("It is It")
            screen.interrupt()
            screen.until("> ", 2)
            here.models = dict(here.models) | {"judge": Model("Finally two.")}
            screen.type("second\n")
            screen.until("Finally two.")
            screen.until("> ", 3)
            screen.type("\x04")
            assert screen.end() == 0
    assert _turns(here) == [["first"], ["second"]]
    assert "forgotten" in screen.text
    assert "Traceback" not in screen.text
    states = [run["state"] for run in json.loads(moa_says("runs", "--json", home=tmp_path).out)]
    assert states == ["finished", "failed"]
