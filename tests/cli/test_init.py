"""`moa init`: the file it writes loads, whatever was found."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from command import moa_says
from fake_host import Model, host

from moa.config.flows import default_name, flow_of
from moa.config.load import load

KEYS = {
    "nothing": {},
    "one host": {"OPENROUTER_API_KEY": "x"},
    "several hosts": {"OPENAI_API_KEY": "x", "TOGETHER_API_KEY": "x", "MISTRAL_API_KEY": "x"},
    "one maker": {"XAI_API_KEY": "x"},
}


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
def test_what_it_writes_loads_and_says_no_key(keys: dict[str, str], tmp_path: Path) -> None:
    ended = moa_says("init", home=tmp_path, **{name: f"secret{key}" for name, key in keys.items()})
    assert (ended.code, ended.err) == (0, "")
    written = (tmp_path / "moa.toml").read_text()
    config = load({"HOME": str(tmp_path)}, folder=tmp_path)
    assert default_name(config) == "default"
    assert callable(flow_of(config, "default"))
    assert config.spec.mixtures["default"].proposers
    assert "secret" not in written
    assert bool(keys) == bool(config.written[0].data.get("agents"))


@pytest.mark.parametrize("keys", [{}, {"OPENAI_API_KEY": "x"}], ids=["nothing", "one host"])
def test_every_example_in_it_loads_when_uncommented(keys: dict[str, str], tmp_path: Path) -> None:
    moa_says("init", home=tmp_path, **keys)
    lines = (tmp_path / "moa.toml").read_text().splitlines()
    setting = re.compile(r"# (\[[a-z]|[a-z_]+ = )")
    opened = [line[2:] if setting.match(line) else line for line in lines]
    # one example stands for two places: the settings of an agent are shown before any agent, or after the last
    start = next(number for number, line in enumerate(opened) if line.startswith("prompt = "))
    (tmp_path / "moa.toml").write_text(
        "\n".join([*opened[:start], "[agents.shown]", 'model = "fake:x"', *opened[start:]])
    )
    spec = load({"HOME": str(tmp_path)}, folder=tmp_path).spec
    assert spec.hosts["office"].key == "env:OFFICE_API_KEY"
    assert (spec.store.days, spec.cache.exact, spec.limits.at_once) == (30, True, 64)
    assert spec.mixtures["ballot"].combine == "vote"
    assert spec.mixtures["default"].need == 3


def test_names_from_a_server_cannot_write_settings(tmp_path: Path) -> None:
    evil = 'big-70b"\n[store]\nkeep = false\n#\x7f é'
    with host(**{evil: Model(), "x/Big.Model:7b": Model()}) as here:
        told = json.loads(moa_says("init", "--json", "--path", "sub.toml", home=tmp_path, OLLAMA_BASE_URL=here.url).out)
    data = tomllib.loads((tmp_path / "sub.toml").read_text())
    assert "store" not in data
    assert {agent["model"] for agent in data["agents"].values()} == {f"ollama:{evil}", "ollama:x/Big.Model:7b"}
    assert told["agents"] == {name: agent["model"] for name, agent in data["agents"].items()}
    assert told["servers"] == ["ollama"]


def test_it_overwrites_only_by_force(tmp_path: Path) -> None:
    (tmp_path / "moa.toml").write_text("# mine")
    assert moa_says("init", home=tmp_path).code == 2
    assert (tmp_path / "moa.toml").read_text() == "# mine"
    assert moa_says("init", "--force", home=tmp_path).code == 0
    assert "# mine" not in (tmp_path / "moa.toml").read_text()
