"""`moa doctor`: each line ok, warn or fail, with what to do."""

from __future__ import annotations

import json
from pathlib import Path

from command import fake_config, moa_says
from fake_host import Model, host


def _states(home: Path, **env: str) -> tuple[int, dict[str, list[str]]]:
    ended = moa_says("doctor", "--json", home=home, **env)
    states: dict[str, list[str]] = {}
    for check in json.loads(ended.out)["checks"]:
        states.setdefault(check["check"], []).append(check["state"])
        assert check["todo"] or check["state"] != "fail", check
    return ended.code, states


def test_a_good_installation_without_a_key_gets_one_warning(tmp_path: Path) -> None:
    code, states = _states(tmp_path)
    assert code == 0
    assert states == {
        "python": ["ok"], "moa": ["ok"], "config": ["ok"], "keys": ["warn"],
        "llama.cpp": ["ok"], "built-in": ["ok"], "store": ["ok"],
    }  # fmt: skip
    assert not list(tmp_path.rglob("*.db")), "looking leaves no trace"


def test_a_damaged_ledger_is_found_and_no_question_is_asked_beside_it(tmp_path: Path) -> None:
    fake_config(tmp_path)
    ledger = tmp_path / ".local" / "share" / "moa" / "ledger.db"
    ledger.parent.mkdir(parents=True)
    ledger.write_bytes(b"no database" * 1000)
    code, states = _states(tmp_path)
    assert (code, states["ledger"]) == (1, ["fail"])
    for words in (("ask", "hello"), ("costs",)):
        ended = moa_says(*words, home=tmp_path)
        assert (ended.code, ended.out) == (2, "")
        assert "ledger.db: damaged" in ended.problem


def test_a_broken_configuration_fails_and_the_rest_is_still_checked(tmp_path: Path) -> None:
    fake_config(tmp_path, "[limits]\ntimeuot = 3")
    code, states = _states(tmp_path)
    assert code == 1
    assert states["config"] == ["fail"]
    assert states["built-in"] == ["ok"]


def test_wrong_names_missing_keys_and_a_bad_store_are_found(tmp_path: Path) -> None:
    fake_config(tmp_path, '[mixtures.two]\nproposers = ["nobody"]\naggregator = "a"\n')
    assert _states(tmp_path)[1]["config"] == ["fail", "ok"]
    fake_config(tmp_path, '[agents.far]\nmodel = "openai:x"\n[mixtures.far]\nproposers = ["far"]\naggregator = "a"\n')
    code, states = _states(tmp_path, MOA_DEFAULT="far", MOA_STORE__PATH=str(tmp_path / "moa.toml"))
    assert code == 1
    assert (states["models"], states["store"]) == (["fail"], ["fail"])


def test_lines_say_what_to_do_and_no_key(tmp_path: Path) -> None:
    ended = moa_says("doctor", home=tmp_path, XAI_API_KEY="canary-123456")
    assert ended.code == 0
    assert "canary" not in ended.out + ended.err
    assert all(line.startswith(("ok  ", "warn", "fail")) for line in ended.out.splitlines())


def test_a_local_server_with_several_models_is_told_how_to_hold_one_at_a_time(tmp_path: Path) -> None:
    with host(a=Model(), b=Model()) as here:
        _, states = _states(tmp_path, OLLAMA_BASE_URL=here.url)
        assert states["local"] == ["warn"]
        fake_config(tmp_path, "[hosts.ollama]\none_model = true\n")
        _, states = _states(tmp_path, OLLAMA_BASE_URL=here.url)
        assert "local" not in states
