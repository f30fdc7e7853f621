"""What a configuration may say of who works: routes by what can be seen of a question, and a classifier of questions. Part of
`spec.py`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from moa.core.ways import MOST_CHOICES
from moa.flows.language import LANGUAGES, SCRIPTS

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S(.*\S)?$")]


class Route(BaseModel):
    """Where a question goes, by what can be seen of it; see flows/route.py. Every condition that is set must hold. `tag` is the
    caller's, `category` the classifier's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: str
    words: tuple[str, ...] = ()
    longer: int | None = Field(None, ge=0)
    shorter: int | None = Field(None, ge=1)
    code: bool | None = None
    images: bool | None = None
    tools: bool | None = None
    script: Literal[tuple(SCRIPTS)] | None = None  # type: ignore[valid-type]
    language: Literal[LANGUAGES] | None = None  # type: ignore[valid-type]
    tag: Name | None = None
    category: Name | None = None

    @model_validator(mode="after")
    def _some_condition(self) -> Route:
        if self.model_fields_set <= {"to"}:
            raise ValueError(
                "a route says when it is taken: words, longer, shorter, code, images, tools, script, language, tag or category"
            )
        if "words" in self.model_fields_set and not (self.words and all(map(str.strip, self.words))):
            raise ValueError("words: name at least one, and none that is empty")
        if self.longer is not None and self.shorter is not None and self.shorter <= self.longer + 1:
            raise ValueError(f"no turn is both longer than {self.longer} and shorter than {self.shorter} characters")
        return self


class Classifier(BaseModel):
    """The agent that is asked of which of the `categories` a question is, in one word."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    agent: str
    categories: Annotated[tuple[Name, ...], Field(min_length=2, max_length=MOST_CHOICES)]

    @field_validator("categories")
    @classmethod
    def _different(cls, categories: tuple[str, ...]) -> tuple[str, ...]:
        if len({category.casefold() for category in categories}) < len(categories):
            raise ValueError("each category is named once, whatever its case")
        return categories
