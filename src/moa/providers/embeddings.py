"""OpenAI's embeddings (platform.openai.com/docs/api-reference/embeddings), as a wire: of the last user turn come numbers, and the
reply's text is the JSON list of them. So an embedder is asked, kept, replayed and priced like any other model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from moa.core.errors import BadReply, BadRequest
from moa.core.events import Delta
from moa.core.ports import Scope
from moa.core.types import Reply, Request, Usage
from moa.providers._failure import failed_inside
from moa.providers._sse import ServerEvent
from moa.providers._usage import counted, figure
from moa.providers._wire import Json, decoded, model_of
from moa.providers.hosts import Host
from moa.providers.openai import Chat

WHAT = "a list of embeddings"


_LIKE = Chat()


class Embeddings:
    """The wire; see Wire. Its key and its list of models are as in chat completions."""

    def path(self, model: str, *, stream: bool) -> str:
        """See Wire."""
        return "embeddings"

    def headers(self, key: str) -> Mapping[str, str]:
        """See Wire."""
        return _LIKE.headers(key)

    def body(self, request: Request, host: Host, *, stream: bool) -> Json:
        """See Wire.

        Raises:
            BadRequest: there is no text to embed.
        """
        texts = [message.text for message in request.messages if message.role == "user" and message.text.strip()]
        if not texts:
            raise BadRequest("there is no text to embed")
        return {"model": model_of(request), "input": texts[-1], "encoding_format": "float", **dict(host.extra)}

    def reading(self, scope: Scope, model: str) -> Numbers:
        """See Wire."""
        return Numbers(model)

    def models(self, body: bytes) -> tuple[str, ...]:
        """See Wire."""
        return _LIKE.models(body)


class _Embedding(msgspec.Struct):
    embedding: list[float]


class _Found(msgspec.Struct):
    data: list[_Embedding] = []
    model: str | None = None
    usage: Any = None
    error: Any = None


_DECODER: msgspec.json.Decoder[_Found] = msgspec.json.Decoder(_Found)


class Numbers:
    """An embedding under way; see Reading. It is never streamed."""

    def __init__(self, model: str) -> None:
        self.ended = False
        self.text = ""
        self._model, self._usage = model, Usage(estimated=True)

    @property
    def finished(self) -> bool:
        """See Reading."""
        return self.ended

    def whole(self, body: bytes) -> list[Delta]:
        """See Reading."""
        found = decoded(_DECODER, body, WHAT)
        if found.error:
            raise failed_inside(found.error)
        if len(found.data) != 1 or not found.data[0].embedding:
            raise BadReply(f"the answer holds {len(found.data)} embeddings, not one")
        self.text = msgspec.json.encode(found.data[0].embedding).decode()
        self._model, self.ended = found.model or self._model, True
        self._usage = counted(figure(found.usage, "prompt_tokens"), 0)
        return []

    def event(self, event: ServerEvent) -> list[Delta]:
        """See Reading."""
        raise BadReply("an embedding is not streamed")

    def reply(self, *, ended: bool) -> Reply:
        """See Reading."""
        return Reply(self.text, self._model, usage=self._usage)
