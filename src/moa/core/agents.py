"""An agent: a model with a manner, or a function that answers in a model's place."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from moa.core.errors import ConfigError
from moa.core.named import check_name, seen_by
from moa.core.prompts import instructions
from moa.core.types import PLAIN, Call, Conversation, Form, Framing, Function, Manner, Replies, Sampling

FUNCTIONS = "function"
"""The host of agents that are functions: "function:triage"."""
OF_MODELS = ("prompt", "role", "temperature", "top_p", "max_tokens", "seed", "reasoning_effort")


@dataclass(frozen=True, slots=True)
class Agent:
    """A model with a manner: makes a Call of a conversation.

    `model` is `"host:model"` (`"groq:llama-3.3-70b"`, `"builtin:p1"`), or an async function of the conversation (a classifier, a
    rule, a search: docs/parts.md). `prompt` is its own system prompt, `role` what it is in this task ("radiologist"). Of the
    named parts of a question it sees those in its `view` (empty: all); where the question has none of them it is not asked.
    `schema` is a JSON Schema, as text or as a dictionary, that its replies must obey.
    `framing` says how it is shown references: `"fenced"` (default), `"quoted"` (short, without instructions: for small models) or
    `"paper"` (the layout of arXiv 2406.04692, for reproducing its results). `fallback` are models ("host:model") that are asked in
    turn where this one has no answer. Unset settings are the provider's defaults.

    Raises:
        ConfigError: `framing` is none of these, a setting is no number or not a function's, a view or schema cannot be one, or
            the function is not async.
    """

    model: str | Function
    name: str = ""
    prompt: str = ""
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    framing: Framing = "fenced"
    fallback: Sequence[str] = ()
    view: Sequence[str] = ()
    role: str = ""
    schema: str | Mapping[str, Any] = ""
    sampling: Sampling = field(init=False, compare=False, repr=False)
    """How it draws its answers."""
    _model: str = field(init=False, compare=False, repr=False)
    _manner: Manner = field(init=False, compare=False, repr=False)
    _last_word: Manner = field(init=False, compare=False, repr=False)
    _form: Form = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        model = self.model if isinstance(self.model, str) else self._named(self.model)
        object.__setattr__(self, "_model", model)
        if self.framing not in ("fenced", "quoted", "paper"):
            raise ConfigError(f'{model}: framing {self.framing!r} is none of "fenced", "quoted" and "paper"')
        if self.prompt == "paper":
            raise ConfigError(
                f'{model}: prompt = "paper" would be a system prompt; the paper\'s layout is framing = "paper" of an agent, and '
                'prompt = "paper" of a mixture'
            )
        for setting in ("temperature", "top_p", "max_tokens", "seed"):
            if not isinstance(getattr(self, setting), int | float | None):
                raise ConfigError(f"{model}: {setting} {getattr(self, setting)!r} is no number")
        for setting, example in (("fallback", "models"), ("view", "names")):
            if isinstance(value := getattr(self, setting), str):
                raise ConfigError(f"{model}: {setting} is a list of {example}, as in {setting}=[{value!r}]")
            object.__setattr__(self, setting, tuple(value))
        for name in self.view:
            check_name(name, f"{model}: view")
        if not self.name:
            object.__setattr__(
                self, "name", model if isinstance(self.model, str) else model.removeprefix(f"{FUNCTIONS}:")
            )
        sampling = Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            seed=self.seed,
            reasoning_effort=self.reasoning_effort,
        )
        object.__setattr__(self, "sampling", sampling)
        self._set_manner()

    def _named(self, function: object) -> str:
        """What a function is called as a model."""
        name = self.name or getattr(function, "__name__", "") or type(function).__name__
        if not callable(function) or name == "<lambda>":
            raise ConfigError(f'an agent is "host:model" or an async function with a name, not {function!r}')
        if not inspect.iscoroutinefunction(function) and not inspect.iscoroutinefunction(type(function).__call__):
            raise ConfigError(
                f"{name}: an agent's function is async; write `async def {name}(conversation)`, and have what blocks run in a "
                "thread: `await asyncio.to_thread(…)`"
            )
        if isinstance(function, partial) and not self.name:
            raise ConfigError(f"{function!r} has no name of its own: Agent(…, name=…)")
        if said := [setting for setting in OF_MODELS if getattr(self, setting) not in (None, "")]:
            raise ConfigError(f"{name}: {said[0]} is of models; this agent is a function")
        return f"{FUNCTIONS}:{name}"

    def _set_manner(self) -> None:
        schema = self.schema if isinstance(self.schema, str) else json.dumps(self.schema)
        object.__setattr__(self, "schema", schema)
        object.__setattr__(self, "_form", Form(schema=schema, own=True) if schema else PLAIN)
        specialist = bool(self.view or self.role or schema)
        manner = Manner(
            self._instructions(abstains=specialist), self.framing, view=tuple(self.view), abstains=specialist
        )
        object.__setattr__(self, "_manner", manner)
        object.__setattr__(self, "_last_word", replace(manner, instructions=self._instructions(abstains=False)))

    def _instructions(self, *, abstains: bool) -> str:
        """Its system prompt. A small model (`framing = "quoted"`) is told its role and its own prompt only, a function nothing."""
        if callable(self.model):
            return ""
        if self.framing == "quoted":
            return instructions(self.prompt, self.role)
        return instructions(self.prompt, self.role, tuple(self.view), str(self.schema), abstains=abstains)

    def call(
        self,
        conversation: Conversation,
        references: Replies = (),
        *,
        task: str = "",
        role: str = "proposer",
        sample: int = 0,
    ) -> Call:
        """The call this agent makes of what it sees of a conversation, and of the references it is given.

        `sample` > 0 tells equal calls apart (Self-MoA); where a seed is set, each sample draws with its own.
        """
        sampling = self.sampling
        if sample and self.seed is not None:
            sampling = replace(sampling, seed=self.seed + sample)
        return Call(
            model=self._model,
            conversation=seen_by(self.view, conversation) if self.view else conversation,
            references=references,
            task=task,
            manner=self._last_word if role == "aggregator" else self._manner,
            sampling=sampling,
            sample=sample,
            agent=self.name,
            role=role,
            form=self._form,
            fallbacks=tuple(self.fallback),
            function=None if isinstance(self.model, str) else self.model,
        )
