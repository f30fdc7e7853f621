"""Simon Willison's `llm`: models told to it in its own configuration file, as its readers do."""

import json
import os
import sys
from pathlib import Path

os.environ["LLM_USER_PATH"] = str(Path.cwd() / "llm")
Path("llm").mkdir()
ABLE = {
    "supports_schema": True,
    "supports_tools": True,
    "vision": True,
    "api_base": f"{sys.argv[1]}/v1",
    "api_key_name": "moa",
}
MODELS = [
    {"model_id": "chat", "model_name": "moa/review", **ABLE},
    {"model_id": "responses", "model_name": "moa/review", "responses": True, **ABLE},
    {"model_id": "none", "model_name": "gpt-none", **ABLE},
]
Path("llm/extra-openai-models.yaml").write_text(json.dumps(MODELS))

import llm  # noqa: E402 - it reads its configuration as it is loaded
import openai  # noqa: E402

QUESTION, SCHEMA = "Which city?", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PNG = llm.Attachment(type="image/png", content=b"\x89PNG\r\n\x1a\n")


def weather(city: str) -> str:
    """The weather of a city."""
    return f"21 degrees in {city}"


def error(name: str, key: str = "a-key", **options: object) -> str:
    try:
        return llm.get_model(name).prompt(QUESTION, key=key, stream=False, **options).text()
    except openai.APIError as error:
        return type(error).__name__


both = [llm.get_model("chat"), llm.get_model("responses")]
json.dump(
    {
        "plain": [asked.prompt(QUESTION, key="a-key", stream=False).text() for asked in both],
        "streamed": ["".join(asked.prompt(QUESTION, key="a-key", stream=True)) for asked in both],
        "tools": [asked.chain(QUESTION, key="a-key", tools=[weather]).text() for asked in both],
        "schema": [json.loads(asked.prompt(QUESTION, key="a-key", schema=SCHEMA).text())["city"] for asked in both],
        "image": [asked.prompt("What is it?", key="a-key", attachments=[PNG]).text() for asked in both],
        "errors": {"no such model": error("none"), "wrong key": error("chat", key="wrong")},
    },
    sys.stdout,
)
