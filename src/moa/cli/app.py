"""The commands, listed."""

from __future__ import annotations

from typing import Annotated

import typer

from moa._version import __version__
from moa.cli import keys, learn, runs
from moa.cli.ask import ask
from moa.cli.chat import chat
from moa.cli.costs import costs
from moa.cli.doctor import doctor
from moa.cli.init import init
from moa.cli.models import models
from moa.cli.output import Screen
from moa.cli.serve import serve
from moa.cli.show import show

app = typer.Typer(
    help="Several language models in layers, as one better model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        Screen().line(f"moa {__version__}")
        raise typer.Exit


@app.callback()
def top(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from; also MOA_DEBUG=1.")] = False,
) -> None:
    """Several language models in layers, as one better model."""


for command in (ask, chat, serve, show, models, costs, init, doctor):
    app.command()(command)
app.add_typer(runs.app, name="runs")
app.add_typer(keys.app, name="keys")
app.add_typer(learn.app, name="learn")
