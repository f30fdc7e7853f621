"""What a configuration may say. Validated here and nowhere else; `build.py` makes objects of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator, model_validator

from moa.config.checks import Gate, Verify
from moa.config.idle import idle
from moa.config.routes import Classifier, Route
from moa.flows.adaptive import SURE
from moa.flows.modes import Mode
from moa.flows.topology import ASK_NOBODY

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Host(_Strict):
    """Any server that speaks one of the wires. `key` names an environment variable: "env:NAME".

    Of a host that moa knows by name only what differs is said; any other needs its `base_url`, and its wire where that is not
    "chat". A key goes to its own address only: who says another `base_url` names the key for it, too.

    `one_model`: the server's machine holds one model at a time, so that calls of one model go together (`wrap/turns.py`).
    """

    base_url: str | None = None
    wire: Literal["chat", "responses", "anthropic", "gemini", "embeddings"] | None = None
    key: str | None = None
    at_once: int | None = Field(None, ge=1)
    one_model: bool = False

    @field_validator("key")
    @classmethod
    def _only_a_reference(cls, key: str | None) -> str | None:
        if key is not None and not key.startswith("env:"):
            raise ValueError(
                'keys are named, never written down: use "env:NAME" with the name of an environment variable'
            )
        return key


class Agent(_Strict):
    """A model with a manner. `model` is "host:model"; `timeout` is in seconds. `role`, `view` and `schema`: docs/parts.md.

    `fallback` are models that are asked in turn where this one has no answer.
    """

    model: str
    fallback: tuple[str, ...] = ()
    prompt: str = ""
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    max_tokens: int | None = Field(None, ge=1)
    seed: int | None = None
    reasoning_effort: str | None = None
    framing: Literal["fenced", "quoted", "paper"] = "fenced"
    timeout: Seconds | None = None
    role: str = ""
    view: tuple[str, ...] = ()
    schema_: str | dict[str, Any] = Field("", alias="schema")


BESIDE_ROUTER = {
    "router", "embedder", "description", "routes", "classifier", "mode", "gate", "advise_on", "deadline", "max_cost",
    "max_cost_per_day",
}  # fmt: skip
"""Settings that a mixture with a router may have."""
OF_TOPOLOGY = {"keep": "sparse", "group": "tree", "confidence": "consortium", "residual": "layered"}
"""Settings that only one topology has."""


class Mixture(_Strict):
    """Layers of agents and an aggregator; or one agent and a number of samples (Self-MoA).

    Members are names of agents or mixtures, or "host:model". `proposers` and `rounds` write equal layers shortly. `need`
    replies close a layer early, after `grace` more seconds ("learnt": as long as nearly all calls of those still out take). The
    aggregator reads all references at once, or `window` at a time. In a tool loop the proposers advise once on a user's "turn", on
    every "call", or on every n-th.

    `topology` is who reads whom, `combine` how one answer is made of many (docs/methods.md). `judges` judge in the aggregator's
    place; `weights` names a file of what each vote is worth (whose vote is worth nothing is left out where nobody votes), `pool`
    one of how probabilities are pooled. A vote asks `batch` at a time, until it is decided with a chance of `sure`. The first of
    `routes` whose conditions hold answers in the mixture's place; the `classifier` says of which category a question is. A `router`
    (a file, in place of layers) chooses one of the agents it has learnt of, by a question's words, or by what an `embedder` makes
    of them. `mode` is how much works where the caller does not say. With `sift` copies of long proposals count once in a vote, too,
    and who stands far outside is left out; with `leave_one_out` the answer's notes tell on whom it hangs. `first` answer before
    all others, and the mixture only where less than a share of `agree` of them agree, or their answer fails to `verify`. Of
    "sparse" layers `keep` proposals are passed on; a "tree" has groups of `group`; a "consortium" asks again until a share of
    `confidence` agrees. `ranking` and `ballots` are of combine = "rank", `verify` of "best" and of the guard. `prompt = "paper"`
    lays out what its agents read as the first Mixture-of-Agents did.
    """

    description: str = ""
    layers: tuple[tuple[str, ...], ...] = ()
    proposers: tuple[str, ...] = Field((), validation_alias=AliasChoices("proposers", "reference_models", "panel"))
    rounds: int = Field(1, ge=1, le=10)
    agent: str | None = None
    samples: int = Field(1, ge=1, le=100)
    aggregator: str | None = Field(None, validation_alias=AliasChoices("aggregator", "judge", "chairman", "arbiter"))
    topology: Literal["layered", "sparse", "tree", "debate", "refine", "consortium"] = "layered"
    combine: Literal[
        "synthesise", "select", "rank", "council", "fusion", "vote", "fields", "medoid", "best", "pool"
    ] = "synthesise"
    prompt: Literal["paper"] | None = None
    judges: tuple[str, ...] = ()
    ranking: Literal["pairwise", "listwise"] = "pairwise"
    ballots: Literal["copeland", "borda"] = "copeland"
    verify: Verify | None = None
    guard: Literal["anchor"] | None = None
    sift: bool = False
    leave_one_out: bool = False
    gate: Gate | None = None
    keep: int = Field(2, ge=1, strict=True)
    group: int = Field(3, ge=2, strict=True)
    confidence: float = Field(0.8, gt=0, le=1)
    residual: bool = False
    first: tuple[str, ...] = ()
    agree: float = Field(1.0, gt=0, le=1)
    weights: str | None = None
    pool: str | None = None
    routes: tuple[Route, ...] = ()
    classifier: Classifier | None = None
    router: str | None = None
    embedder: str | None = None
    mode: Mode | None = None
    batch: int | None = Field(None, ge=1, strict=True)
    sure: float = Field(SURE, ge=0.5, le=1)
    answers: Literal["auto", "number", "choice", "json", "literal", "text"] = "auto"
    need: int | None = Field(None, ge=1, strict=True)
    grace: Annotated[float, Field(ge=0, le=3600)] | Literal["learnt"] = 0.0
    least: int = Field(1, ge=1, strict=True)
    window: int | None = Field(None, ge=2, strict=True)
    advise_on: Literal["turn", "call"] | Annotated[int, Field(ge=1, strict=True)] = "turn"
    deadline: Seconds | None = None
    max_cost: Dollars | None = None
    max_cost_per_day: Dollars | None = None

    @model_validator(mode="after")
    def _one_shape(self) -> Mixture:
        shapes = [name for name in ("layers", "proposers", "agent", "router") if getattr(self, name)]
        if len(shapes) != 1:
            found = " and ".join(shapes) or "none of them"
            raise ValueError(
                f"a mixture has exactly one of layers, proposers or agent (with samples), or a router; this one has {found}"
            )
        if any(not layer for layer in self.layers):
            raise ValueError("a layer has at least one agent")
        if self.layers and "rounds" in self.model_fields_set:
            raise ValueError("rounds goes with proposers; with layers, write a layer once for each round")
        if "samples" in self.model_fields_set and not self.agent:
            raise ValueError("samples goes with agent; to sample a proposer, name it as often")
        if unknown := {one.category for one in self.routes if self.classifier} - {None, *self._categories}:
            raise ValueError(f"routes: the classifier knows no category {min(map(str, unknown))!r}")
        if self.router:
            if odd := self.model_fields_set - BESIDE_ROUTER:
                raise ValueError(f"router: it chooses one agent, so {min(odd)} has no use beside it")
        else:
            self._goes_together()
        if problem := idle(self):
            raise ValueError(problem)
        return self

    @property
    def _categories(self) -> tuple[str, ...]:
        return self.classifier.categories if self.classifier else ()

    def _goes_together(self) -> None:
        judged = self.topology in ("sparse", "refine") or self.guard
        if self.combine in ASK_NOBODY and self.aggregator is not None and not judged:
            raise ValueError(f'combine = "{self.combine}" asks no aggregator; leave it out')
        if self.combine not in ASK_NOBODY and self.aggregator is None and not (self.combine == "rank" and self.judges):
            raise ValueError(
                f"an aggregator is needed (or combine = {' or '.join(map(repr, ASK_NOBODY))}, which need none)"
            )
        for name, where in OF_TOPOLOGY.items():
            if name in self.model_fields_set and self.topology != where:
                raise ValueError(f'{name} is of topology = "{where}"; this one is "{self.topology}"')
        for name in ("ranking", "ballots"):
            if name in self.model_fields_set and self.combine != "rank":
                raise ValueError(f'{name} is of combine = "rank"; this one is "{self.combine}"')
        if "agree" in self.model_fields_set and not self.first and self.mode != "auto":
            raise ValueError("agree goes with first: the share of those asked first that must give the same answer")
        if self.embedder is not None:
            raise ValueError("embedder: it goes with a router, which reads embeddings")
        if self.batch is not None and (self.combine != "vote" or self.weights is not None):
            raise ValueError('batch: this is of combine = "vote" without weights, which it is decided without')
        if "sure" in self.model_fields_set and self.batch is None:
            raise ValueError("sure goes with batch: how likely it must be that a vote is decided")
        if len(self.first) == 1 and self.verify is None:
            raise ValueError(
                "first: one agent by itself agrees with itself; name several, or verify, which says what is right"
            )
        if self.pool is not None and self.combine != "pool":
            raise ValueError(f'pool: this is of combine = "pool"; this one is "{self.combine}"')
        if self.combine == "best" and self.verify is None:
            raise ValueError('combine = "best" needs verify, which says what a right answer looks like')


class Limits(_Strict):
    """What holds for every call.

    In seconds: `timeout` of one attempt in all, `first_token` before its first piece, `between_tokens` between two pieces, and
    `rest`, for which a model is not asked after `failures` in a row. `at_once` calls per host; `attempts` of one call, the
    first included; `retries` and `hedges`, the share of all calls that may be tried again or sent twice; a call is sent
    twice where it takes longer than `hedge_at` of its model's calls (0 hedges: never).
    """

    timeout: Seconds = 120.0
    first_token: Seconds | None = 60.0
    between_tokens: Seconds | None = 30.0
    at_once: int = Field(64, ge=1)
    attempts: int = Field(2, ge=1, le=2)
    retries: float = Field(0.1, ge=0, le=0.1)
    hedges: float = Field(0.05, ge=0, le=0.05)
    hedge_at: float = Field(0.95, ge=0.5, lt=1)
    failures: int = Field(5, ge=1)
    rest: Seconds = 30.0


class Profile(_Strict):
    """What a model can do; see core/profile.py. What is not said is as shipped, or taken as given."""

    context: int | None = Field(None, ge=256)
    system: bool = True
    in_a_row: bool = True
    temperature: bool = True
    top_p: bool = True
    seed: bool = True
    stop: bool = True
    reasoning_effort: bool = True
    parallel_tools: bool = True
    logprobs: bool = True
    tools: bool = True
    schema_: bool = Field(True, alias="schema")
    json_mode: bool = True
    images: bool = True
    choices: bool = True
    prefill: bool = False


class Store(_Strict):
    """Where runs are kept. `prompts = false` keeps no question and no answer; `days` is how long runs are kept."""

    keep: bool = True
    path: str | None = None
    prompts: bool = True
    days: float | None = Field(None, gt=0)


class Budget(_Strict):
    """The most that all runs together may spend, in US dollars a UTC day; `max_cost_per_day` of a mixture is its own."""

    day: Dollars | None = None


class Cache(_Strict):
    """Answers to equal calls from memory, at most `size` of them."""

    exact: bool = False
    size: int = Field(1000, ge=1)


class Server(_Strict):
    """`moa serve`. `background` is the agent that does titles and the like for chat front ends; none: the aggregator alone. Of
    more than `at_once` requests the rest are told to come again (503)."""

    background: str | None = None
    at_once: int = Field(1000, ge=1)


class Price(_Strict):
    """US dollars per million tokens."""

    input: Dollars
    output: Dollars


class Spec(_Strict):
    """A whole configuration."""

    default: str | None = None
    hosts: dict[str, Host] = {}
    agents: dict[str, Agent] = {}
    mixtures: dict[str, Mixture] = {}
    limits: Limits = Limits()
    store: Store = Store()
    budget: Budget = Budget()
    cache: Cache = Cache()
    server: Server = Server()
    prices: dict[str, Price] = {}
    profiles: dict[str, Profile] = {}

    @model_validator(mode="after")
    def _background_is_an_agent(self) -> Spec:
        if self.server.background is not None and self.server.background not in self.agents:
            raise ValueError(f"server.background: no agent {self.server.background!r} is configured")
        return self

    @field_validator("agents", mode="before")
    @classmethod
    def _no_mixtures_name(cls, table: Any) -> Any:
        for name in table if isinstance(table, dict) else ():
            if name == "moa" or name.startswith("moa/"):
                raise ValueError(f"{name!r} is how the server calls a mixture; take another name for the agent")
        return table

    @field_validator("hosts", "agents", "mixtures", mode="before")
    @classmethod
    def _names(cls, table: Any) -> Any:
        for name in table if isinstance(table, dict) else ():
            if ":" in name or not name.strip() or name != name.strip() or not name.isprintable():
                raise ValueError(f"{name!r} is no name: use letters, digits, - _ . and no colon")
        return table
