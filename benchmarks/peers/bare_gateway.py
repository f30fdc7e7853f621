"""The floor of a gateway: raw ASGI on uvicorn over moa's own transport, and nothing else.

`bare/single` passes a request through; `bare/mixture` asks the upstream four times at once and once more with what came back.
No keys, no validation, no deadlines, no store: what one could not do without.

    python bare_gateway.py UPSTREAM_URL MODEL PORT
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec
import uvicorn

from moa.providers._http import Aiohttp

UPSTREAM, MODEL, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer none"}
TRANSPORT = Aiohttp()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer one request."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    asked = msgspec.json.decode(body)
    if asked.get("stream"):
        await _stream(asked, send)
        return
    raw = await (_mixture(asked) if asked["model"] == "bare/mixture" else _call(asked["messages"]))
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": raw})


def _request(messages: Any, **more: Any) -> Any:
    body = msgspec.json.encode({"model": MODEL, "messages": messages, **more})
    return TRANSPORT.request("POST", f"{UPSTREAM}/chat/completions", HEADERS, body)


async def _call(messages: Any) -> bytes:
    async with _request(messages) as response:
        return await response.read(1 << 20)


async def _mixture(asked: Any) -> bytes:
    proposals = await asyncio.gather(*(_call(asked["messages"]) for _ in range(4)))
    texts = [msgspec.json.decode(raw)["choices"][0]["message"]["content"] for raw in proposals]
    shown = "\n\n".join(texts)
    return await _call([*asked["messages"], {"role": "user", "content": shown}])


async def _stream(asked: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    async with _request(asked["messages"], stream=True) as response:
        while piece := await response.piece():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    uvicorn.run(app, port=PORT, loop="uvloop", http="httptools", lifespan="off", access_log=False, log_level="warning")
