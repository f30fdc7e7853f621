"""What a configuration says of a right answer, as code: a pattern, a range, a schema, or a function of yours."""

from __future__ import annotations

import importlib
import inspect
import re

import msgspec

from moa.config.checks import Verify
from moa.config.schema import problem_of
from moa.core.errors import ConfigError
from moa.flows.best_of import matching, obeying, within
from moa.flows.check import Verifier


def verifier_of(spec: Verify) -> Verifier:
    """What a configuration says of a right answer, as code.

    Raises:
        ConfigError: it cannot be used; names the place.
    """
    if spec.pattern is not None:
        try:
            return matching(spec.pattern)
        except re.error as error:
            raise ConfigError(f"verify.pattern: no regular expression ({error})") from None
    if spec.number is not None:
        try:
            return within(*spec.number)
        except ConfigError as error:
            raise ConfigError(f"verify.{error}") from None
    if spec.schema_ is not None:
        try:
            return obeying(problem_of(spec.schema_))
        except (ConfigError, msgspec.DecodeError) as error:
            raise ConfigError(f"verify.schema: {error}") from None
    return _own(spec.function or "")


def _own(path: str) -> Verifier:
    """The function that "package.module:function" names.

    Raises:
        ConfigError: there is none, its module cannot be imported, or it is no function that takes one text and returns a score.
    """
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it does
        kind = "" if isinstance(error, ImportError | AttributeError | ValueError) else f"{type(error).__name__}: "
        lost = isinstance(error, ModuleNotFoundError) and error.name == module.partition(".")[0]
        where = "; it is looked for where Python looks: install it, or name its folder in PYTHONPATH" if lost else ""
        raise ConfigError(f'verify.function: {path!r} is no "package.module:function" ({kind}{error}{where})') from None
    if not callable(found):
        raise ConfigError(f"verify.function: {path!r} cannot be called")
    for one in (found, type(found).__call__, getattr(found, "func", None)):
        if inspect.iscoroutinefunction(one) or inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one):
            raise ConfigError(f"verify.function: {path!r} is async or yields; write a plain def that returns a score")
    try:
        inspect.signature(found).bind("")
    except TypeError:
        raise ConfigError(f"verify.function: {path!r} does not take one argument, the text") from None
    except ValueError:
        pass  # a builtin may not tell what it takes
    verifier: Verifier = found
    return verifier
