"""JSON schemas that answers must obey: compiled once, checked without fetching anything."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import msgspec

from moa.core.errors import ConfigError

MOST_SHOWN = 200
MOST_STEPS, MOST_PATTERN = 100_000, 1 << 20
"""Steps of backtracking that a schema's pattern may take, and bytes of a compiled one."""


@lru_cache(maxsize=64)
def problem_of(schema: str) -> Callable[[str], str | None]:
    """What says of a text why it does not obey a schema, and where; "{}" asks for any JSON object.

    One that allows every value is not checked at all. Its patterns are matched within MOST_STEPS, so that none takes forever;
    nothing that it points to is fetched.

    Raises:
        ConfigError: it is no JSON schema, or one that points elsewhere.
    """
    import jsonschema_rs

    rules = {"type": "object"} if schema == "{}" else msgspec.json.decode(schema)
    try:
        patterns = jsonschema_rs.FancyRegexOptions(backtrack_limit=MOST_STEPS, size_limit=MOST_PATTERN)
        validator = jsonschema_rs.validator_for(rules, offline=True, pattern_options=patterns)
    except (ValueError, RecursionError) as error:
        refusal = ConfigError(f"the schema cannot be used: {_short(str(error).partition(chr(10))[0])}")
        refusal.param = "response_format"
        raise refusal from None

    if all(map(validator.is_valid, (None, True, 0, "", [], {}))):
        return lambda text: None  # it says nothing

    def problem(text: str) -> str | None:
        try:
            value = msgspec.json.decode(text)
            found = next(validator.iter_errors(value), None)
        except (msgspec.DecodeError, UnicodeError) as error:
            return f"it is no JSON ({error})"
        except (RecursionError, ValueError) as error:
            return f"it cannot be checked ({_short(str(error))})"
        if found is None:
            return None
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in found.instance_path)
        return f"at ${place}: {_short(found.message)}"

    return problem


def _short(words: str) -> str:
    return words if len(words) <= MOST_SHOWN else f"{words[:MOST_SHOWN]} …"
