"""A gate that could not do what it promises is refused, and no secret is said on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from moa.config.flows import flow_of
from moa.config.load import load
from moa.core.errors import ConfigError

MIXTURE = '[mixtures.m]\nproposers = ["fake:a"]\naggregator = "fake:b"\ngate = '


def refused(folder: Path, gate: str) -> str:
    (folder / "moa.toml").write_text(MIXTURE + gate)
    with pytest.raises(ConfigError) as error:
        flow_of(load({}, folder=folder), "m")
    return str(error.value)


@pytest.mark.parametrize("value", ["ab1c2", "a-b-c-1-2", "!§$%&/()="])
def test_a_secret_that_could_not_be_found_is_refused_by_its_place(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_CANARY", value)
    said = refused(tmp_path, '{ secrets = ["env:MY_CANARY"] }')
    assert "gate.secrets[0]: it has fewer than 6 letters and digits" in said
    assert value not in said


@pytest.mark.parametrize(
    ("host", "instead"),
    [
        ("https://python.org/", 'write "python.org"'),
        ("Python.org:8080", 'write "python.org"'),
        ("*.python.org", 'named by itself, say "python.org", "www.python.org"'),
        ("", 'as "python.org"'),
    ],
)
def test_what_is_no_host_is_refused_with_what_to_write(host: str, instead: str, tmp_path: Path) -> None:
    said = refused(tmp_path, f'{{ hosts = ["{host}"] }}')
    assert "gate.hosts" in said
    assert instead in said


@pytest.mark.parametrize(
    "written", ['["sk-live-Zq9Xv7Lm2Kp4"]', '"sk-live-Zq9Xv7Lm2Kp4"', '[["sk-live-Zq9Xv7Lm2Kp4"]]']
)
def test_a_secret_that_was_written_down_is_not_said_again(written: str, tmp_path: Path) -> None:
    said = refused(tmp_path, f"{{ secrets = {written} }}")
    assert "gate.secrets" in said
    assert "Zq9Xv7" not in said
