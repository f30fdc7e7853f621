"""The parts of `server_faults.py` that are about load and doors: too many requests, streams, connections, bytes, and callers."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from _clients import (
    Answer,
    arriving,
    ask,
    deaf,
    drip,
    gaps,
    head_of,
    percentile,
    play,
    pour,
    request,
    returning,
    sip,
    together,
)
from _report import Figure
from _served import KEY, PRICE, Server, serving
from _upstream import Upstream

from moa.server.app import ROUTES
from moa.stores.keys import SCOPES


def overloaded(served: Upstream, quick: bool) -> list[Figure]:
    """F34, L5, G17: ten times as many requests as it can do."""
    at_once, seconds = 32, 3.0 if quick else 60.0

    async def main(server: Server) -> list[Figure]:
        sent = request("moa/two")
        await returning(server.port, sent, 4, 1.0)
        alone = await returning(server.port, sent, 2, max(seconds / 4, 3.0))
        busy = await returning(server.port, sent, at_once, max(seconds / 4, 3.0))
        usual = percentile(busy.seconds, 0.5)
        capacity = at_once / usual
        began = time.perf_counter()
        answers = await arriving(server.port, sent, 10 * capacity, seconds)
        good = [one for one in answers if one.ok]
        refused = [one for one in answers if one.status in (429, 503)]
        goodput = sum(usual < one.ended - began <= seconds for one in good) / (seconds - usual)
        unloaded = percentile(alone.seconds, 0.99)
        advised = sum(b"retry-after:" in one.head.lower() for one in refused)
        calm = await returning(server.port, sent, 2, 2.0)
        return [
            Figure("F34.goodput_of_capacity", goodput / capacity, 0.9, ">="),
            Figure("F34.offered_of_capacity", len(answers) / seconds / capacity, 9, ">=", due=False),
            Figure("F34.rejection_p99.ms", percentile([one.seconds for one in refused], 0.99) * 1000, 50),
            Figure("F34.rejections_with_retry_after.percent", 100 * advised / max(len(refused), 1), 100, ">="),
            Figure("F34.admitted_p99_of_unloaded", percentile([one.seconds for one in good], 0.99) / unloaded, 2),
            Figure("F34.neither_answered_nor_refused", len(answers) - len(good) - len(refused), 0),
            Figure("F34.p50_afterwards_of_before", percentile(calm.seconds, 0.5) / percentile(alone.seconds, 0.5), 1.2),
        ]

    mixtures = {"two": (["mock-lat200-tok5"] * 2, "mock-lat200-tok5")}
    with serving(served, {}, mixtures, f"[server]\nat_once = {at_once}") as server:
        return play(main(server))


def streams(served: Upstream, quick: bool) -> list[Figure]:
    """L4: many streams at once, through the server and directly from the upstream; and what an idle server takes (G15)."""
    many, model = (50, "mock-lat500-tok100-itl50") if quick else (500, "mock-lat500-tok400-itl50")

    async def main(port: int, name: str) -> list[Answer]:
        return await together(many, lambda n: ask(port, request(name, stream=True, max_tokens=1000), 120.0))

    with serving(served, {"talks": model}) as server:
        idle = server.megabytes
        play(ask(server.port, request("talks", stream=True, max_tokens=1000)))
        warm = server.megabytes
        bare = play(main(served.port, model))
        server.forget_peak()
        through = play(main(server.port, "talks"))
        added = server.peak() - warm
    p99 = percentile(gaps(through), 0.99) - percentile(gaps(bare), 0.99)
    return [
        Figure("L4.whole_streams.percent", 100 * sum(one.ok for one in through) / many, 100, ">="),
        Figure("L4.added_between_tokens_p99.ms", p99 * 1000, 50),
        Figure("L4.added_per_stream.kb", added * 1024 / many, 100),
        Figure("G15.idle.mb", idle, 100),
    ]


def crowd(served: Upstream, quick: bool) -> list[Figure]:
    """L6: from no connection to a thousand within a second."""
    many = 1000

    async def main(server: Server) -> list[Answer]:
        await ask(server.port, request("single"))
        server.forget_peak()
        return await arriving(server.port, request("single"), many, 1.0)

    with serving(served, {"single": "mock-lat1000-tok20"}) as server:
        answers = play(main(server))
        return [
            Figure("L6.not_answered", sum(not one.whole or one.status not in (200, 503) for one in answers), 0),
            Figure("L6.refused", sum(one.status == 503 for one in answers), many / 10, due=False),
            Figure("L6.memory.mb", server.peak(), 300),
            Figure("L6.tracebacks", server.tracebacks, 0),
        ]


def bodies(served: Upstream, quick: bool) -> list[Figure]:
    """G15: a body of 100 MB, whether or not it says so before."""
    size = 100 << 20
    found = []
    with serving(served, {"single": "mock-lat1-tok5"}) as server:
        play(ask(server.port, request("single")))
        for how, headers in (
            ("declared", f"Content-Length: {size}\r\n"),
            ("chunked", "Transfer-Encoding: chunked\r\n"),
        ):
            server.forget_peak()
            idle = server.megabytes
            head = head_of("POST", "/v1/chat/completions", headers=f"Content-Type: application/json\r\n{headers}")
            status = play(pour(server.port, head, size, chunked=how == "chunked"))
            found.append(Figure(f"G15.body_{how}.refused_with_413", float(status == 413), 1, ">="))
            found.append(Figure(f"G15.body_{how}.added.mb", server.peak() - idle, 20))
    return found


def abused(served: Upstream, quick: bool) -> list[Figure]:
    """L7, G14, A19: slow heads, slow bodies and slow readers, beside honest clients."""
    many, seconds = 200, 5.0 if quick else 8.0

    async def main(server: Server) -> list[Figure]:
        sent = request("single")
        capacity = (await returning(server.port, sent, 16, seconds)).good / seconds
        honest = [await arriving(server.port, sent, capacity / 2, seconds)]
        whole = request("talks", stream=True, max_tokens=1_000_000)
        readers = [deaf(server.port, whole) for _ in range(many)]
        sipping = asyncio.create_task(sip(readers))
        await asyncio.sleep(4.0)
        heads = [asyncio.create_task(drip(server.port, whole[:40], b"X-More: 1\r\n")) for _ in range(many)]
        slow = [asyncio.create_task(drip(server.port, whole[:-100], b" ")) for _ in range(many)]
        await asyncio.sleep(1.0)
        honest.append(await arriving(server.port, sent, capacity / 2, seconds))
        cut = await asyncio.gather(*heads), await asyncio.gather(*slow)
        sipping.cancel()
        for reader in readers:
            reader.close()
        honest.append(await arriving(server.port, sent, capacity / 2, seconds))
        without = percentile([one.seconds for answers in honest[::2] for one in answers], 0.99)
        abuse = percentile([one.seconds for one in honest[1]], 0.99)
        return [
            Figure("L7.honest_p99_of_without_abuse", abuse / without, 1.2),
            Figure("L7.honest_not_answered", sum(not one.ok for answers in honest for one in answers), 0),
            Figure("L7.slow_head_cut_after.seconds", max(cut[0]), 12),
            Figure("L7.slow_body_cut_after.seconds", max(cut[1]), 32),
        ]

    with serving(served, {"single": "mock-lat5-tok20", "talks": "mock-lat5-tok20-pad4000"}) as server:
        return play(main(server))


def storm(served: Upstream, quick: bool) -> list[Figure]:
    """L8: 64 clients at once, one key with money for ten calls."""
    repetitions, clients, calls, tokens = 5 if quick else 200, 64, 10, 50
    day = (calls + 0.5) * tokens * PRICE / 1e6

    async def main(server: Server) -> list[list[int]]:
        seen = []
        for number in range(repetitions):
            _, secret = server.keys.create(f"poor {number}", day=day)
            sent = request("single", key=secret, max_tokens=tokens)
            seen.append([one.status for one in await together(clients, lambda n, sent=sent: ask(server.port, sent))])
        return seen

    with serving(served, {"single": f"mock-lat20-tok{tokens}"}) as server:
        seen = play(main(server))
    admitted = [statuses.count(200) for statuses in seen]
    return [
        Figure("L8.most_admitted", max(admitted), calls),
        Figure("L8.fewest_admitted", min(admitted), calls, ">="),
        Figure("L8.neither_admitted_nor_told_why", sum(s not in (200, 402) for statuses in seen for s in statuses), 0),
    ]


EXAMPLES = {"(.+)": "single", "([0-9a-f]{8,40})": "00000000ffff", "\\": ""}
FOREIGN = ("Host: evil.example\r\n", "Origin: https://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n")


def doors(served: Upstream, quick: bool) -> list[Figure]:
    """G20, G23: every route with every kind of key, and from foreign places."""

    def sent(route: Any, key: str, headers: str = "", method: str = "") -> bytes:
        path = route.path.pattern
        for pattern, example in EXAMPLES.items():
            path = path.replace(pattern, example)
        if (method or route.method) == "POST":
            return request("single", path=path, key=key, headers=headers, input="hi", max_tokens=5)
        return head_of(method or route.method, path, key=key, headers=headers)

    async def main(server: Server, keys: dict[str, str], scoped: dict[str, str]) -> tuple[int, int]:
        async def status(*what: Any, **more: Any) -> int:
            return (await ask(server.port, sent(*what, **more))).status

        deviations = let_in = 0
        for route in ROUTES:
            for kind, key in keys.items():
                got = await status(route, key)
                deviations += (got == 401) != (
                    kind in ("none", "wrong", "expired", "revoked") and route.scope is not None
                )
            for scope, key in scoped.items():
                got = await status(route, key)
                deviations += (got == 403) != (route.scope not in (None, scope)) or got == 401
            if route.scope is not None:
                for headers in FOREIGN:
                    let_in += await status(route, KEY, headers) not in (403, 421)
                preflight = await ask(server.port, sent(route, "", FOREIGN[1], method="OPTIONS"))
                let_in += b"access-control-allow-origin" in preflight.head.lower()
        return deviations, let_in

    with serving(served, {"single": "mock-lat1-tok5"}) as server:
        keys = {"none": "", "wrong": "moa-wrong", "literal": KEY, "good": server.keys.create("good")[1]}
        keys |= {"expired": server.keys.create("expired", expires=time.time() - 1)[1]}
        keys |= {"revoked": server.keys.create("revoked")[1]}
        server.keys.revoke("revoked")
        scoped = {scope: server.keys.create(scope, scopes=(scope,))[1] for scope in SCOPES}
        deviations, let_in = play(main(server, keys, scoped))
    return [Figure("G20.deviations", deviations, 0), Figure("G23.foreign_places_let_in", let_in, 0)]
