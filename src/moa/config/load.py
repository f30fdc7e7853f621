"""Where a configuration comes from: flag > MOA_* > ./moa.toml (or MOA_CONFIG) > XDG config > what ships with moa.

Each source is a plain dictionary with a name; they are laid over each other and validated once. An error names the source,
the path inside it, the value, and the nearest right name.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from moa.config.spec import Spec
from moa.core.errors import ConfigError

FILE = "moa.toml"
SHIPPED = "moa's presets"
FOUND = "found on this machine"
ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Source:
    """One place that settings come from."""

    name: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Config:
    """A validated configuration, and the sources it was made of (weakest first)."""

    spec: Spec
    sources: tuple[Source, ...]

    @property
    def own(self) -> bool:
        """Whether the user has written a mixture or a default of their own."""
        return any(source.data.get("mixtures") or source.data.get("default") for source in self.written)

    @property
    def written(self) -> tuple[Source, ...]:
        """The sources the user has written, weakest first."""
        return tuple(source for source in self.sources if source.name not in (SHIPPED, FOUND))

    def where(self, path: str) -> str:
        """`path` with the name of the strongest source that has it."""
        return f"{_source_of(self.sources, _split(path))}: {path}"


def load(
    environ: Mapping[str, str] | None = None,
    *,
    folder: Path | None = None,
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    found: Source | None = None,
) -> Config:
    """The configuration that holds in `folder` (the current one by default), laid over what was `found` on this machine.

    Raises:
        ConfigError: a file is missing, is no TOML, or says something that is not allowed.
    """
    environ = os.environ if environ is None else environ
    sources = [Source(SHIPPED, tomllib.loads(resources.files("moa.config").joinpath("presets.toml").read_text()))]
    sources += [found] if found else []
    sources += [Source(str(path), _read(path)) for path in files(environ, folder, file)]
    sources += [Source(ENVIRONMENT, _from_environment(environ)), Source("command line", dict(flags or {}))]
    kept = tuple(source for source in sources if source.data)
    return Config(_validated(kept), kept)


def files(environ: Mapping[str, str], folder: Path | None = None, file: Path | None = None) -> list[Path]:
    """The configuration files that are read, weakest first. One that was named must exist."""
    near = file or (Path(environ["MOA_CONFIG"]).expanduser() if environ.get("MOA_CONFIG") else None)
    if near is not None and not near.is_file():
        raise ConfigError(
            f"{near}: no such file (named by {'--config' if file else 'MOA_CONFIG'}); `moa init` writes one"
        )
    candidates = [xdg(environ, "config") / "config.toml", near or (folder or Path.cwd()) / FILE]
    return [path for path in candidates if path.exists()]


def xdg(environ: Mapping[str, str], what: str) -> Path:
    """moa's folder for "config" or "data", by XDG or under MOA_HOME."""
    if environ.get("MOA_HOME"):
        return Path(environ["MOA_HOME"]).expanduser() / what
    default = {"config": ".config", "data": ".local/share"}[what]
    base = environ.get(f"XDG_{what.upper()}_HOME") or str(Path(environ.get("HOME") or Path.home()) / default)
    return Path(base).expanduser() / "moa"


def _read(path: Path) -> dict[str, Any]:
    try:
        return _renamed(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error


def _renamed(data: dict[str, Any]) -> dict[str, Any]:
    """`presets` is what others call mixtures."""
    return {("mixtures" if key == "presets" and "mixtures" not in data else key): value for key, value in data.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """MOA_DEFAULT=review, MOA_STORE__PROMPTS=false, MOA_MIXTURES__REVIEW__DEADLINE=30 …; names are matched in lower case.

    Other variables that begin with MOA_ are somebody else's (Kubernetes sets MOA_SERVICE_HOST for a service named moa).
    """
    data: dict[str, Any] = {}
    for name, text in sorted(environ.items()):
        if name != "MOA_DEFAULT" and not (name.startswith("MOA_") and "__" in name):
            continue
        *tables, key = name.removeprefix("MOA_").lower().split("__")
        table = data
        for step in tables:
            table = table.setdefault(step, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{name}: stands beside another variable that sets all of {step}; unset one of them")
        table[key] = _toml_value(text)
    return data


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _validated(sources: tuple[Source, ...]) -> Spec:
    merged: dict[str, Any] = {}
    for source in sources:
        merged = overlay(merged, source.data, whole=source.name != ENVIRONMENT)
    try:
        return Spec.model_validate(merged)
    except ValidationError as error:
        raise ConfigError("\n".join(_explained(sources, problem) for problem in error.errors())) from None


def overlay(under: Mapping[str, Any], over: Mapping[str, Any], *, whole: bool = True) -> dict[str, Any]:
    """`over` laid on `under`, setting by setting; with `whole`, an agent or mixture that is named again is replaced."""
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            replaced = whole and key in ("agents", "mixtures", "hosts", "prices")
            merged[key] = below | value if replaced else overlay(below, value, whole=whole)
        else:
            merged[key] = value
    return merged


def _explained(sources: tuple[Source, ...], problem: Any) -> str:
    """One pydantic error as one line: source, path (or variable), what is wrong, and the nearest right name."""
    location: tuple[str | int, ...] = problem["loc"]
    source = _source_of(sources, location)
    where = "MOA_" + "__".join(map(str, location)).upper() if source == ENVIRONMENT else f"{source}: {_path(location)}"
    if problem["type"] == "extra_forbidden":
        return f"{where}: there is no such setting{nearest(str(location[-1]), _settings_at(location[:-1]))}"
    if problem["type"] == "missing":
        return f"{where}: is missing"
    message = _WORDS.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    secret = location[-1:] == ("key",) or "secrets" in location or isinstance(problem["input"], dict)
    shown = "" if secret else f" (it is {problem['input']!r})"
    return f"{where}: {message[0].lower()}{message[1:]}{shown}"


_WORDS = {
    "tuple_type": "a list is needed",
    "dict_type": "a table is needed",
    "model_type": "a table is needed",
    "model_attributes_type": "a table is needed",
    "string_type": "a text is needed",
}
"""What pydantic says of types, in the words of the file."""


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean "…"?` for the nearest of `names`, or nothing where none is near."""
    close = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f'; did you mean "{close[0]}"?' if close else ""


def _settings_at(location: tuple[str | int, ...]) -> list[str]:
    """The settings that the model at a place of the Spec knows."""
    model: Any = Spec
    for step in location:
        field = model.model_fields.get(step) if hasattr(model, "model_fields") else None
        annotation = field.annotation if field else model
        arguments = getattr(annotation, "__args__", ())
        model = arguments[-1] if arguments else annotation
    return list(getattr(model, "model_fields", {}))


def _source_of(sources: tuple[Source, ...], location: tuple[str | int, ...]) -> str:
    """The name of the strongest source that has what stands at `location` (or the nearest place above it)."""
    for length in range(len(location), 0, -1):
        for source in reversed(sources):
            value: Any = source.data
            for step in location[:length]:
                try:
                    value = value[step]
                except (KeyError, IndexError, TypeError):
                    break
            else:
                return source.name
    return sources[-1].name if sources else "configuration"


def _path(location: tuple[str | int, ...]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return text.removeprefix(".") or "file"


def _split(path: str) -> tuple[str | int, ...]:
    steps = path.replace("[", ".").replace("]", "").split(".")
    return tuple(int(step) if step.isdigit() else step for step in steps)
