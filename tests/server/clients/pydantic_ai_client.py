"""Pydantic AI's Agent, over chat completions and over responses."""

import json
import sys

from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, ModelAPIError, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

URL, MODEL, QUESTION = sys.argv[1], "moa/review", "Which city?"
PICTURE = ["What is it?", BinaryContent(b"\x89PNG\r\n\x1a\n", media_type="image/png")]


class City(BaseModel):
    city: str


def weather(city: str) -> str:
    """The weather of a city."""
    return f"21 degrees in {city}"


def model(kind: type, name: str = MODEL, key: str = "a-key") -> object:
    return kind(name, provider=OpenAIProvider(base_url=f"{URL}/v1", api_key=key))


def streamed(asked: object) -> str:
    return "".join(Agent(asked).run_stream_sync(QUESTION).stream_text(delta=True))


def error(name: str = MODEL, key: str = "a-key", **settings: object) -> object:
    try:
        return Agent(model(OpenAIChatModel, name, key), model_settings=settings).run_sync(QUESTION).output
    except ModelAPIError as error:
        return f"{type(error).__name__} {getattr(error, 'status_code', '')}"


both = [model(OpenAIChatModel), model(OpenAIResponsesModel)]
json.dump(
    {
        "plain": [Agent(asked).run_sync(QUESTION).output for asked in both],
        "streamed": [streamed(asked) for asked in both],
        "tools": [Agent(asked, tools=[weather]).run_sync(QUESTION).output for asked in both],
        "schema": [Agent(asked, output_type=NativeOutput(City)).run_sync(QUESTION).output.city for asked in both],
        "image": [Agent(asked).run_sync(PICTURE).output for asked in both],
        "errors": {
            "no such model": error(name="gpt-none"),
            "wrong key": error(key="wrong"),
            "wrong value": error(temperature=9.0),
        },
    },
    sys.stdout,
)
