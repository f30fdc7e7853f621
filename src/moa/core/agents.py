"""An agent: a model with a manner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from moa.core.errors import ConfigError
from moa.core.types import Call, Conversation, Framing, Manner, Replies, Sampling


@dataclass(frozen=True, slots=True)
class Agent:
    """A model with a manner: makes a Call of a conversation.

    `model` is `"host:model"` (`"groq:llama-3.3-70b"`, `"builtin:p1"`). `prompt` is its own system prompt. `framing` says how
    it is shown references: `"fenced"` (default), `"quoted"` (short, without instructions: for small models) or `"paper"`
    (the layout of arXiv 2406.04692, for reproducing its results). `fallback` are models ("host:model") that are asked in turn
    where this one has no answer. Unset settings are the provider's defaults.

    Raises:
        ConfigError: `framing` is none of these, or a setting is no number.
    """

    model: str
    name: str = ""
    prompt: str = ""
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    framing: Framing = "fenced"
    fallback: Sequence[str] = ()
    sampling: Sampling = field(init=False, compare=False, repr=False)
    """How it draws its answers."""
    _manner: Manner = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.framing not in ("fenced", "quoted", "paper"):
            raise ConfigError(f'{self.model}: framing {self.framing!r} is none of "fenced", "quoted" and "paper"')
        for setting in ("temperature", "top_p", "max_tokens", "seed"):
            if not isinstance(getattr(self, setting), int | float | None):
                raise ConfigError(f"{self.model}: {setting} {getattr(self, setting)!r} is no number")
        if isinstance(self.fallback, str):
            raise ConfigError(f"{self.model}: fallback is a list of models, as in fallback=[{self.fallback!r}]")
        object.__setattr__(self, "fallback", tuple(self.fallback))
        if not self.name:
            object.__setattr__(self, "name", self.model)
        sampling = Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            seed=self.seed,
            reasoning_effort=self.reasoning_effort,
        )
        object.__setattr__(self, "sampling", sampling)
        object.__setattr__(self, "_manner", Manner(self.prompt, self.framing))

    def call(
        self,
        conversation: Conversation,
        references: Replies = (),
        *,
        task: str = "",
        role: str = "proposer",
        sample: int = 0,
    ) -> Call:
        """The call this agent makes of a conversation and the references it is given.

        `sample` > 0 tells equal calls apart (Self-MoA); where a seed is set, each sample draws with its own.
        """
        sampling = self.sampling
        if sample and self.seed is not None:
            sampling = replace(sampling, seed=self.seed + sample)
        return Call(
            model=self.model,
            conversation=conversation,
            references=references,
            task=task,
            manner=self._manner,
            sampling=sampling,
            sample=sample,
            agent=self.name,
            role=role,
            fallbacks=tuple(self.fallback),
        )
