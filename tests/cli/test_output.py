"""What is written: harmless on a terminal, readable, one line where one line is promised; and how the command starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import environment, fake_config, moa_says

import moa
from moa.cli.door import enter
from moa.cli.output import harmless, money, one_line, to_json
from moa.cli.verdict import verdict
from moa.core.errors import BudgetExceeded, ConfigError, DeadlinePassed, Unreachable


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
def test_no_control_character_reaches_a_terminal(code: int) -> None:
    shown = harmless(f"a{chr(code)}b")
    assert (chr(code) in shown) == (chr(code) in "\n\t")
    assert chr(code) not in one_line(f"a{chr(code)}b")


def test_ordinary_text_of_any_language_is_left_alone() -> None:
    for text in ("naïve — “quotes”", "日本語\n\tתודה شكرا", "👩‍🚀"):
        assert harmless(text) == text


def test_json_stays_json_whatever_it_holds() -> None:
    data = {"text": "é \x1b \x7f \x9b \u202e \ud800 日本"}
    written = to_json(data)
    assert json.loads(written) == data
    assert "日本" in written
    assert written.encode()
    assert not set(written) & set("\x1b\x7f\x9b\u202e")


def test_money_is_readable() -> None:
    amounts = (None, 0.0, 1e-9, 0.000012, 0.0123, 3.5)
    assert [money(value) for value in amounts] == ["$?", "$0", "<$0.000001", "$0.000012", "$0.0123", "$3.5000"]


def test_each_kind_of_error_has_its_exit_code() -> None:
    errors = (
        ConfigError("x"),
        BudgetExceeded("x"),
        DeadlinePassed("x"),
        Unreachable("x"),
        KeyboardInterrupt(),
        KeyError("x"),
    )
    assert [verdict(error)[0] for error in errors] == [2, 3, 4, 1, 130, 1]
    assert verdict(KeyError("x"))[1] == "internal error: KeyError: 'x'; run again with --debug"


def test_the_version_is_printed_and_no_words_print_help(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert moa_says("--version", home=tmp_path).out == f"moa {moa.__version__}\n"
    shown = moa_says(home=tmp_path)
    assert shown.code == 0
    for command in ("ask", "chat", "show", "models", "init", "runs", "doctor"):
        assert command in shown.out
        assert enter([command, "--help"]) == 0
        assert f"moa {command}" in capsys.readouterr().out


def test_text_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    fake_config(tmp_path)
    for locale in (
        {"LANG": "C"},
        {"LC_ALL": "C"},
        {"LC_ALL": "POSIX"},
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONUTF8": "0"},
    ):
        ended = moa_says("ask", "größer ≥ 日本", home=tmp_path, **locale)
        assert ended.code == 0, ended.err
        assert ended.out.startswith("größer ≥ 日本"), locale


def test_closed_streams_are_no_error(tmp_path: Path) -> None:
    fake_config(tmp_path)
    for closed in ("<&-", ">&-", "2>&-"):
        command = f'"{sys.executable}" -m moa ask hello {closed}'
        ended = subprocess.run(
            ["/bin/sh", "-c", command], cwd=tmp_path, env=environment(tmp_path), capture_output=True, timeout=60
        )
        assert (ended.returncode, ended.stderr) == (0, b""), closed


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    fake_config(tmp_path)
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "moa", "ask", "hello"],
            cwd=tmp_path, env=environment(tmp_path), stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
        )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (1, b"moa: No space left on device\n")
