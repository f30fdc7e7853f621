"""What is said of an error: its exit code, and one line."""

from __future__ import annotations

import sys
from contextlib import suppress

from moa.cli.output import one_line
from moa.core.errors import BudgetExceeded, ConfigError, DeadlinePassed, MoaError, StoreFailed

CTRL_C = 130
TERMINATED = 143


def problem(text: str) -> None:
    """One line on stderr."""
    with suppress(BrokenPipeError):
        sys.stderr.write(f"moa: {one_line(text)}\n")
        sys.stderr.flush()


def verdict(error: BaseException) -> tuple[int, str]:
    """The exit code of an error, and what is said about it."""
    match error:
        case KeyboardInterrupt():
            return CTRL_C, "stopped"
        case ConfigError():
            return 2, str(error)
        case BudgetExceeded():
            return 3, str(error)
        case DeadlinePassed():
            return 4, f"no answer: {error}"
        case StoreFailed():
            return 1, str(error)
        case MoaError():
            return 1, f"no answer: {error}"
        case OSError(strerror=str()):
            return 1, f"{f'{error.filename}: ' if error.filename else ''}{error.strerror}"
        case _:
            return 1, f"internal error: {type(error).__name__}: {error}; run again with --debug"
