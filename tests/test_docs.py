"""What README and docs show, runs: Python blocks are executed, TOML blocks are loaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from moa.config.flows import flow_of
from moa.config.load import load

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(<!-- needs keys -->\n)?```(\w+)\n(.*?)```", re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    return [
        (f"{page.name}:{n}", text)
        for page in PAGES
        if page.name != "design.md"
        for n, (needs_keys, kind, text) in enumerate(BLOCK.findall(page.read_text()))
        if kind == language and not needs_keys
    ]


@pytest.mark.parametrize(("name", "code"), blocks("python"), ids=[name for name, _ in blocks("python")])
def test_python_shown_in_the_docs_runs(name: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "builtin" in code:
        pytest.importorskip("xllamacpp", reason="the models that ship need moa[local]")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, name, "exec"), {"__name__": "docs"})


@pytest.mark.parametrize(("name", "text"), blocks("toml"), ids=[name for name, _ in blocks("toml")])
def test_toml_shown_in_the_docs_loads_and_its_mixtures_are_flows(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "moa.toml").write_text(text)
    config = load({"HOME": str(tmp_path)}, folder=tmp_path)
    for mixture in config.spec.mixtures:
        flow_of(config, mixture)


def test_there_are_examples() -> None:
    assert len(blocks("python")) >= 5
    assert len(blocks("toml")) >= 2


def test_the_readme_s_first_example_is_short() -> None:
    assert len(blocks("python")[0][1].strip().splitlines()) <= 10


def test_links_in_the_docs_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
