"""Development commands. `nox` runs what CI runs; `nox -s tests -- -k name` one part of it."""

import nox

nox.options.sessions = ["tests", "lint", "types", "benchmarks"]
nox.options.default_venv_backend = "venv"


@nox.session
def tests(session: nox.Session) -> None:
    """The whole test suite, as the README's second command runs it."""
    session.install(".[dev]")
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Formatting and lint rules."""
    session.install("ruff")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict over the package."""
    session.install(".[dev]")
    session.run("mypy")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """The benchmarks, small: that they run, not what they show."""
    session.install(".[dev]")
    session.run("python", "benchmarks/embedded.py", "--quick")
    session.run("python", "benchmarks/overhead.py", "--quick")
    session.run("python", "benchmarks/defences.py", "--quick")
