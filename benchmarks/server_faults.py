"""What clients, an operator and their faults do to a real `moa serve`, with key, store and ledger, over the mock upstream.

Clients that leave, at each stage (F21, G4); that do not read (F22); 20,000 that give up at random (F23); a server told to end with
streams under way (F25, G18); a request delivered twice (F31). And load (`_server_load.py`): ten times too much (F34, L5, G17), 500
streams (L4, G15), a flash crowd (L6), an abuse mix (L7, G14, A19), a race for one key's money (L8), who may do what (G20, G23).
And what is answered (`_server_answers.py`): damaged requests (G12), the shapes of answers (G13), keys where none may be (G21).
What is slower or larger under a fault is held against the same thing without it, in the same run.

    python benchmarks/server_faults.py                  # all of it: some minutes
    python benchmarks/server_faults.py --quick          # small numbers
    python benchmarks/server_faults.py --only F21,L8    # some of it
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import _server_load as load
from _clients import Answer, ask, deaf, head_of, leave, opened, play, request, sip, together
from _report import Figure, arguments, report, tell
from _served import Server, serving
from _server_answers import bad_inputs, secrets, shapes
from _upstream import Upstream, upstream

SLOW, FAST, TALKS, HANGS = "mock-lat5000-tok5", "mock-lat1-tok5", "mock-lat20-tok400-itl20", "narrow:mock-hang"
NARROW = f"narrow:{SLOW}"
STAGES = {"connecting": "moa/first", "queued": "moa/queued", "layer1": "moa/first", "aggregation": "moa/last"}
WIDTH = 4
MIXTURES = {"first": ([SLOW] * WIDTH, FAST), "last": ([FAST] * WIDTH, TALKS), "queued": ([NARROW] * WIDTH, FAST)}
CUT_SECONDS = 30.0
"""After which the server gives up a client that does not read."""
Until = Callable[[], Any]


async def soon(holds: Until, seconds: float = 60.0, step: float = 0.02) -> float:
    """Wait until it holds; the seconds that took, or more than `seconds` where it does not."""
    began = time.perf_counter()
    while not holds():
        if time.perf_counter() - began > seconds:
            return time.perf_counter() - began + step
        await asyncio.sleep(step)
    return time.perf_counter() - began


async def leaving(server: Server, served: Upstream, stage: str, stream: bool, many: int) -> float:
    """Of the upstream calls of so many clients that leave at this stage, the per cent that were given up within a second."""
    model, holder = STAGES[stage], None
    if stage == "queued":
        holder = await opened(server.port, request("holder"))
        await soon(lambda: served.stats()["inflight"] == 1)
    served.reset()
    runs, whole = server.runs(), request(model, stream=stream)
    sent = [whole[: random.randrange(len(whole))] if stage == "connecting" and n % 2 else whole for n in range(many)]
    clients = [await opened(server.port, one) for one in sent]
    calls = {"queued": many * WIDTH, "layer1": many * WIDTH, "aggregation": many}.get(stage, 0)
    if stage == "queued":
        await soon(lambda: server.runs("calls > 0") >= runs + many)
    elif stage == "layer1":
        await soon(lambda: served.stats()["inflight"] >= calls)
    elif stage == "aggregation":
        await soon(lambda: served.stats()["inflight"] == calls and served.stats()["req"] == many * (WIDTH + 1))
    for number, client in enumerate(clients):
        client.transport.abort() if number % 2 else client.transport.close()
    if holder is not None:  # who has left takes no place when one comes free
        await asyncio.sleep(1.0)
        holder.transport.abort()
        await asyncio.sleep(0.5)
        return 100 * (1 - served.stats()["req"] / calls)
    if stage == "connecting":
        await asyncio.sleep(1.0)
        seen = served.stats()
        return 100 * (1 - seen["inflight"] / seen["req"]) if seen["req"] else 100.0
    seconds = await soon(lambda: not served.stats()["inflight"], 1.0)
    return 100 * served.stats()["gone"] / calls if seconds <= 1.0 else 100 * (1 - served.stats()["inflight"] / calls)


def left(served: Upstream, quick: bool) -> list[Figure]:
    """F21, G4: clients that leave."""
    found, many = [], 4 if quick else 20

    async def main(server: Server) -> None:
        await ask(server.port, request("moa/last", max_tokens=5))
        for stage in STAGES:
            for stream in (False, True):
                percent = await leaving(server, served, stage, stream, many)
                kind = "streamed" if stream else "whole"
                found.append(Figure(f"F21.{stage}.{kind}.aborted_within_a_second.percent", percent, 100, ">="))
        await soon(lambda: not server.runs("state = 'open'"), 10.0)
        await asyncio.sleep(1.0)

    with serving(served, {"holder": HANGS}, MIXTURES) as server:
        play(main(server))
        started = server.runs("calls > 0")
        found.append(Figure("F21.runs_with_a_ledger_line.percent", 100 * server.billed() / started, 100, ">="))
        found.append(Figure("F21.runs_without_an_end", server.runs("state = 'open'"), 0))
        found.append(Figure("F21.tracebacks", server.tracebacks, 0))
    return found


def stalled(served: Upstream, quick: bool) -> list[Figure]:
    """F22: clients that do not read, or a byte a second, beside as many that do."""
    many = 200 if quick else 1000
    talks = f"mock-lat20-tok400-itl{50 if quick else 100}"
    sent = request("talks", stream=True, max_tokens=1_000_000)

    async def read(server: Server) -> float:
        await ask(server.port, request("talks", max_tokens=1_000_000))
        server.forget_peak()
        answers = await together(many, lambda n: ask(server.port, sent, 200.0))
        return sum(one.ok for one in answers) / many

    async def unread(server: Server) -> tuple[float, float, float]:
        await ask(server.port, request("talks", max_tokens=1_000_000))
        server.forget_peak()
        idle, files = server.megabytes, server.files
        clients = [deaf(server.port, sent) for _ in range(many)]
        sipping = asyncio.create_task(sip(clients[::2]))
        await soon(lambda: not served.stats()["inflight"], 300.0, 0.5)
        kernel = sum(server.unsent()) / many
        await soon(lambda: server.files <= files, CUT_SECONDS + 10.0, 0.5)
        sipping.cancel()
        there = max(server.files - files, 0)
        for client in clients:
            client.close()
        return idle, kernel / 1024, 100 * (1 - there / many)

    with serving(served, {"talks": talks}) as server:
        whole = play(read(server))
        peak = server.peak()
    with serving(served, {"talks": talks}) as server:
        idle, kernel, cut = play(unread(server))
        more = server.peak()
    return [
        Figure("F22.held_for_each_who_does_not_read.kb", max(more - peak, 0) * 1024 / many + kernel, 256),
        Figure("F22.added_by_a_thousand.mb", (more - idle) * 1000 / many, 100),
        Figure("F22.added_by_a_thousand_who_read.mb", (peak - idle) * 1000 / many, 100, due=False),
        Figure("F22.cut_in_the_end.percent", cut, 100, ">="),
        Figure("F22.who_read_got_all.percent", 100 * whole, 100, ">="),
    ]


def churned(served: Upstream, quick: bool) -> list[Figure]:
    """F23: clients that give up at random."""
    cancels = 500 if quick else 20_000
    rng = random.Random(23)

    async def main(server: Server) -> tuple[int, int, int]:
        bodies = [request(model, stream=stream) for model in ("moa/four", "single") for stream in (False, True)]
        await together(50, lambda n: ask(server.port, bodies[n % 4]))
        await asyncio.sleep(0.5)
        files, threads = server.files, server.threads
        await together(cancels, lambda n: leave(server.port, bodies[n % 4], rng.uniform(0, 0.1)), 50)
        answers = await together(200, lambda n: ask(server.port, bodies[n % 4]), 50)
        await soon(lambda: server.files <= files + 5 and not server.runs("state = 'open'"), 10.0, 0.2)
        return sum(one.ok for one in answers), server.files - files, server.threads - threads

    with serving(
        served, {"single": "mock-lat20-tok20-itl1"}, {"four": (["mock-lat20-tok5"] * WIDTH, TALKS[:15])}
    ) as server:
        good, files, threads = play(main(server))
        return [
            Figure("F23.answered_after_cancels", good, 200, ">="),
            Figure("F23.files_left", files, 5),
            Figure("F23.threads_left", threads, 5),
            Figure("F23.runs_without_an_end", server.runs("state = 'open'"), 0),
            Figure("F23.calls_left", served.stats()["inflight"], 0),
            Figure("F23.tracebacks", server.tracebacks, 0),
        ]


def ended(served: Upstream, quick: bool) -> list[Figure]:
    """F25, G18: a server told to end, once, and twice."""
    many = 10 if quick else 50
    agents = {"short": "mock-lat20-tok100-itl40", "long": "mock-lat20-tok2000-itl40"}

    async def main(server: Server, model: str, twice: bool) -> tuple[float, float, list[Answer]]:
        await ask(server.port, request("short", max_tokens=100))
        probes = [await opened(server.port, b"") for _ in range(200)]
        asking = [asyncio.create_task(ask(server.port, request(model, stream=True), 90.0)) for _ in range(many)]
        await soon(lambda: served.stats()["inflight"] == many)
        await asyncio.sleep(0.5)
        server.end()
        told, flipped = time.perf_counter(), float("nan")
        for probe in probes:
            probe.transport.write(head_of("GET", "/readyz", key=""))
            if (await probe.done).status == 503:
                flipped = time.perf_counter() - told
                break
            await asyncio.sleep(0.005)
        if twice:
            server.end()
            told = time.perf_counter()
        for probe in probes:
            probe.transport.abort()
        answers = await asyncio.gather(*asking)
        await soon(lambda: server.process.poll() is not None)
        return flipped, time.perf_counter() - told, answers

    with serving(served, agents) as server:
        flipped, _, answers = play(main(server, "short", twice=False))
        code = server.process.wait()
        orphans = server.leases() + server.runs("state = 'open'")
        cut = sum(not (one.ok and b"data: [DONE]" in one.body) for one in answers)
    with serving(served, agents) as server:
        _, seconds, answers = play(main(server, "long", twice=True))
        told = sum(one.whole and b"shutting_down" in one.body for one in answers) / many
        traces = server.tracebacks
        again = server.leases() + server.runs("state = 'open'") + server.runs() - server.billed()
    return [
        Figure("F25.not_ready_after.ms", flipped * 1000, 100),
        Figure("F25.cut_streams", cut, 0),
        Figure("F25.exit_code", code, 0),
        Figure("F25.open_leases_and_runs", orphans, 0),
        Figure("F25.told_twice.seconds_to_the_end", seconds, 5),
        Figure("F25.told_twice.streams_that_end_in_an_error_event.percent", 100 * told, 100, ">="),
        Figure("F25.told_twice.tracebacks", traces, 0),
        Figure("F25.told_twice.open_leases_and_unbilled_runs", again, 0),
    ]


def repeated(served: Upstream, quick: bool) -> list[Figure]:
    """F31: a request that is delivered twice, while the first one runs and later."""

    async def main(server: Server, headers: str) -> tuple[float, list[int]]:
        served.reset()
        sent = request("moa/four", headers=headers)
        both = await together(2, lambda n: ask(server.port, sent))
        later = await ask(server.port, sent)
        await asyncio.sleep(1.0)
        return served.stats()["req"] / (WIDTH + 1), sorted(one.status for one in [*both, later])

    with serving(served, {}, {"four": (["mock-lat200-tok5"] * WIDTH, FAST)}) as server:
        once, statuses = play(main(server, "Idempotency-Key: one\r\n"))
        before = server.billed()
        without, _ = play(main(server, ""))
        billed = server.billed() - before
    return [
        Figure("F31.with_a_key.executions", once, 1),
        Figure("F31.with_a_key.answered_200_200_409", float(statuses == [200, 200, 409]), 1, ">="),
        Figure("F31.without.executions_of_three", without, 3, ">="),
        Figure("F31.without.runs_in_the_ledger_of_three", billed, 3, ">="),
    ]


PARTS: dict[str, Callable[[Upstream, bool], list[Figure]]] = {
    "F21": left, "F22": stalled, "F23": churned, "F25": ended, "F31": repeated, "F34": load.overloaded, "L4": load.streams,
    "L6": load.crowd, "G15": load.bodies, "L7": load.abused, "L8": load.storm, "G20": load.doors,
    "G12": bad_inputs, "G13": shapes, "G21": secrets,
}  # fmt: skip


def main() -> int:
    """Measure and report."""
    parser = arguments(
        argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    )
    parser.add_argument("--quick", action="store_true", help="small numbers")
    parser.add_argument("--only", default=",".join(PARTS), help="which parts")
    args = parser.parse_args()
    only = args.only.split(",")
    if strange := [part for part in only if part not in PARTS]:
        parser.error(f"--only: there is no {strange[0]!r}; there are: {', '.join(PARTS)}")
    found: list[Figure] = []
    seconds: dict[str, float] = {}
    with upstream() as served:
        for part in only:
            began = time.perf_counter()
            found += PARTS[part](served, args.quick)
            seconds[part] = round(time.perf_counter() - began, 1)
            tell(args, f"{part} took {seconds[part]} s")
    return report(found, args, {"seconds": seconds})


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        raise SystemExit(main())
