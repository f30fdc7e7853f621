"""Bad input: one line on stderr that says what to do, an exit code, nothing on stdout, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import fake_config, moa_says


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ask",), "the question is empty"),
        (("ask", "  "), "the question is empty"),
        (("ask", "hi", "-m", "defualt"), 'no mixture "defualt"; did you mean "default"?'),
        (("show", "nope"), 'no mixture "nope"'),
        (("ask", "hi", "--config", "none.toml"), "none.toml: no such file"),
        (("ask", "hi", "-m", "duo"), "set OPENROUTER_API_KEY"),
        (("ask", "hi", "--deadline", "0"), "--deadline: 0 is no number of seconds above 0"),
        (("ask", "hi", "--max-cost", "nan"), "--max-cost: nan"),
        (("ask", "hi", "--file", "none.txt"), "none.txt: cannot be read: No such file"),
        (("ask", "hi", "--file", "."), "cannot be read: Is a directory"),
        (("ask", "hi", "--file", "binary"), "--file binary: not UTF-8 text"),
        (("ask", "hi", "--image", "moa.toml"), "no PNG, JPEG, GIF or WebP picture"),
        (("ask", "hi", "--replay", "none.jsonl"), "none.jsonl: no such recording"),
        (("ask", "hi", "--replay", "cut.jsonl"), "cut.jsonl:1: broken line"),
        (("ask", "hi", "--colour"), "No such option: --colour"),
        (("frobnicate",), "No such command 'frobnicate'"),
        (("runs", "show", "123"), 'no run "123"'),
        (("runs", "delete"), "say what to delete"),
        (("runs", "delete", "--all"), "--yes"),
        (("init",), "moa.toml: is already there; --force overwrites it"),
    ],
)
def test_it_is_one_line_that_says_what_to_do(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    fake_config(tmp_path)
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    (tmp_path / "cut.jsonl").write_text('{"key": "ab", "reply": {"text": "fo')
    ended = moa_says(*words, home=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.problem


def test_a_typo_in_moa_toml_names_the_place_and_the_right_word(tmp_path: Path) -> None:
    fake_config(tmp_path, "agregator = 'b'\n[limits]\ntimeuot = 3")
    ended = moa_says("ask", "hi", home=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert 'mixtures.default.agregator: there is no such setting; did you mean "aggregator"?' in ended.problem
    assert 'limits.timeuot: there is no such setting; did you mean "timeout"?' in ended.problem


def test_an_unknown_agent_in_moa_toml_names_the_nearest(tmp_path: Path) -> None:
    fake_config(tmp_path, '[agents.claude]\nmodel = "fake:c"\n[mixtures.two]\nlayers = [["claud"]]\naggregator = "a"')
    ended = moa_says("ask", "hi", "-m", "two", home=tmp_path)
    assert ended.code == 2
    assert 'mixtures.two.layers[0][0]: no agent "claud"; did you mean "claude"?' in ended.problem


@pytest.mark.parametrize("content", [b"", b"hello", b"GGUF\x03\x00\x00\x00" + bytes(40)])
def test_a_corrupt_gguf_says_so(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(content)
    fake_config(tmp_path, f'[mixtures.bad]\nproposers = ["local:{tmp_path}/bad.gguf"]\naggregator = "a"')
    ended = moa_says("ask", "hi", "-m", "bad", home=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "bad.gguf" in ended.problem
    assert "get the file again" in ended.problem


def test_binary_piped_in_is_refused(tmp_path: Path) -> None:
    fake_config(tmp_path)
    ended = moa_says("ask", "hi", home=tmp_path, stdin=b"\x89PNG\xff")
    assert (ended.code, ended.out) == (2, "")
    assert "stdin: not UTF-8 text" in ended.problem


def test_debug_shows_where_it_came_from_and_keeps_the_exit_code(tmp_path: Path) -> None:
    fake_config(tmp_path)
    for ended in (
        moa_says("ask", "hi", "-m", "nope", "--debug", home=tmp_path),
        moa_says("ask", "hi", "-m", "nope", home=tmp_path, MOA_DEBUG="1"),
    ):
        assert ended.code == 2
        assert "Traceback" in ended.err
        assert ended.err.splitlines()[-1].startswith('moa: no mixture "nope"')


def test_a_word_after_two_dashes_is_a_word(tmp_path: Path) -> None:
    fake_config(tmp_path)
    assert moa_says("ask", "--", "--debug", home=tmp_path).out.startswith("--debug")
