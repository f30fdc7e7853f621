"""Inspect's models, as `openai-api/moa/…`: over chat completions and over responses, alone and in an evaluation."""

import asyncio
import json
import os
import sys

os.environ |= {"MOA_BASE_URL": f"{sys.argv[1]}/v1", "MOA_API_KEY": "a-key", "INSPECT_DISPLAY": "none"}

from inspect_ai import Task, eval_async
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText, GenerateConfig, ResponseSchema, get_model
from inspect_ai.scorer import includes
from inspect_ai.solver import generate
from inspect_ai.tool import tool
from inspect_ai.util import json_schema
from openai import APIError
from pydantic import BaseModel
from tenacity import RetryError

MODEL, QUESTION = "openai-api/moa/moa/review", "Which city?"
PICTURE = ContentImage(image="data:image/png;base64,iVBORw0KGgo=")


class City(BaseModel):
    city: str


@tool
def weather():
    async def execute(city: str) -> str:
        """The weather of a city.

        Args:
            city: Its name.
        """
        return f"21 degrees in {city}"

    return execute


def model(name: str = MODEL, **more: object) -> object:
    return get_model(name, config=GenerateConfig(max_retries=0), memoize=False, **more)


async def evaluated() -> str:
    sample = Sample(QUESTION, target="Paris")
    task = Task([sample], solver=generate(), scorer=includes())
    (log,) = await eval_async(task, model=MODEL, log_dir=os.environ["HOME"])
    (done,) = log.samples or ()
    return (
        done.output.completion if log.status == "success" and done.scores["includes"].value == "C" else str(log.error)
    )


async def error(name: str = MODEL, *, stream: bool = False, key: str = "a-key", **settings: object) -> str:
    try:
        asked = model(name, stream=stream, api_key=key)
        return (await asked.generate(QUESTION, config=GenerateConfig(**settings))).completion
    except RetryError as ended:
        return type(ended.last_attempt.exception()).__name__
    except (APIError, RuntimeError) as problem:
        return type(problem).__name__


async def main() -> dict[str, object]:
    both = [model(), model(responses_api=True)]
    streaming = [model(stream=True), model(responses_api=True, stream=True)]
    schema = GenerateConfig(response_schema=ResponseSchema(name="city", json_schema=json_schema(City), strict=True))
    picture = [ChatMessageUser(content=[ContentText(text="What is it?"), PICTURE])]
    return {
        "plain": [*[(await asked.generate(QUESTION)).completion for asked in both], await evaluated()],
        "streamed": [(await asked.generate(QUESTION)).completion for asked in streaming],
        "tools": [(await asked.generate_loop(QUESTION, tools=[weather()]))[1].completion for asked in both + streaming],
        "schema": [
            City.model_validate_json((await asked.generate(QUESTION, config=schema)).completion).city for asked in both
        ],
        "image": [(await asked.generate(picture)).completion for asked in both],
        "errors": {
            "no such model": await error("openai-api/moa/gpt-none"),
            "wrong key": await error(key="wrong"),
            "wrong value": await error(temperature=9.0),
            "no capacity": await error("openai-api/moa/busy"),
            "broken stream": await error("openai-api/moa/broken", stream=True),
        },
    }


json.dump(asyncio.run(main()), sys.stdout)
