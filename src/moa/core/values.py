"""Values that cost little to make: one answer makes a hundred of them."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, TypeVar

T = TypeVar("T")


def quickly_made(cls: type[T]) -> type[T]:
    """The same frozen dataclass with slots, made in a third of the time; it cannot be inherited from.

    Its own `__init__` sets each field through `object.__setattr__`, since the class is closed. Here a twin with the same slots,
    which is open, is filled by plain assignments, and then becomes one of the class.
    """
    twin = type(cls.__name__, (), {"__slots__": cls.__slots__})  # type: ignore[attr-defined]
    given, names, taken, lines = [], dict[str, Any](_twin=twin, _new=object.__new__, _missing=MISSING), [""], []
    for one in fields(cls):  # type: ignore[arg-type]
        name, fixed = one.name, one.default is not MISSING
        names |= {f"_default_{name}": one.default, f"_factory_{name}": one.default_factory}
        new = f"_default_{name}" if fixed else f"_factory_{name}()"
        if one.init:
            given.append(name)
            taken.append(
                name if not fixed and one.default_factory is MISSING else f"{name}={new if fixed else '_missing'}"
            )
            lines.append(
                f"self.{name} = {name}"
                if fixed or one.default_factory is MISSING
                else f"self.{name} = {new} if {name} is _missing else {name}"
            )
        elif fixed or one.default_factory is not MISSING:
            lines.append(f"self.{name} = {new}")
    lines += ["self.__class__ = cls", *(["self.__post_init__()"] if hasattr(cls, "__post_init__") else [])]
    new_one = made(f"__new__(cls{', '.join(taken)})", ["self = _new(_twin)", *lines, "return self"], names)
    cls.__new__ = new_one  # type: ignore[method-assign]
    cls.__getnewargs__ = lambda self: tuple(getattr(self, name) for name in given)  # type: ignore[attr-defined]
    del cls.__init__
    return cls


def made(head: str, lines: list[str], names: dict[str, Any]) -> Any:
    """The function of these lines, which use `names`: as dataclasses make theirs, and of nothing but names of fields."""
    exec("\n ".join((f"def {head}:", *lines)), names)
    return names[head.partition("(")[0]]
