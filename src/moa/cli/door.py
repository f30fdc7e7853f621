"""The outermost door: whatever goes wrong inside becomes one line on stderr and an exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
import traceback
from contextlib import suppress

from moa.cli.verdict import CTRL_C, TERMINATED, problem, verdict
from moa.core.errors import ConfigError

BROKEN_PIPE = 141


def enter(argv: list[str]) -> int:
    """Run a command; its exit code. Nothing but Ctrl-C during the report itself comes out as an exception."""
    argv, debug = _debug(argv or ["--help"])
    _speak_utf8()
    terminated = _terminate_as_ctrl_c()
    try:
        code = _invoke(argv)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        _abandon_stdout()
        return BROKEN_PIPE
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the outermost door
        if debug:
            traceback.print_exception(error)
        code, words = verdict(error)
        problem(words)
        _abandon_stdout()
        return TERMINATED if terminated and code == CTRL_C else code


def _terminate_as_ctrl_c() -> list[int]:
    """See that SIGTERM (from `timeout`, say) ends a run as Ctrl-C does; the list holds it once it has come."""
    came: list[int] = []

    def pass_on(number: int, frame: object) -> None:
        came.append(number)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell script's `moa … &` is started so
            signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.raise_signal(signal.SIGINT)

    with suppress(ValueError):  # not in the main thread: nothing to do here
        signal.signal(signal.SIGTERM, pass_on)
    return came


def _invoke(argv: list[str]) -> int:
    """Hand the words to typer, past its own door: that one has other words for errors, Ctrl-C and broken pipes.

    What it raises at a wrong use is told by its shape: the class has moved between its versions.
    """
    import typer

    from moa.cli.app import app

    command = typer.main.get_command(app)
    try:
        with command.make_context("moa", argv) as context:
            code = command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        path = getattr(getattr(error, "ctx", None), "command_path", "moa")
        raise ConfigError(f"{error.format_message().rstrip('.')} (see `{path} --help`)") from error
    return code if isinstance(code, int) else 0


def _debug(argv: list[str]) -> tuple[list[str], bool]:
    """The words without `--debug`, which may stand anywhere before `--`, and whether it or MOA_DEBUG was there."""
    end = argv.index("--") if "--" in argv else len(argv)
    kept = [word for word in argv[:end] if word != "--debug"] + argv[end:]
    return kept or ["--help"], len(kept) < len(argv) or os.environ.get("MOA_DEBUG", "0") not in ("", "0", "false")


def _speak_utf8() -> None:
    """UTF-8 whatever the locale says; a lone surrogate becomes "?". A closed stream swallows what is written to it."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, io.StringIO())
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")


def _abandon_stdout() -> None:
    """Write what is left, if it can be written: nobody may be there to read (`| head`), or the disk be full. Then see
    that Python does not try again at its end."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
