"""What a configuration may say of what is looked at by code: what a right answer looks like, and what must not leave. Part of
`spec.py`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class Verify(BaseModel):
    """What a right answer looks like, told by one of these: a regular expression that is found in it, a number from … to …, a JSON
    schema (as text) that it obeys, or a function of yours ("package.module:function") that takes the text and returns a score, of
    which 0 or less has failed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str | None = None
    number: tuple[float | None, float | None] | None = None
    schema_: str | None = Field(None, alias="schema")
    function: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Verify:
        given = [name for name in ("pattern", "number", "schema_", "function") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("exactly one of pattern, number, schema and function says what a right answer looks like")
        return self


class Gate(BaseModel):
    """What must not leave in an answer. `secrets` name environment variables ("env:NAME"), whose values go out in no spelling;
    an address leaves only where its host is among `hosts`, or the user named it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secrets: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    @field_validator("secrets")
    @classmethod
    def _only_references(cls, secrets: tuple[str, ...]) -> tuple[str, ...]:
        if not all(one.startswith("env:") for one in secrets):
            raise ValueError('secrets are named, never written down: use "env:NAME"')
        return secrets
