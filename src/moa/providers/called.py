"""Agents that are functions: a classifier, a rule, a search. What a call's function returns is its reply."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import cast

from moa.core.errors import Abstained, BadReply, CallError
from moa.core.ports import Scope
from moa.core.prompts import with_references
from moa.core.types import Call, Function, Reply, Request


@dataclass(frozen=True, slots=True)
class Called:
    """A Provider of the functions that calls carry (`Agent(function)`).

    A function of one argument is given the conversation, as its agent sees it, with the references in it; one of two is given the
    references apart. It returns a text, a number, what JSON can write, a Reply, or None: it abstains.
    What it raises fails its call.
    """

    async def send(self, request: Request, scope: Scope) -> Reply:
        """See Provider."""
        call = request.call
        if call.function is None:
            raise _broke(call, "no function of this name is here: an agent that is a function is made in Python")
        try:
            reply = _reply(await _asked(call, call.function))
        except CallError:
            raise
        except Exception as error:
            raise _broke(call, f"it raised {type(error).__name__}: {error}") from error
        if reply is None:
            raise Abstained(f"{call.agent} has nothing to say")
        return reply


def _asked(call: Call, function: Function) -> Awaitable[object]:
    texts = tuple(reference.text for reference in call.references)
    if takes(function) < 2:
        return cast("Awaitable[object]", function(with_references(call.conversation, texts, call.task)))
    return cast("Awaitable[object]", function(call.conversation, call.references))


def takes(function: Function) -> int:
    """How many arguments a function can be given by place."""
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in places for one in inspect.signature(function).parameters.values())


def _reply(said: object) -> Reply | None:
    if isinstance(said, Reply) and not isinstance(said.text, str):
        raise TypeError(f"a Reply has a text, not {type(said.text).__name__}")
    if said is None or isinstance(said, Reply):
        return said
    return Reply(said if isinstance(said, str) else json.dumps(said, ensure_ascii=False, allow_nan=False))


def _broke(call: Call, problem: str) -> BadReply:
    provider, _, name = call.model.partition(":")
    return BadReply(problem, provider=provider, model=name)
