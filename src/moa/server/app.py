"""The ASGI application: what each route does, who may use it, and how its errors look."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from moa.core.events import Fact, RunStarted
from moa.core.plain import to_plain
from moa.server.allowance import Allowances
from moa.server.asked import Answered, Asked, Dialect
from moa.server.catalogue import Catalogue
from moa.server.chat import Chat, frame
from moa.server.door import Receive, Rules, Scope, Send, body_of, headers_of, json_of, payer
from moa.server.idempotent import Idempotency
from moa.server.messages import Messages, counted
from moa.server.metrics import Metrics
from moa.server.refusals import Rejection, is_bug, openai_error, status_of, wait_of
from moa.server.responses import Responses
from moa.server.turn import Left, attended, speak, streamed, whole
from moa.stores.keys import Key

log = logging.getLogger("moa.server")
Handle: TypeAlias = Callable[["App", "Asking"], Awaitable[None]]
JSON = "application/json"
_ID = re.compile(r"^[A-Za-z0-9._:-]{1,128}$")


@dataclass
class Asking:
    """One HTTP request being served."""

    scope: Scope
    receive: Receive
    send: Send
    id: str
    headers: Mapping[str, str]
    key: Key
    arguments: tuple[str, ...] = ()
    limits: dict[str, str] = field(default_factory=dict)
    status: int = 0
    model: str = ""
    run: str = ""

    async def answer(self, status: int, body: Any, **more: str) -> None:
        """Send a whole answer; `body` becomes JSON, bytes are sent as they are."""
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        await self.begin(status, {"content-type": JSON, "content-length": str(len(raw)), **more})
        content = b"" if self.scope["method"] == "HEAD" else raw
        await self.send({"type": "http.response.body", "body": content})

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of an answer."""
        self.status = status
        all_of_them = (
            {"x-request-id": self.id, "cache-control": "no-store", "x-content-type-options": "nosniff"}
            | self.limits
            | dict(headers)
        )
        raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in all_of_them.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": raw})


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a path. `scope` is what a key must be good for; None: anybody may ask."""

    method: str
    path: re.Pattern[str]
    scope: str | None
    handle: Handle
    refusal: Callable[[Exception], Any] = openai_error


class App:
    """The server's application. `draining`: no new work is taken."""

    def __init__(self, catalogue: Catalogue, rules: Rules) -> None:
        self.catalogue, self.rules = catalogue, rules
        self.allowances = Allowances(time.monotonic)
        self.metrics, self.once = Metrics(), Idempotency(time.monotonic)
        self.draining = False
        self.idle = asyncio.Event()
        self.idle.set()
        self._busy = 0

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
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.catalogue.rig.aclose()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        asking = Asking(scope, receive, send, f"req_{secrets.token_hex(12)}", {}, Key("", ""))
        route: Route | None = None
        self._busy += 1
        self.idle.clear()
        try:
            asking.headers = headers_of(scope)
            if _ID.match(given := asking.headers.get("x-request-id", "")):
                asking.id = given
            self.rules.check_place(asking.headers, scope["query_string"])
            route, asking.arguments = found(scope["method"], scope["path"])
            if route.scope is not None:
                asking.key = self.rules.key(asking.headers, route.scope)
            await route.handle(self, asking)
        except Left:
            asking.status = asking.status or 499
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the outermost door of this face
            await self.refuse(asking, route.refusal if route else openai_error, error)
        finally:
            self._busy -= 1
            if not self._busy:
                self.idle.set()
            self._told(asking, route, time.perf_counter() - started)

    async def refuse(self, asking: Asking, shape: Callable[[Exception], Any], error: Exception) -> None:
        """Send an error, in that shape."""
        if is_bug(error):
            log.exception("request %s failed", asking.id)
        if asking.status:  # its head is out already: what is sent now would be no HTTP
            return
        wait = wait_of(error)
        more = {} if wait is None else {"retry-after": str(max(1, -(-int(wait * 1000) // 1000)))}
        if isinstance(error, Rejection) and error.status == 405:
            more["allow"] = str(error.param)
            error.param = None
        await asking.answer(status_of(error), shape(error), **more)

    def _told(self, asking: Asking, route: Route | None, seconds: float) -> None:
        name = route.handle.__name__ if route else "none"
        self.metrics.request(name, asking.status, seconds)
        line = {
            "request": asking.id, "route": name, "status": asking.status, "seconds": round(seconds, 4),
            "key": asking.key.id, "model": asking.model, "run": asking.run,
        }  # fmt: skip
        log.info("%s", json.dumps(line))


def asks(dialect: Dialect) -> Handle:
    """What a POST of one protocol does."""

    async def handle(app: App, asking: Asking) -> None:
        if app.draining:
            raise Rejection("This server is shutting down.", 503, code="shutting_down", retry_after=1)
        asking.limits |= app.allowances.take(asking.key)
        body = await body_of(asking.headers, asking.receive, app.rules.most_bytes)
        key = asking.headers.get("idempotency-key")
        if key is None:
            await _ask(app, asking, dialect, body)
            return
        async with app.once.once(asking.key.id, asking.scope["path"], key, body, asking.send) as send:
            if send is not None:
                asking.send = send
                await _ask(app, asking, dialect, body)

    handle.__name__ = type(dialect).__name__.lower()
    return handle


async def _ask(app: App, asking: Asking, dialect: Dialect, body: bytes) -> None:
    try:
        asked = dialect.read(json_of(body))
        asking.model = asked.model
        allowed = asking.key.mixtures
        if allowed is not None and app.catalogue.known(asked.model) and app.catalogue.name(asked.model) not in allowed:
            raise Rejection(f"This API key may not use '{asked.model}'.", 404, code="model_not_found", param="model")
        answered = await (_streamed if asked.stream else _whole)(app, asking, dialect, asked)
    except (Left, asyncio.CancelledError):
        raise
    except Exception as error:  # noqa: BLE001 - told inside, so that an Idempotency-Key remembers it
        await app.refuse(asking, dialect.refusal, error)
        return
    if answered is not None:
        used = answered.view.usage
        app.allowances.used(asking.key, used.input + used.output)
        app.metrics.run(answered.view)


async def _whole(app: App, asking: Asking, dialect: Dialect, asked: Asked) -> Answered:
    async with attended(asking.receive):
        answered = await whole(app.catalogue.asked(asked), asked, payer(asking.key))
    asking.run = answered.view.run
    await asking.answer(200, dialect.whole(asked, answered), **{"x-moa-run": answered.view.run})
    return answered


async def _streamed(app: App, asking: Asking, dialect: Dialect, asked: Asked) -> Answered | None:
    async def say(frames: bytes) -> None:
        await asking.send({"type": "http.response.body", "body": frames, "more_body": True})

    async with attended(asking.receive), streamed(app.catalogue.asked(asked), asked, payer(asking.key)) as events:
        await asking.begin(200, {"content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no"})
        answered = await speak(events, asked, dialect.speaking(asked), say)
    await asking.send({"type": "http.response.body", "body": b""})
    asking.run = answered.view.run if answered else ""
    return answered


async def count_tokens(app: App, asking: Asking) -> None:
    """POST /v1/messages/count_tokens: about how many tokens a request would be."""
    await asking.answer(200, counted(json_of(await body_of(asking.headers, asking.receive, app.rules.most_bytes))))


async def models(app: App, asking: Asking) -> None:
    """GET /v1/models: what can be called now."""
    await asking.answer(200, {"object": "list", "data": [_model(one) for one in _allowed(app, asking)]})


async def model(app: App, asking: Asking) -> None:
    """GET /v1/models/{id}: one of them."""
    wanted = asking.arguments[0]
    if wanted not in _allowed(app, asking):
        raise Rejection(f"The model '{wanted[:80]}' does not exist.", 404, code="model_not_found", param="model")
    await asking.answer(200, _model(wanted))


def _allowed(app: App, asking: Asking) -> list[str]:
    allowed = asking.key.mixtures
    return [one for one in app.catalogue.ids if allowed is None or app.catalogue.name(one) in allowed]


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1767225600, "owned_by": "moa"}


async def healthz(app: App, asking: Asking) -> None:
    """GET /healthz: the process is alive."""
    await asking.answer(200, {"status": "ok"})


async def readyz(app: App, asking: Asking) -> None:
    """GET /readyz: whether it takes new work."""
    store = app.catalogue.rig.store
    problem = "draining" if app.draining else "the store is full" if store is not None and store.full else ""
    await asking.answer(503 if problem else 200, {"status": problem or "ready"})


async def metrics(app: App, asking: Asking) -> None:
    """GET /metrics, as Prometheus reads it."""
    await asking.answer(200, app.metrics.text(), **{"content-type": app.metrics.content_type})


async def run(app: App, asking: Asking) -> None:
    """GET /v1/moa/runs/{id}: a stored run, event by event."""
    await asking.answer(200, {"run": asking.arguments[0], "events": _stored(app, asking)})


async def run_events(app: App, asking: Asking) -> None:
    """GET /v1/moa/runs/{id}/events: the same as server-sent events."""
    events = _stored(app, asking)
    await asking.begin(200, {"content-type": "text/event-stream; charset=utf-8"})
    frames = b"".join(frame(event, event=str(event["kind"])) for event in events)
    await asking.send({"type": "http.response.body", "body": frames})


def _stored(app: App, asking: Asking) -> list[dict[str, Any]]:
    """The events of a run that this key may see: one of its own."""
    store, wanted = app.catalogue.rig.store, asking.arguments[0]
    events = store.events(wanted) if store is not None else []
    if not events or not _owns(app, asking.key, events[0].fact):
        raise Rejection(f"There is no run '{wanted[:80]}'.", 404, code="run_not_found")
    told = [to_plain(event) for event in events]
    for event in told:
        event.pop("nonce", None)
    return told


def _owns(app: App, key: Key, first: Fact) -> bool:
    """Whether a key may see a run that began so; where no key is needed everybody may see what nobody's key has asked."""
    account = payer(key)
    return isinstance(first, RunStarted) and first.tenant == (account.name if account else "")


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
    ("GET", r"/healthz", None, healthz, openai_error),
    ("GET", r"/readyz", None, readyz, openai_error),
)
"""Every route, with what a key must be good for: who adds one says so here."""


def found(method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    """The route of a request, and what its path names.

    Raises:
        Rejection: there is none (404), or not for this method (405, with the methods as its `param`).
    """
    others = []
    for route in ROUTES:
        if matched := route.path.fullmatch(path):
            if route.method == method or (method == "HEAD" and route.method == "GET"):
                return route, matched.groups()
            others.append(route.method)
    if others:
        raise Rejection(f"Not allowed: {method[:16]}.", 405, code="method_not_allowed", param=", ".join(others))
    raise Rejection("Invalid URL: there is nothing at this path.", 404, code="not_found")
