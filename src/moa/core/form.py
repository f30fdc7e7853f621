"""What form an answer must have: the tools, the schema, and how many of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from moa.core.values import quickly_made


@quickly_made
@dataclass(frozen=True, slots=True)
class Tool:
    """A tool the client declared. `parameters` is a JSON Schema as text; moa never runs a tool itself."""

    name: str
    description: str = ""
    parameters: str = '{"type":"object","properties":{}}'
    strict: bool | None = None


@quickly_made
@dataclass(frozen=True, slots=True)
class Form:
    """What form the answer must have. The acting call of a run carries the caller's; an agent may have a schema of its own.

    `tool_choice` is "auto", "none", "required" or a tool's name; `schema` is a JSON Schema as text, or "{}" for any JSON
    object. `choices` > 1 asks for that many answers (`Reply.others`), `logprobs` for as many alternatives per token. `own`:
    the schema is the agent's, and its reply is held to it (`wrap/obey.py`).
    """

    tools: tuple[Tool, ...] = ()
    tool_choice: str = ""
    parallel_tools: bool | None = None
    schema: str = ""
    schema_name: str = "answer"
    strict: bool | None = None
    choices: int = 1
    logprobs: int | None = None
    own: bool = field(default=False, repr=False)


PLAIN = Form()
