"""Where the questions of a mixture come in: checked, held to their limits, and made into the order of a run."""

from __future__ import annotations

from moa.config.budget import affordable, payers
from moa.config.build import Rig
from moa.config.flows import kind_of
from moa.config.schema import problem_of
from moa.core.errors import ConfigError, Overloaded
from moa.core.money import Account
from moa.core.plan import plan
from moa.core.ports import Sink
from moa.core.types import PLAIN, Conversation, Form, Sampling
from moa.engine.call import draw_nonce
from moa.engine.watch import Order
from moa.flows.acting import ANY, Advise, acting, must_act
from moa.flows.answers import Kind
from moa.flows.schema import under_schema
from moa.flows.topology import MakeFlow
from moa.stores.sqlite import Sqlite
from moa.wrap.advice import Advised


class Intake:
    """Takes the questions of the mixture `name`, whose answers are of that kind (None: as the configuration says). With `keep`, its
    runs are kept in the store."""

    def __init__(
        self, rig: Rig, name: str, flow: MakeFlow, *, keep: bool, sinks: tuple[Sink, ...], answers: Kind | None = None
    ) -> None:
        self._rig, self._name, self._flow, self._keep, self._sinks = rig, name, flow, keep, sinks
        spec = rig.config.spec.mixtures.get(name)
        self._advise_on: Advise = spec.advise_on if spec else "turn"
        self._answers = kind_of(rig.config, name) if answers is None else answers
        self._checked = self._opened = False
        self._models: tuple[tuple[str, str], ...] | None = None

    def order(
        self,
        conversation: Conversation,
        *,
        deadline: float | None,
        max_cost: float | None,
        deltas: str,
        sinks: tuple[Sink, ...],
        payer: Account | None = None,
        tenant: str = "",
        form: Form = PLAIN,
        sampling: Sampling | None = None,
    ) -> Order:
        """The order of one run; see `Mixture.ask`.

        Raises:
            ConfigError: something of it is wrong, or a model cannot be called.
            BudgetExceeded: it may cost more than it is allowed.
            Overloaded, StoreFailed: it could not be written down.
        """
        rig, deadline, max_cost = self._rig, _positive("deadline", deadline), _positive("max_cost", max_cost)
        self.check(conversation)
        must_act(self._flow, conversation, form)
        accounts = payers(rig, self._name, max_cost, payer)
        store = self._ready_store(accounts)
        tenant = tenant or (payer.name if payer else "")
        looped = bool(form.tools) and self._advise_on != "call"
        flow = acting(self._flow, form, sampling or ANY, advise_on=self._advise_on)
        if form.schema:
            flow = under_schema(flow, problem_of(form.schema))
        return Order(
            flow=affordable(flow, conversation, rig, max_cost, self._name),
            conversation=conversation,
            provider=Advised(rig, rig.advice.replies) if looped else rig,
            mixture=self._name,
            answers=self._answers,
            accounts=accounts,
            tenant=tenant,
            deadline=deadline,
            deltas=deltas,
            sinks=(*self._sinks, *((store.add,) if store else ()), *sinks),
            price=rig.price,
            context=rig.context,
            nearly_all=rig.nearly_all,
            nonce=(lambda call: rig.advice.nonce(tenant, self._name, call, draw_nonce)) if looped else None,
        )

    def _ready_store(self, accounts: tuple[Account, ...]) -> Sqlite | None:
        """The store, if runs are kept and it can take one more, as the ledger can, which these accounts are in."""
        store, ledger = self._rig.store if self._keep else None, self._rig.ledger
        if not self._opened:
            ledger.check(accounts)
            if store is not None:
                store.check()
            self._opened = True
        for kept in (store, ledger):
            if kept is not None and kept.full:
                raise Overloaded(
                    f"{kept.path} cannot be written so quickly, or not at all, so no new run is started; try again"
                )
        return store

    def check(self, conversation: Conversation) -> None:
        """See that every model can be called, once, those behind routes not taken among them: a missing key or file is an error
        before any call.

        Raises:
            ConfigError: one cannot be.
        """
        if self._checked:
            return
        config = self._rig.config
        # planned once, where one cannot be called, too: a server asks for all its mixtures again and again
        if self._models is None:
            self._models = plan(self._flow, conversation, lambda model: None, routes=True, fewest=False).models
        for agent, model in self._models:
            where = config.where(f"agents.{agent}.model") if agent in config.spec.agents else f"agent {agent}"
            self._rig.wires.check(model, where)
        self._checked = True


def _positive(name: str, number: object) -> float | None:
    """A number above 0, or None.

    Raises:
        ConfigError: it is something else.
    """
    if number is None:
        return None
    if not isinstance(number, int | float) or isinstance(number, bool) or not 0 < number < float("inf"):
        raise ConfigError(f"{name}: {number!r} is no number above 0")
    return float(number)
