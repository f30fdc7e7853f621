"""What the rooms above must look like from below: Protocols of one or two methods, and the Scope that travels down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol, TypeAlias

from moa.core.events import Delta, Event, Fact
from moa.core.money import Account, Entry, Hold
from moa.core.types import Reply, Request


def _ignore(fact: Fact) -> None:
    """Nobody listens."""


def _unmarked() -> None:
    """Nobody waits for it."""


def _yes() -> bool:
    """Somebody waits."""
    return True


class Scope(NamedTuple):
    """What travels down with a Request. A wrap hands on its own with `scope.but(…)`: each call makes several, and a copy of
    a frozen dataclass costs five times as much.

    `deadline` is on the event loop's clock (`loop.time()`), None for none. `want_deltas` asks the wire to stream; each
    piece is handed to `emit`. `attempt` numbers the tries of one logical call from 1. `sent` is called when an attempt has
    its place and goes out. `spare`: somebody else can answer instead, so that nobody waits long for this one. `awaited`
    says whether anybody still waits: the step of a straggler that is kept has closed. `accounts` pay. `heard` is called with
    each piece that came where nobody wants deltas. `timed`: whoever sent this ends it at the deadline.
    """

    emit: Callable[[Fact], None] = _ignore
    deadline: float | None = None
    want_deltas: bool = False
    final: bool = False
    run: str = ""
    span: int = 0
    role: str = ""
    tenant: str = ""
    mixture: str = ""
    accounts: tuple[Account, ...] = ()
    attempt: int = 1
    sent: Callable[[], None] = _unmarked
    spare: bool = False
    awaited: Callable[[], bool] = _yes
    heard: Callable[[Delta], None] = _ignore
    timed: bool = False

    def but(self, **changes: Any) -> Scope:
        """The same scope with these changes. (What `_replace` does, in a third of the time.)"""
        values: list[Any] = list(self)
        for name, value in changes.items():
            if name not in _PLACES:
                raise TypeError(f"a Scope has no {name}")
            values[_PLACES[name]] = value
        return tuple.__new__(Scope, values)


_PLACES = {name: place for place, name in enumerate(Scope._fields)}


class Provider(Protocol):
    """Whoever can `send` a Request."""

    async def send(self, request: Request, scope: Scope) -> Reply:
        """Return the reply.

        Raises:
            ProviderError: no usable answer came back; says whose fault it is and whether to try again.
        """
        ...


Sink: TypeAlias = Callable[[Event], None]
"""A listener. It must not block; one that raises is dropped and counted, and the run goes on."""


class Store(Protocol):
    """Keeps events (all but deltas)."""

    def add(self, event: Event) -> None:
        """Keep one event; returns at once. A Store's `add` is a Sink."""
        ...

    def events(self, run: str) -> Iterable[Event]:
        """The events of one run in order; empty for an unknown run."""
        ...


class Ledger(Protocol):
    """Keeps money, in US dollars: reserve before an attempt is sent, settle when it has ended."""

    async def reserve(self, accounts: tuple[Account, ...], amount: float) -> Hold:
        """Set `amount` aside in every account.

        Raises:
            BudgetExceeded: one of them does not have so much left; nothing was set aside.
            StoreFailed: it cannot be known now.
        """
        ...

    def settle(self, hold: Hold, entry: Entry) -> None:
        """Give back what was set aside and write down what was spent; returns at once. Nothing need be set aside for what
        costs nothing: `Hold(accounts)`."""
        ...

    def forget(self, accounts: tuple[Account, ...]) -> None:
        """The run these belong to has ended: those that are not daily pay no more."""
        ...
