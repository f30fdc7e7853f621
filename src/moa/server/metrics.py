"""What the server has done, as Prometheus reads it: our own time and the models' apart."""

from __future__ import annotations

from functools import cache

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

from moa.core.events import (
    CacheHit,
    CallCancelled,
    CallFailed,
    CallFinished,
    CallStarted,
    Event,
    RunFailed,
    RunFinished,
)

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """The figures of one server, in a registry of its own."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "moa_requests", "Requests by route and status.", ("route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "moa_request_seconds", "Seconds of a request.", ("route",), buckets=SECONDS, registry=self._registry
        )
        self._own = Histogram(
            "moa_own_seconds",
            "Seconds of a run in which no model was at work.",
            buckets=SECONDS,
            registry=self._registry,
        )
        self._calls = Histogram(
            "moa_call_seconds", "Seconds of a model call.", ("model", "role"), buckets=SECONDS, registry=self._registry
        )
        self._ended = Counter(
            "moa_calls", "Model calls by how they ended.", ("model", "state"), registry=self._registry
        )
        self._runs = Counter("moa_runs", "Runs by how they ended.", ("ended",), registry=self._registry)
        self._tokens = Counter("moa_tokens", "Tokens of all calls.", ("kind",), registry=self._registry)
        self._cost = Counter("moa_cost_dollars", "US dollars of all calls with a known price.", registry=self._registry)
        self._of = cache(lambda metric, *labels: metric.labels(*labels))  # looked up by the library, each takes 5 µs

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._of(self._requests, route, str(status)).inc()
        self._of(self._seconds, route).observe(seconds)

    def run(self, events: list[Event]) -> None:
        """Count one run, however it ended. Answers that were known before are no calls."""
        models: dict[int, CallStarted] = {}
        known = set[int]()
        at_work: list[tuple[float, float]] = []
        for event in events:
            fact = event.fact
            if isinstance(fact, CallStarted):
                models[event.span] = fact
            elif isinstance(fact, CacheHit):
                known.add(event.span)
            elif isinstance(fact, CallFinished) and event.span in known and not fact.reply.cost:
                continue
            elif isinstance(fact, CallFinished | CallFailed | CallCancelled) and event.span in models:
                call = models[event.span]
                self._of(self._ended, call.model, type(fact).__name__.removeprefix("Call").lower()).inc()
                self._of(self._calls, call.model, call.role).observe(fact.seconds)
                at_work.append((event.time - fact.seconds, event.time))
            elif isinstance(fact, RunFinished | RunFailed):
                self._of(self._runs, "finished" if isinstance(fact, RunFinished) else fact.failure.kind).inc()
                self._own.observe(max(fact.seconds - busy(at_work), 0.0))
                self._of(self._tokens, "input").inc(fact.usage.input)
                self._of(self._tokens, "output").inc(fact.usage.output)
                self._cost.inc(fact.cost or 0.0)

    def text(self) -> bytes:
        """All figures."""
        return generate_latest(self._registry)


def busy(at_work: list[tuple[float, float]]) -> float:
    """The seconds in which at least one of them was at work, of their beginnings and ends."""
    total = until = 0.0
    for start, end in sorted(at_work):
        total += max(end - max(start, until), 0.0)
        until = max(until, end)
    return total
