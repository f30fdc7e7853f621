"""The ASGI application: what each route does, who may use it, and how its errors look."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from moa.config.flows import behind_gate
from moa.core.errors import StoreFailed
from moa.mixture import Mixture
from moa.server.asked import Asked, Dialect, with_parts
from moa.server.background import is_background
from moa.server.catalogue import DEFAULT, PREFIX, Catalogue, unknown
from moa.server.chat import Chat
from moa.server.door import (
    ClientGone,
    Receive,
    Rules,
    Scope,
    Send,
    body_of,
    headers_of,
    json_of,
    payer,
    tenant,
)
from moa.server.listing import listed, one_of
from moa.server.messages import Messages, counted
from moa.server.openapi import document
from moa.server.refusals import Rejection, openai_error
from moa.server.responses import Responses
from moa.server.route import Asking, Handle, Route, log, new_id, outward, refuse
from moa.server.runs import run, run_events
from moa.server.state import State
from moa.server.turn import attended, speak, streamed, whole
from moa.server.underway import ServerEnds
from moa.stores.keys import Key

PREFLIGHT = {
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "authorization, *",
}
"""What a web page that may ask this server may send: whatever its SDK does. ("*" is for requests without cookies, and leaves out
authorization: fetch.spec.whatwg.org.)"""
_ID = re.compile(r"^[A-Za-z0-9._:-]{1,128}$")


class App:
    """The server's application. It is `idle` while no request is being served."""

    def __init__(self, catalogue: Catalogue, rules: Rules) -> None:
        self.state = State(catalogue, rules)
        self.idle = asyncio.Event()
        self.idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's start and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1003})

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.state.catalogue.rig.hold()
                await send({"type": "lifespan.startup.complete"})
            else:
                with suppress(StoreFailed):  # tried again at the very end, where what is lost is told
                    await self.state.catalogue.rig.release()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        asking = Asking(scope, receive, send, new_id(), {}, Key("", ""))
        route: Route | None = None
        self.state.busy += 1
        self.idle.clear()
        try:
            asking.headers = headers_of(scope)
            if _ID.match(given := asking.headers.get("x-request-id", "")):
                asking.id = given
            route, asking.arguments, refusal = found(scope["method"], scope["path"])
            if route is None or route.scope is not None:
                self.state.rules.check_place(asking.headers, scope["query_string"])
            if (origin := asking.headers.get("origin")) in self.state.rules.origins:
                asking.limits |= {"access-control-allow-origin": str(origin), "vary": "origin"}
                asking.limits["access-control-expose-headers"] = "*"
                if scope["method"] == "OPTIONS":
                    await asking.answer(204, b"", **PREFLIGHT)
                    return
            if refusal is not None:
                raise refusal
            assert route is not None
            if route.scope is not None:
                asking.key = self.state.rules.key(asking.headers, route.scope)
            await route.handle(self.state, asking)
        except ClientGone:
            asking.status = 499
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the outermost door of this face
            await refuse(asking, route.refusal if route else openai_error, error)
        finally:
            self.state.busy -= 1
            if not self.state.busy:
                self.idle.set()
            self._told(asking, route, time.perf_counter() - started)

    def _told(self, asking: Asking, route: Route | None, seconds: float) -> None:
        name = route.handle.__name__ if route else "none"
        self.state.metrics.request(name, asking.status, seconds)
        line = {
            "request": asking.id, "route": name, "status": asking.status, "seconds": round(seconds, 4),
            "key": asking.key.id, "model": asking.model, "run": asking.run,
        }  # fmt: skip
        log.info("%s", json.dumps(line))


def asks(dialect: Dialect) -> Handle:
    """What a POST of one protocol does."""

    async def handle(state: State, asking: Asking) -> None:
        body = await _body(state, asking)
        key = asking.headers.get("idempotency-key")
        if key is None:
            await _ask(state, asking, dialect, body)
            return
        async with state.once.once(asking.key.id, asking.scope["path"], key, body) as taken:
            if taken.done:
                await asking.again(taken.answer)
            else:
                asking.send = taken.sending(asking.send)
                taken.lasts = await _ask(state, asking, dialect, body)

    handle.__name__ = type(dialect).__name__.lower()
    return handle


async def _body(state: State, asking: Asking) -> bytes:
    """The body of a request, if there is room for one more.

    Raises:
        Rejection: the server, or the key's minute, is full; or the body is none.
    """
    if state.draining:
        raise ServerEnds
    if state.busy > state.catalogue.rig.config.spec.server.at_once:
        raise Rejection("This server has as much to do as it can; try again.", 503, code="overloaded", retry_after=1)
    asking.limits |= state.allowances.take(asking.key)
    async with state.underway.until_the_end():
        return await body_of(asking.headers, asking.receive, state.rules.most_bytes)


LASTING = (400, 403, 404, 413, 415, 422)
"""Refusals that stay what they are, however often the same is asked."""


async def _ask(state: State, asking: Asking, dialect: Dialect, body: bytes) -> bool:
    """Answer; whether the same answer may be given to the same request again."""
    try:
        asked = dialect.read(json_of(body))
        asking.model = asked.model
        _check_allowed(state, asking.key, asked)
        mixture = state.catalogue.background(asked) if is_background(asked) else state.catalogue.asked(asked)
        asked = _of(state, with_parts(asked), mixture)
        whole_one = await (_streamed if asked.stream else _whole)(state, asking, dialect, asked, mixture)
    except (ClientGone, asyncio.CancelledError):
        raise
    except Exception as error:  # noqa: BLE001 - told inside, so that an Idempotency-Key remembers it
        await refuse(asking, dialect.refusal, error)
        return asking.status in LASTING
    return whole_one


def _of(state: State, asked: Asked, mixture: Mixture) -> Asked:
    """The request, with what is known of its mixture.

    Raises:
        Rejection: it wants what its mixture lets nobody have.
    """
    config = state.catalogue.rig.config
    gated = behind_gate(config, mixture.name)
    if gated and asked.options.proposals:
        raise Rejection(
            f"moa.proposals: '{mixture.name}' has a gate, behind which all but its answer stays.",
            param="moa.proposals",
            code="invalid_value",
        )
    return replace(asked, gated=gated)


def _check_allowed(state: State, key: Key, asked: Asked) -> None:
    """See that a key for some mixtures asks only these, as they are configured.

    Raises:
        Rejection: it asks for another model, or for other members.
    """
    if key.mixtures is None or not state.catalogue.known(asked.model):
        return
    if not _may_ask(state, key, asked.model):
        raise unknown(asked.model)
    if asked.options.reshapes:
        raise Rejection(
            "This API key may not change who works in a mixture.",
            403,
            code="insufficient_scope",
            param="moa",
        )


def _may_ask(state: State, key: Key, model: str) -> bool:
    """Whether a key may use a model: with a list of mixtures, only those, and no single model."""
    if key.mixtures is None:
        return True
    return state.catalogue.is_mixture(model) and state.catalogue.name(model) in key.mixtures


async def _whole(state: State, asking: Asking, dialect: Dialect, asked: Asked, mixture: Mixture) -> bool:
    async with state.underway.until_the_end(), attended(asking.receive):
        answered = await whole(mixture, asked, payer(asking.key), tenant(asking.key))
    asking.run = answered.view.run
    await asking.answer(200, dialect.whole(asked, answered), **{"x-moa-run": answered.view.run})
    return True


async def _streamed(state: State, asking: Asking, dialect: Dialect, asked: Asked, mixture: Mixture) -> bool:
    who = payer(asking.key), tenant(asking.key)
    speaking, answered, told = dialect.speaking(asked), False, False
    try:
        async with (
            state.underway.until_the_end(),
            attended(asking.receive),
            streamed(mixture, asked, *who) as events,
        ):
            await asking.begin(200, {"content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no"})
            begun = partial(setattr, asking, "run")
            answered = await speak(events, asked, speaking, asking.say, begun, partial(outward, asking))
            told = True
    except ServerEnds as end:
        if not asking.status:
            raise
        if not told:
            await asking.say(speaking.failure(end))
    await asking.send({"type": "http.response.body", "body": b""})
    return answered


async def count_tokens(state: State, asking: Asking) -> None:
    """POST /v1/messages/count_tokens: about how many tokens a request would be."""
    body = json_of(await _body(state, asking))
    tokens, model = counted(body), body["model"]
    if not state.catalogue.known(model) or not _may_ask(state, asking.key, model):
        raise unknown(model)
    await asking.answer(200, tokens)


async def models(state: State, asking: Asking) -> None:
    """GET /v1/models: what can be called now."""
    await asking.answer(200, listed(_allowed(state, asking), asking.headers))


async def model(state: State, asking: Asking) -> None:
    """GET /v1/models/{id}: one of them."""
    wanted = asking.arguments[0]
    own = f"{PREFIX}{state.catalogue.name(wanted)}" if wanted in DEFAULT else wanted
    if own not in _allowed(state, asking):
        raise Rejection(f"The model '{wanted[:80]}' does not exist.", 404, code="model_not_found", param="model")
    await asking.answer(200, one_of(wanted, asking.headers))


def _allowed(state: State, asking: Asking) -> list[str]:
    return [one for one in state.catalogue.ids if _may_ask(state, asking.key, one)]


async def healthz(state: State, asking: Asking) -> None:
    """GET /healthz: the process is alive."""
    await asking.answer(200, {"status": "ok"})


async def readyz(state: State, asking: Asking) -> None:
    """GET /readyz: whether it takes new work."""
    rig = state.catalogue.rig
    full = any(kept is not None and kept.full for kept in (rig.store, rig.ledger))
    problem = "draining" if state.draining else "the store is full" if full else ""
    await asking.answer(503 if problem else 200, {"status": problem or "ready"})


async def openapi(state: State, asking: Asking) -> None:
    """GET /openapi.json: this document."""
    await asking.answer(200, document(ROUTES))


async def metrics(state: State, asking: Asking) -> None:
    """GET /metrics, as Prometheus reads it."""
    await asking.answer(200, state.metrics.text(), **{"content-type": state.metrics.content_type})


def _routes(*rows: tuple[str, str, str | None, Handle, Callable[[Exception], Any]]) -> tuple[Route, ...]:
    return tuple(
        Route(method, re.compile(path), scope, handle, refusal) for method, path, scope, handle, refusal in rows
    )


_CHAT, _RESPONSES, _MESSAGES = Chat(), Responses(), Messages()
ROUTES = _routes(
    ("POST", r"/v1/chat/completions", "ask", asks(_CHAT), _CHAT.refusal),
    ("POST", r"/v1/responses", "ask", asks(_RESPONSES), _RESPONSES.refusal),
    ("POST", r"/v1/messages", "ask", asks(_MESSAGES), _MESSAGES.refusal),
    ("POST", r"/v1/messages/count_tokens", "ask", count_tokens, _MESSAGES.refusal),
    ("GET", r"/v1/models", "ask", models, openai_error),
    ("GET", r"/v1/models/(.+)", "ask", model, openai_error),
    ("GET", r"/v1/moa/runs/([0-9a-f]{8,40})", "runs", run, openai_error),
    ("GET", r"/v1/moa/runs/([0-9a-f]{8,40})/events", "runs", run_events, openai_error),
    ("GET", r"/metrics", "metrics", metrics, openai_error),
    ("GET", r"/openapi\.json", "ask", openapi, openai_error),
    ("GET", r"/healthz", None, healthz, openai_error),
    ("GET", r"/readyz", None, readyz, openai_error),
)
"""Every route, with what a key must be good for: who adds one says so here."""


def found(method: str, path: str) -> tuple[Route | None, tuple[str, ...], Rejection | None]:
    """The route of a request, what its path names, and why there is none: not at this path (404), or not for this method (405).

    (Each refusal is a new one: what is raised again and again keeps every frame.)
    """
    others = []
    for route in ROUTES:
        if matched := route.path.fullmatch(path):
            if route.method == method or (method == "HEAD" and route.method == "GET"):
                return route, matched.groups(), None
            others.append(route.method)
    if others:
        allowed = {"allow": ", ".join(others)}
        return None, (), Rejection(f"Not allowed: {method[:16]}.", 405, code="method_not_allowed", headers=allowed)
    return None, (), Rejection("Invalid URL: there is nothing at this path.", 404, code="not_found")
