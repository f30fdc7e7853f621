"""What a file may say of roles, views and schemas, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from moa.config.build import Rig
from moa.config.flows import flow_of
from moa.config.load import Config, load
from moa.core.errors import ConfigError
from moa.core.flow import play
from moa.core.types import user
from moa.providers.called import Called

ASKED = (user("Is it urgent?", labs="K 6.8", history="Tired."),)
MIXTURE = '[mixtures.m]\nproposers = ["a", "b"]\naggregator = "b"\n'
B = '[agents.b]\nmodel = "fake:b"\n'


def config(folder: Path, agent: str, mixture: str = MIXTURE) -> Config:
    (folder / "moa.toml").write_text(f'[agents.a]\nmodel = "fake:a"\n{agent}\n{B}{mixture}')
    return load({"HOME": str(folder)}, folder=folder)


def test_an_agent_of_a_file_has_a_role_a_view_and_a_schema(tmp_path: Path) -> None:
    said = 'role = "haematologist"\nview = ["labs"]\nschema = { type = "object" }'
    played = play(flow_of(config(tmp_path, said), "m")(ASKED), lambda call: '{"p": 1}')
    call = played.asked[0].calls[0]
    assert call.conversation == (user("Is it urgent?", labs="K 6.8"),)
    assert call.manner.instructions.startswith("Your part in this task: haematologist.")
    assert (call.form.schema, call.form.own) == ('{"type": "object"}', True)
    assert played.asked[0].calls[1].conversation == ASKED


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ('view = "labs"', r"agents.a.view"),
        ('view = ["la/bs"]', r"agents.a: fake:a: view: 'la/bs' names no part"),
        ('view = ["question"]', "'question' is what all agents see"),
        ('schema = "{"', "agents.a: schema"),
        ('schema = { type = "nonsense" }', "agents.a: schema: the schema cannot be used"),
        ("schema = 5", "agents.a.schema"),
        ('views = ["labs"]', "views"),
        ('fallback = ["function:rule"]', "made in Python"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(tmp_path: Path, agent: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as told:
        flow_of(config(tmp_path, agent), "m")
    assert "moa.toml" in str(told.value)


def test_a_file_names_no_function(tmp_path: Path) -> None:
    mixture = '[mixtures.m]\nproposers = ["a", "function:rule"]\naggregator = "b"\n'
    with pytest.raises(ConfigError, match=r"mixtures.m.proposers\[1\]: .*Agent\(function\)"):
        flow_of(config(tmp_path, "", mixture), "m")


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ('topology = "consortium"\nrounds = 2', "mixtures.m.proposers: its members see different parts"),
        ('first = ["a", "b"]', "mixtures.m.first: its members see different parts"),
    ],
)
def test_agreement_of_those_that_see_different_parts_decides_nothing(tmp_path: Path, shape: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        flow_of(config(tmp_path, 'view = ["labs"]', f"{MIXTURE}{shape}\n"), "m")


def test_a_host_called_function_is_sent_no_function_of_ours(tmp_path: Path) -> None:
    (tmp_path / "moa.toml").write_text('[hosts.function]\nbase_url = "http://127.0.0.1:1/v1"\n')
    assert isinstance(Rig(load({"HOME": str(tmp_path)}, folder=tmp_path)).wires.wire("function"), Called)
