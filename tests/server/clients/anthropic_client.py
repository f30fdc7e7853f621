"""Anthropic's SDK, as its readers use it: messages plain, streamed, with a tool runner, a schema, an image and errors."""

import asyncio
import json
import sys

import anthropic
from pydantic import BaseModel

URL, MODEL = sys.argv[1], "moa/review"
QUESTION = [{"role": "user", "content": "Which city?"}]
USUAL = {"model": MODEL, "max_tokens": 100}
client = anthropic.Anthropic(base_url=URL, api_key="a-key", max_retries=0)


class City(BaseModel):
    city: str


@anthropic.beta_tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"21 degrees in {city}"


def text(message: object) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def streamed() -> str:
    with client.messages.stream(messages=QUESTION, **USUAL) as stream:
        said = "".join(stream.text_stream)
        assert said == text(stream.get_final_message())
        assert stream.request_id.startswith("req_")
    return said


async def streamed_async() -> str:
    async with anthropic.AsyncAnthropic(base_url=URL, api_key="a-key", max_retries=0) as client:
        events = [event async for event in await client.messages.create(messages=QUESTION, stream=True, **USUAL)]
        assert [events[0].type, events[-1].type] == ["message_start", "message_stop"]
        return "".join(event.delta.text for event in events if event.type == "content_block_delta")


def tools(*, streamed: bool) -> str:
    runner = client.beta.messages.tool_runner(messages=QUESTION, tools=[weather], stream=streamed, **USUAL)
    messages = [one.get_final_message() if streamed else one for one in runner]
    assert [message.stop_reason for message in messages] == ["tool_use", "end_turn"]
    return text(messages[-1])


def by_hand() -> str:
    tool = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
    asked = client.messages.create(messages=QUESTION, tools=[tool], **USUAL)
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": f"21 degrees in {block.input['city']}"}
        for block in asked.content
        if block.type == "tool_use"
    ]
    turns = [*QUESTION, {"role": "assistant", "content": asked.content}, {"role": "user", "content": results}]
    return text(client.messages.create(messages=turns, tools=[tool], **USUAL))


def error(key: str = "a-key", **more: object) -> str:
    try:
        told = client.with_options(api_key=key).messages.create(**{"messages": QUESTION, **USUAL, **more})
        return f"no error: {list(told)}"
    except anthropic.APIError as error:
        return type(error).__name__ if error.request_id.startswith("req_") else f"no request id: {error}"


SOURCE = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
PICTURE = [{"role": "user", "content": [{"type": "image", "source": SOURCE}, {"type": "text", "text": "What is it?"}]}]
whole = client.messages.create(messages=QUESTION, **USUAL)
assert whole._request_id.startswith("req_")
assert client.messages.count_tokens(model=MODEL, messages=QUESTION).input_tokens > 0
json.dump(
    {
        "plain": [text(whole)],
        "streamed": [streamed(), asyncio.run(streamed_async())],
        "tools": [tools(streamed=False), tools(streamed=True), by_hand()],
        "schema": [client.messages.parse(messages=QUESTION, output_format=City, **USUAL).parsed_output.city],
        "image": [text(client.messages.create(messages=PICTURE, **USUAL))],
        "errors": {
            "no such model": error(model="claude-none"),
            "wrong key": error(key="wrong"),
            "wrong value": error(max_tokens=-1),
            "no capacity": error(model="busy"),
            "broken stream": error(model="broken", stream=True),
        },
    },
    sys.stdout,
)
