"""Values <-> plain JSON data: what stores, recordings and exports write, and how it is read back.

An event becomes one flat object: `{"run", "seq", "time", "span", "parent", "kind", … the fields of the fact}`. `kind` is
the fact's name in snake_case; the parts of a message carry a `kind` too. Fields that hold their default are left out.

The way back is exact for `json.loads(json.dumps(data))`, lone surrogates included, as long as `ensure_ascii` stays on
(the two halves of a surrogate pair come back as the one character they mean). Infinite numbers are written as text,
since JSON has none. How a class is written is worked out from its type hints once, at first use.
"""

from __future__ import annotations

import math
import re
import types
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeAlias, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from moa.core.errors import ConfigError
from moa.core.events import Event, Fact
from moa.core.values import made

T = TypeVar("T")

_ENVELOPE = {"run": str, "seq": int, "time": float, "span": int, "parent": int}
_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def to_plain(event: Event) -> dict[str, Any]:
    """The event as one flat object of plain data. What it holds is not checked."""
    name, write = _fact_writers()[event.fact.__class__]
    return {
        "run": event.run,
        "seq": event.seq,
        "time": _write_float(event.time),
        "span": event.span,
        "parent": event.parent,
        "kind": name,
        **write(event.fact),
    }


@cache
def _fact_writers() -> _Writers:
    return _writers(get_args(Fact))


def from_plain(data: object) -> Event:
    """The event that `to_plain` wrote.

    Raises:
        ConfigError: a field is missing, unknown or of the wrong kind; names it.
    """
    try:
        given = _object(data)
        stamp = {name: _read_field(given, name, _codec(hint).read) for name, hint in _ENVELOPE.items()}
        fact = _codec(Fact).read({name: item for name, item in given.items() if name not in _ENVELOPE})
    except _Bad as bad:
        raise ConfigError(f"not an event of moa: {bad}") from None
    return Event(fact, **stamp)


def plain(value: Any) -> Any:
    """Any value of `core/types.py` or `core/events.py` (but Event: `to_plain`) as plain data."""
    kind: Any = type(value)
    return _codec(kind).write(value)


def restored(kind: type[T], data: object) -> T:
    """The value of class `kind` that `plain` wrote.

    Raises:
        ConfigError: a field is missing, unknown or of the wrong kind; names it.
    """
    try:
        return cast("T", _codec(cast("Any", kind)).read(data))
    except _Bad as bad:
        raise ConfigError(f"not a {kind.__name__} of moa: {bad}") from None


class _Bad(ValueError):
    """Data that does not fit; the way to it is put in front, field by field, on the way out."""

    def __init__(self, why: str) -> None:
        self.why, self.path = why, ""

    def within(self, step: str) -> _Bad:
        self.path = step + ("" if not self.path or self.path.startswith("[") else ".") + self.path
        return self

    def __str__(self) -> str:
        return f"field {self.path}: {self.why}" if self.path else self.why


@dataclass(frozen=True, slots=True)
class _Codec:
    """How one type is written and read; `as_is` where writing changes nothing."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    as_is: bool = False


_Writers: TypeAlias = dict[type, tuple[str, Callable[[Any], Any]]]


@cache
def _codec(hint: Any) -> _Codec:
    """The codec of a type hint: a scalar, a Literal, `X | None`, a union of dataclasses, a tuple, or a dataclass."""
    origin, args = get_origin(hint), get_args(hint)
    if hint in _SCALARS:
        return _SCALARS[hint]
    if origin is Literal:
        return _choice(args)
    if origin is tuple:
        return _row(args)
    if origin in (Union, types.UnionType):
        rest = [arg for arg in args if arg is not type(None)]
        inner = _union(rest) if len(rest) > 1 else _codec(rest[0])
        return inner if len(rest) == len(args) else _optional(inner)
    if is_dataclass(hint):
        return _record(cast("type", hint))
    raise TypeError(f"core/plain.py cannot write values of type {hint!r}")


def _write_float(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _read_float(data: object) -> float:
    if isinstance(data, float) or type(data) is int:
        return cast("float", data)
    if isinstance(data, str) and data in _NOT_FINITE:
        return _NOT_FINITE[data]
    raise _Bad(f"expected a number, found {_shown(data)}")


def _scalar(kind: type, words: str) -> _Codec:
    def read(data: object) -> object:
        if type(data) is not kind:
            raise _Bad(f"expected {words}, found {_shown(data)}")
        return data

    return _Codec(lambda value: value, read, as_is=True)


_SCALARS: dict[Any, _Codec] = {
    str: _scalar(str, "text"),
    int: _scalar(int, "a whole number"),
    bool: _scalar(bool, "true or false"),
    float: _Codec(_write_float, _read_float),
}


def _choice(choices: tuple[Any, ...]) -> _Codec:
    def read(data: object) -> object:
        if data not in choices:
            raise _Bad(f"expected one of {', '.join(map(repr, choices))}, found {_shown(data)}")
        return data

    return _Codec(lambda value: value, read, as_is=True)


def _optional(inner: _Codec) -> _Codec:
    def write(value: Any) -> Any:
        return None if value is None else inner.write(value)

    def read(data: object) -> Any:
        return None if data is None else inner.read(data)

    return _Codec(write, read, inner.as_is)


def _row(args: tuple[Any, ...]) -> _Codec:
    """A tuple, written as a list: `tuple[X, ...]` or one of fixed length whose items are all of one type."""
    inner = _codec(args[0])
    length = None if args[-1] is Ellipsis else len(args)
    if length is not None and len(set(args)) != 1:
        raise TypeError(f"core/plain.py cannot write tuples of mixed types: {args!r}")
    item_write, item_read = inner.write, inner.read

    def read(data: object) -> tuple[Any, ...]:
        if not isinstance(data, list) or length not in (None, len(data)):
            raise _Bad(f"expected a list{'' if length is None else f' of {length}'}, found {_shown(data)}")
        items = []
        for number, item in enumerate(data):
            try:
                items.append(item_read(item))
            except _Bad as bad:
                raise bad.within(f"[{number}]") from None
        return tuple(items)

    return _Codec(list if inner.as_is else lambda value: [item_write(item) for item in value], read)


def _writers(kinds: Iterable[type]) -> _Writers:
    """The name of each of these dataclasses, and how it is written."""
    return {kind: (_snake(kind.__name__), _codec(kind).write) for kind in kinds}


def _union(kinds: list[type]) -> _Codec:
    """One of several dataclasses, told apart by `kind`."""
    writers = _writers(kinds)
    readers = {_snake(kind.__name__): _codec(kind).read for kind in kinds}

    def write(value: Any) -> dict[str, Any]:
        name, inner = writers[type(value)]
        return {"kind": name, **inner(value)}

    def read(data: object) -> Any:
        given = dict(_object(data))
        name = _read_field(given, "kind", _SCALARS[str].read)
        if name not in readers:
            raise _Bad(f"expected one of {', '.join(readers)}, found {_shown(name)}").within("kind")
        del given["kind"]
        return readers[name](given)

    return _Codec(write, read)


def _record(kind: type) -> _Codec:
    """A dataclass, written as an object of its fields; what is not compared is no content, and not written."""
    hints, said = get_type_hints(kind), [field for field in fields(kind) if field.compare]
    codecs = {field.name: _codec(hints[field.name]) for field in said}
    defaults = {field.name: field.default for field in said}
    readers = {name: codec.read for name, codec in codecs.items()}
    required = frozenset(name for name, default in defaults.items() if default is MISSING)

    def read(data: object) -> Any:
        given = _object(data)
        values = {}
        for name, item in given.items():
            if name not in readers:
                raise _Bad("unknown here (written by a newer moa?)").within(name)
            try:
                values[name] = readers[name](item)
            except _Bad as bad:
                raise bad.within(name) from None
        if not required <= values.keys():
            raise _Bad("missing").within(min(required - values.keys()))
        return kind(**values)

    return _Codec(_writing(codecs, defaults), read)


def _writing(codecs: dict[str, _Codec], defaults: dict[str, Any]) -> Callable[[Any], dict[str, Any]]:
    """What writes a dataclass of these fields, a line for each (as in `values.py`): a loop over them takes twice as long."""
    names, lines = dict[str, Any](), ["data = {}"]
    for name, codec in codecs.items():
        names |= {f"_write_{name}": codec.write, f"_usual_{name}": defaults[name]}
        said = "" if defaults[name] is MISSING else f"if item is not _usual_{name} and item != _usual_{name}: "
        lines += [
            f"item = value.{name}",
            f"{said}data[{name!r}] = {'item' if codec.as_is else f'_write_{name}(item)'}",
        ]
    write: Callable[[Any], dict[str, Any]] = made("write(value)", [*lines, "return data"], names)
    return write


def _object(data: object) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise _Bad(f"expected an object, found {_shown(data)}")
    return data


def _read_field(data: dict[str, Any], name: str, read: Callable[[Any], Any]) -> Any:
    if name not in data:
        raise _Bad("missing").within(name)
    try:
        return read(data[name])
    except _Bad as bad:
        raise bad.within(name) from None


def _shown(data: object) -> str:
    text = ascii(data)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
