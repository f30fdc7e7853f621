"""OpenAI's SDK as it is used: chat completions and responses, plain, streamed, with tools, a schema, an image and errors."""

import asyncio
import json
import sys

import openai
from pydantic import BaseModel

URL, MODEL, PNG = sys.argv[1], "moa/review", "data:image/png;base64,iVBORw0KGgo="
QUESTION = [{"role": "user", "content": "Which city?"}]
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {"name": "weather", "description": "The weather of a city.", "parameters": PARAMETERS, "strict": True}
TOOLS = [{"type": "function", "function": WEATHER}]
client = openai.OpenAI(base_url=f"{URL}/v1", api_key="a-key", max_retries=0)


class City(BaseModel):
    city: str


def weather(arguments: str) -> str:
    return f"21 degrees in {json.loads(arguments)['city']}"


def chat_streamed() -> str:
    with client.chat.completions.stream(model=MODEL, messages=QUESTION) as stream:
        said = "".join(event.delta for event in stream if event.type == "content.delta")
        assert said == stream.get_final_completion().choices[0].message.content
    return said


async def chat_async() -> str:
    async with openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key="a-key", max_retries=0) as client:
        options = {"include_usage": True}
        stream = await client.chat.completions.create(
            model=MODEL, messages=QUESTION, stream=True, stream_options=options
        )
        chunks = [chunk async for chunk in stream]
        assert chunks[-1].usage.total_tokens > 0
        return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


def chat_tools(*, streamed: bool) -> str:
    said = list(QUESTION)
    while True:
        if streamed:
            with client.chat.completions.stream(model=MODEL, messages=said, tools=TOOLS) as stream:
                message = stream.get_final_completion().choices[0].message
        else:
            message = client.chat.completions.create(model=MODEL, messages=said, tools=TOOLS).choices[0].message
        if not message.tool_calls:
            return message.content
        said.append(message.model_dump(exclude_none=True, exclude={"parsed"}))
        for call in message.tool_calls:
            result = weather(call.function.arguments)
            said.append({"role": "tool", "tool_call_id": call.id, "content": result})


def responses_tools() -> str:
    said = list(QUESTION)
    while True:
        response = client.responses.create(model=MODEL, input=said, tools=[{"type": "function", **WEATHER}])
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            return response.output_text
        said += response.output
        said += [
            {"type": "function_call_output", "call_id": call.call_id, "output": weather(call.arguments)}
            for call in calls
        ]


def responses_streamed() -> str:
    with client.responses.stream(model=MODEL, input=QUESTION) as stream:
        said = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert said == stream.get_final_response().output_text
    return said


def error(model: str = MODEL, key: str = "a-key", **more: object) -> str:
    try:
        told = client.with_options(api_key=key).chat.completions.create(model=model, messages=QUESTION, **more)
        return f"no error: {list(told)}"
    except openai.APIError as error:
        return type(error).__name__


def picture(kind: str, image: object) -> list[object]:
    words = {"type": "text" if kind == "image_url" else "input_text", "text": "What is it?"}
    return [{"role": "user", "content": [words, {"type": kind, "image_url": image}]}]


chat, responses = client.chat.completions, client.responses
json.dump(
    {
        "plain": [
            chat.create(model=MODEL, messages=QUESTION).choices[0].message.content,
            responses.create(model=MODEL, input="Which city?").output_text,
        ],
        "streamed": [chat_streamed(), asyncio.run(chat_async()), responses_streamed()],
        "tools": [chat_tools(streamed=False), chat_tools(streamed=True), responses_tools()],
        "schema": [
            chat.parse(model=MODEL, messages=QUESTION, response_format=City).choices[0].message.parsed.city,
            responses.parse(model=MODEL, input=QUESTION, text_format=City).output_parsed.city,
        ],
        "image": [
            chat.create(model=MODEL, messages=picture("image_url", {"url": PNG})).choices[0].message.content,
            responses.create(model=MODEL, input=picture("input_image", PNG)).output_text,
        ],
        "errors": {
            "no such model": error(model="gpt-none"),
            "wrong key": error(key="wrong"),
            "wrong value": error(temperature=9),
            "no capacity": error(model="busy"),
            "broken stream": error(model="broken", stream=True),
        },
    },
    sys.stdout,
)
