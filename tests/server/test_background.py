"""Titles, tags and follow-ups of chat front ends go to one model, what a person asks to the panel. The prompts are their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from served import Served, served

HISTORY = "### Chat History:\n<chat_history>\nUSER: hi\nASSISTANT: Hello!\n</chat_history>"
OPEN_WEBUI = {
    "title": f"""### Task:
Generate a concise, 3-5 word title with an emoji summarizing the chat history.
### Guidelines:
- The title should clearly represent the main theme or subject of the conversation.
### Output:
JSON format: {{ "title": "your concise title here" }}
{HISTORY}""",
    "newer-title": f"### Task:\nGenerate a concise title summarizing the chat history.\n### Guidelines:\n- Short.\n{HISTORY}",
    "tags": f"""### Task:
Generate 1-3 broad tags categorizing the main themes of the chat history, along with 1-3 more specific subtopic tags.

### Guidelines:
- Start with high-level domains (e.g. Science, Technology, Philosophy, Arts, Politics, Business, Health, Sports, Entertainment)
{HISTORY}""",
    "follow-ups": f"""### Task:
Suggest 3-5 relevant follow-up questions or prompts that the user might naturally ask next in this conversation as a **user**, based
{HISTORY}""",
    "queries": f"""### Task:
Analyze the chat history to determine the necessity of generating search queries, in the given language. By default, **prioritize
{HISTORY}""",
    "image": f"""### Task:
Generate a detailed prompt for am image generation task based on the given language and context. Describe the image as if you were
{HISTORY}""",
    "autocomplete": """### Task:
You are an autocompletion system. Continue the text in `<text>` based on the **completion type** in `<type>` \
and the given language.""",
    "emoji": """Your task is to reflect the speaker's likely facial expression through a fitting emoji. Interpret emotions from \
the message and reflect their facial expression using fitting, diverse emojis (e.g., 😊, 😢, 😡, 😱).

Message: ```hi```""",
}
NEXTCHAT = {
    "topic": "Please generate a four to five word title summarizing our conversation without any lead-in, punctuation, quotation "
    "marks, periods, symbols, bold text, or additional text. Remove enclosing quotation marks.",
    "summary": "Summarize the discussion briefly in 200 words or less to use as a prompt for future context.",
}
LIBRECHAT = {
    "completion": "Provide a concise, 5-word-or-less title for the conversation, using title case conventions. Only return the "
    "title itself.\n\nConversation:\nUser: hi\nAI: Hello!",
    "structured": "Analyze this conversation and provide:\n1. The detected language of the conversation\n2. A concise title in the "
    "detected language (5 words or less, no punctuation or quotation)\n\nUser: hi\nAI: Hello!",
    "assistants": "Please generate a concise title (max 40 characters) for a conversation that starts with:\nUser: hi\nAssistant: "
    "Hello!\n\nTitle:",
}
PERSONS = {
    "latex": "Create a title page in LaTeX for a novel about a conversation.\nIt should have the author, too.",
    "novel": "Generate a title for my novel about the sea.",
    "words": "Write a title and a summary in 200 words:\nThe sea rose.",
    "question": "What is a title?",
    "play": "Write a title for the conversation between Romeo and Juliet\nin verse.",
    "code": "Create a topic in Kafka for the chat service.\nUse words as keys.",
    "task": "### Task:\nSort 3, 1, 2.",
    "own-tasks": "### Task:\nWrite a SQL query that finds the titles of all books, with their tags.",
    "tags": "Tags: what are they?",
    "emoji": "Your task is to reflect on the speaker's likely facial expression.",
    "rag": """### Task:
Respond to the user query using the provided context, incorporating inline citations in the format [id] **only when the <source> \
tag includes an explicit id attribute**.

### Guidelines:
- If you don't know the answer, clearly state that.""",
}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(server={"background": "other"}) as running:
        yield running


@pytest.mark.parametrize("text", {**OPEN_WEBUI, **NEXTCHAT, **LIBRECHAT}.values())
def test_what_a_front_end_asks_by_itself_goes_to_one_model(server: Served, text: str) -> None:
    server.asked.clear()
    got = server.chat([{"role": "user", "content": "hi"}, {"role": "user", "content": text}]).json
    assert (got["model"], got["choices"][0]["message"]["content"]) == ("moa/review", "Oslo")
    assert [request.call.agent for request in server.asked] == ["other"]


@pytest.mark.parametrize("text", PERSONS.values(), ids=PERSONS)
def test_what_a_person_asks_goes_to_the_panel(server: Served, text: str) -> None:
    server.asked.clear()
    server.chat(text)
    assert len(server.asked) == 4


def test_where_no_agent_is_named_for_it_the_aggregator_answers_alone() -> None:
    with served() as server:
        server.chat(OPEN_WEBUI["title"])
        assert [request.call.agent for request in server.asked] == ["agg"]


def test_it_stands_behind_the_mixture_s_gate_and_within_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody comes past them by asking as a front end does."""
    monkeypatch.setenv("CANARY", "SUPERCANARY-12345678")
    mixtures = {
        "gated": {"proposers": ["a"], "aggregator": "agg", "gate": {"secrets": ["env:CANARY"]}},
        "poll": {"proposers": ["a", "b"], "combine": "vote", "gate": {"secrets": ["env:CANARY"]}},
        "poor": {"proposers": ["a"], "aggregator": "agg", "max_cost": 0.0001},
    }
    prices = {
        "fake:other": {"input": 1.0, "output": 100.0},
        "fake:a": {"input": 1, "output": 1},
        "fake:agg": {"input": 1, "output": 1},
    }
    said = {"a": "x", "b": "x", "agg": "x", "other": "It is SUPERCANARY-12345678."}
    title = OPEN_WEBUI["title"]
    for background in ({"background": "other"}, {}):
        with served(said, server=background, mixtures=mixtures, prices=prices, default="gated") as server:
            for name in ("gated", "poll"):
                assert b"SUPERCANARY" not in server.chat(title, model=f"moa/{name}").body
            if background:
                assert (
                    server.chat(title, model="moa/gated").json["choices"][0]["message"]["content"] == "It is [removed]."
                )
                assert server.chat(title, model="moa/poor").status == 402


def test_who_says_how_much_is_to_work_is_no_front_end(server: Served) -> None:
    server.asked.clear()
    server.chat(OPEN_WEBUI["title"], moa={"mode": "full"})
    assert len(server.asked) == 4
