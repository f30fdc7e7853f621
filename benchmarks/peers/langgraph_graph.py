"""A langgraph StateGraph: one node per proposer, edges from layer to layer, langchain-openai's ChatOpenAI as its model.

The graph is compiled once per job. A streamed answer is what `astream(stream_mode="messages")` gives of the aggregator.
"""

from __future__ import annotations

import operator
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypedDict

from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph
from worker import Contender, Job, prompt, serve


class State(TypedDict):
    """What the nodes read and write: the proposals of every layer, and the answer."""

    question: str
    proposals: Annotated[list[tuple[int, str]], operator.add]
    answer: str


def shown(state: State, layer: int) -> str:
    """The prompt of a layer: the question and what the layer before it proposed."""
    return prompt(state["question"], [text for number, text in state["proposals"] if number == layer - 1])


def proposer(model: ChatOpenAI, layer: int) -> Callable[[State], Any]:
    """A node that proposes."""

    async def propose(state: State) -> dict[str, Any]:
        return {"proposals": [(layer, (await model.ainvoke(shown(state, layer))).content)]}

    return propose


def aggregator(model: ChatOpenAI, layers: int) -> Callable[[State], Any]:
    """The node that writes the answer."""

    async def aggregate(state: State) -> dict[str, Any]:
        return {"answer": (await model.ainvoke(shown(state, layers + 1))).content}

    return aggregate


def compiled(job: Job) -> Any:
    """The graph of a job."""
    settings = {"base_url": job.base_url, "api_key": "none"}
    quiet = [ChatOpenAI(model=job.proposer(n), **settings, disable_streaming=True) for n in range(job.width)]
    last = ChatOpenAI(model=job.aggregator, **settings, disable_streaming=not job.streamed)
    graph = StateGraph(State)
    before = [START]
    for layer in range(1, job.layers + 1):
        names = [f"p{layer}_{number}" for number in range(job.width)]
        for name, model in zip(names, quiet, strict=True):
            graph.add_node(name, proposer(model, layer))
        for name in names:
            graph.add_edge(before if len(before) > 1 else before[0], name)
        before = names
    graph.add_node("aggregator", aggregator(last, job.layers))
    graph.add_edge(before, "aggregator")
    graph.add_edge("aggregator", END)
    return graph.compile()


async def whole(graph: Any, job: Job) -> str:
    """The answer of one mixture."""
    return (await graph.ainvoke({"question": job.question, "proposals": [], "answer": ""}))["answer"]


async def stream(graph: Any, job: Job) -> str:
    """The answer of one mixture, piece by piece."""
    start = {"question": job.question, "proposals": [], "answer": ""}
    return "".join(
        [
            message.content
            async for message, about in graph.astream(start, stream_mode="messages")
            if about["langgraph_node"] == "aggregator"
        ]
    )


@asynccontextmanager
async def opened(job: Job) -> AsyncIterator[Contender]:
    """One job's graph."""
    graph = compiled(job)
    yield Contender(lambda: (stream if job.streamed else whole)(graph, job))


if __name__ == "__main__":
    serve(opened)
