"""LangChain's ChatOpenAI, over chat completions and over responses."""

import json
import sys

import openai
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

URL, MODEL, PNG = sys.argv[1], "moa/review", "data:image/png;base64,iVBORw0KGgo="
QUESTION = "Which city?"
PICTURE = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": PNG}}]


class City(BaseModel):
    """A city."""

    city: str


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"21 degrees in {city}"


def model(*, responses: bool, name: str = MODEL, key: str = "a-key", **more: object) -> ChatOpenAI:
    return ChatOpenAI(model=name, base_url=f"{URL}/v1", api_key=key, max_retries=0, use_responses_api=responses, **more)


def tools(asked: ChatOpenAI) -> str:
    said = [HumanMessage(QUESTION)]
    while True:
        answer = asked.bind_tools([weather]).invoke(said)
        said.append(answer)
        if not answer.tool_calls:
            return answer.text
        said += [weather.invoke(call) for call in answer.tool_calls]


def error(*, streaming: bool = False, **more: object) -> str:
    try:
        return f"no error: {model(responses=False, streaming=streaming, **more).invoke(QUESTION)}"
    except openai.APIError as error:
        return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__.startswith("openai"))


both = [model(responses=False), model(responses=True)]
json.dump(
    {
        "plain": [asked.invoke(QUESTION).text for asked in both],
        "streamed": ["".join(chunk.text for chunk in asked.stream(QUESTION)) for asked in both],
        "tools": [tools(asked) for asked in both],
        "schema": [asked.with_structured_output(City, method="json_schema").invoke(QUESTION).city for asked in both],
        "image": [asked.invoke([HumanMessage(PICTURE)]).text for asked in both],
        "errors": {
            "no such model": error(name="gpt-none"),
            "wrong key": error(key="wrong"),
            "wrong value": error(temperature=9),
            "no capacity": error(name="busy"),
            "broken stream": error(name="broken", streaming=True),
        },
    },
    sys.stdout,
)
