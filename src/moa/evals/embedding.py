"""The embeddings of questions, asked of an embedder as any call is: kept, priced and within the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from moa.config.build import Rig
from moa.config.load import Config
from moa.core.agents import Agent
from moa.core.errors import ConfigError
from moa.core.flow import Ask
from moa.core.types import Conversation, Reply, user
from moa.evals.records import Record
from moa.flows.router import embedding_of
from moa.mixture import Mixture

AT_ONCE = 32


def embedded(records: Sequence[Record], model: str, config: Config) -> list[Record]:
    """The records with the embeddings that `model` ("host:model") makes of their questions; those that have one keep it.

    Raises:
        ConfigError: what comes back is no list of numbers, or they are not of one length.
        MoaError: the embedder does not answer.
    """
    wanted = [record.question for record in records if not record.embedding]
    agent = Agent(model, name="embedder", max_tokens=1)

    async def flow(conversation: Conversation) -> Reply:
        found: list[tuple[float, ...]] = []
        for at in range(0, len(wanted), AT_ONCE):
            calls = tuple(agent.call((user(text),), role="embedder") for text in wanted[at : at + AT_ONCE])
            outcomes = await Ask(calls, least=len(calls), label="embed", steps=1)
            found += [embedding_of(reply.text) for reply in outcomes.replies]
            if not all(found):
                raise ConfigError(
                    f'{model} gave no JSON list of numbers; an embedder is a model on a host of wire = "embeddings"'
                )
        return Reply(msgspec.json.encode(found).decode())

    vectors: list[tuple[float, ...]] = []
    if wanted:
        mixture = Mixture.of_flow(flow, name="embed").on(Rig(config))
        answer = mixture.ask_sync(f"the embeddings of {len(wanted)} questions")
        vectors = msgspec.json.decode(answer.text, type=list[tuple[float, ...]])
    left = iter(vectors)
    found = [record if record.embedding else replace(record, embedding=next(left)) for record in records]
    if len({len(record.embedding) for record in found}) > 1:
        raise ConfigError("embedding: they are not all of one length; are some of another model?")
    return found
