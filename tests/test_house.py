"""The house holds: floors, no circles, purity of core and flows, exact `__all__`, and what an import must not load."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"
FILES = sorted((SOURCE / "moa").rglob("*.py"))

FLOORS = {
    "core": 1,
    "flows": 2,
    "engine": 2,
    "providers": 2,
    "wrap": 2,
    "stores": 2,
    "sinks": 2,
    "embedded": 2,
    "_version": 1,
    "config": 3,
    "mixture": 4,
    "": 5,
    "cli": 7,
    "server": 6,
    "evals": 6,
    "batch": 6,
    "__main__": 8,
}
"""Which floor each room is on; `mixture.py` and the public names (`moa` itself) stand just below the faces that use them, and the
command line above the faces it starts."""

IMPURE = {
    "asyncio", "aiohttp", "anyio", "concurrent", "datetime", "http", "io", "logging", "multiprocessing", "os", "pathlib", "queue",
    "random", "secrets", "select", "selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile",
    "threading", "time", "urllib", "uuid",
}  # fmt: skip
"""Standard modules that do I/O, keep time, draw chance or run tasks: no place for them in core and flows."""

NOT_ON_IMPORT = (
    "aiohttp",
    "msgspec",
    "pydantic",
    "typer",
    "click",
    "rich",
    "numpy",
    "genai_prices",
    "jsonschema_rs",
    "xllamacpp",
    "sqlite3",
    "ssl",
)


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[str]:
    """Every module a file imports: at its top, inside functions, and under TYPE_CHECKING alike."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            base = node.module or ""
            for alias in node.names:
                yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base


MODULES = {module_of(path) for path in FILES}
GRAPH = {module_of(path): {name for name in imports_of(path) if name in MODULES} for path in FILES}


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_only_go_down_and_rooms_on_one_floor_do_not_know_each_other(path: Path) -> None:
    here = room(module_of(path))
    for name in GRAPH[module_of(path)]:
        there = room(name)
        if there == here:
            continue
        assert FLOORS[there] < FLOORS[here], f"{here} (floor {FLOORS[here]}) imports {name} (floor {FLOORS[there]})"


def test_there_are_no_circles_even_through_hidden_imports() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for name in sorted(GRAPH[module] - {module}):
                visit(name, (*path, module))
            done.add(module)

    for module in GRAPH:
        visit(module, ())


@pytest.mark.parametrize("path", [path for path in FILES if room(module_of(path)) in ("core", "flows")], ids=module_of)
def test_core_and_flows_are_pure(path: Path) -> None:
    for name in imports_of(path):
        top = name.split(".")[0]
        assert top == "moa" or top in sys.stdlib_module_names or top == "__future__", f"{path} imports {name}"
        pure = name == "urllib.parse" or top not in IMPURE  # that one only takes texts apart
        assert pure, f"{path} imports {name}: core and flows do no I/O, keep no clock and draw no chance"
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "print", "input", "exec", "eval", "__import__") or (
                (node.func.id, path.name) == ("exec", "values.py")  # writes `__new__` as dataclasses write `__init__`
            ), f"{path}: {node.func.id}"


def test_the_public_names_are_exact_and_sorted() -> None:
    moa = importlib.import_module("moa")
    assert sorted(moa.__all__) == list(moa.__all__)
    for name in moa.__all__:
        assert getattr(moa, name) is not None
    assert 10 <= len(moa.__all__) <= 18
    shown = {name for name in dir(moa) if not name.startswith("_")}
    rooms = {path.name.removesuffix(".py") for path in (SOURCE / "moa").iterdir()}
    assert shown - rooms == {name for name in moa.__all__ if not name.startswith("_")}


@pytest.mark.parametrize(
    "code",
    ["import moa", "from moa.cli import main; import sys; sys.argv = ['moa', '--version']; main()"],
    ids=["import moa", "moa --version"],
)
def test_importing_moa_and_asking_its_version_loads_nothing_heavy(code: str) -> None:
    tail = (
        f"; import sys; loaded = [name for name in {NOT_ON_IMPORT!r} if name in sys.modules]; assert not loaded, loaded"
    )
    guard = "import atexit, sys; atexit.register(lambda: sys.stdout.write(repr(sorted(sys.modules))))"
    result = subprocess.run(
        [sys.executable, "-c", f"{guard}\n{code}{'' if 'main()' in code else tail}"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    for name in NOT_ON_IMPORT:
        assert f"'{name}'" not in result.stdout, f"{code} loads {name}"


def test_files_hold_one_noun_each() -> None:
    long = {str(path): lines for path in FILES if (lines := len(path.read_text().splitlines())) > 350}
    assert not long, long


def test_no_name_says_nothing() -> None:
    banned = ("Manager", "Handler", "Helper", "Util", "Abstract", "Orchestrator", "Executor", "Pipeline", "Swarm")
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                said = [word for word in banned if word in node.name] + ["Base"] * node.name.startswith("Base")
                assert not said, f"{path}: {node.name}"


def test_every_public_thing_says_what_it_is() -> None:
    for path in FILES:
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), f"{path} has no docstring"
        for node in tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith(
                "_"
            ):
                assert ast.get_docstring(node), f"{path}: {node.name} has no docstring"
