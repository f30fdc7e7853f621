"""`moa serve`: the mixtures as models, over HTTP."""

from __future__ import annotations

import gc
import os
import time
from typing import TYPE_CHECKING, Annotated

import typer

from moa.cli.options import ConfigFile
from moa.cli.output import Screen
from moa.core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from moa.core.ports import Sink
    from moa.server.app import App
    from moa.server.door import Rules

TRACES_TO = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
SELDOM = 50_000, 50
"""How seldom the garbage collector looks through what is under way (`gc.set_threshold`)."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0: any that is free.")] = 8080,
    config: ConfigFile = None,
    no_auth: Annotated[bool, typer.Option("--no-auth", help="Let in whoever comes, without a key.")] = False,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A name this server answers to besides its address (may be given again).")
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(help="A web page's origin that may ask this server (may be given again).")
    ] = None,
) -> None:
    """Serve the mixtures as models: OpenAI's chat completions and responses, Anthropic's messages."""
    app = _loaded(config, host, no_auth, tuple(allow_host or ()), tuple(allow_origin or ()))
    from moa.server.serving import run

    run(
        app,
        host,
        port,
        ready=lambda address: Screen().say(f"moa serves {', '.join(app.state.catalogue.ids)} at {address}/v1"),
    )


def _loaded(config: Path | None, host: str, no_auth: bool, hosts: tuple[str, ...], origins: tuple[str, ...]) -> App:
    """The application, and all it needs. What is loaded stays: nobody looks through it for garbage, now (it takes a tenth of the
    start) or later; and all that is under way is looked through seldom (done as often as Python does it, a tenth of the time).

    Raises:
        ConfigError: a package is missing, or the configuration is wrong.
    """
    gc.disable()
    try:
        try:
            import uvicorn  # noqa: F401
        except ImportError as error:
            raise ConfigError("`moa serve` needs more packages: pip install 'mixture-of-agents[server]'") from error
        from moa.config.build import Rig
        from moa.config.find import load_here
        from moa.server.app import App
        from moa.server.catalogue import Catalogue

        _log()
        loaded = load_here(file=config)
        app = App(Catalogue(Rig(loaded), _sinks()), _rules(loaded.spec.store, host, no_auth, hosts, origins))
        gc.freeze()
        gc.set_threshold(*SELDOM)
        return app
    finally:
        gc.enable()


def _sinks() -> tuple[Sink, ...]:
    """Who is told of every run: OpenTelemetry's collector, where its usual variables name one.

    Raises:
        ConfigError: one is named, and the packages for it are not there.
    """
    if not any(os.environ.get(name) for name in TRACES_TO):
        return ()
    try:
        from moa.sinks.otel import exported
    except ImportError as error:
        raise ConfigError(
            f"{TRACES_TO[0]}: traces need more packages: pip install 'mixture-of-agents[otel]'"
        ) from error
    return (exported(),)


def _log() -> None:
    """One JSON line a request on stderr, and one for whatever else there is to say."""
    import logging

    from moa.server.serving import JsonLines

    heard = logging.StreamHandler()
    heard.setFormatter(JsonLines())
    logging.getLogger().addHandler(heard)
    logging.getLogger("moa.server").setLevel(logging.INFO)


def _rules(store: object, host: str, no_auth: bool, hosts: tuple[str, ...], origins: tuple[str, ...]) -> Rules:
    """Who may come in.

    Raises:
        ConfigError: nobody could, or everybody from anywhere.
    """
    from moa.config.build import keys_path
    from moa.server.door import Rules
    from moa.stores.keys import Keys

    keys = Keys(keys_path(store, os.environ))  # type: ignore[arg-type]
    literal = tuple(key.strip() for key in os.environ.get("MOA_API_KEYS", "").split(",") if key.strip())
    near = host in LOOPBACK
    if no_auth and not near:
        raise ConfigError(f"--no-auth lets in anybody who reaches {host}; with it, listen on 127.0.0.1")
    if not no_auth and not literal and not any(key.state(time.time()) == "active" for key in keys.all()):
        raise ConfigError(
            "there is no active key: `moa keys create NAME` makes one (or MOA_API_KEYS=…, or --no-auth on this machine)"
        )
    names = (*LOOPBACK, host, *hosts) if near or hosts else ()
    return Rules(keys, literal, no_auth, names, origins)
