"""What the server has done, as Prometheus reads it: our own time and the models' apart."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

from moa.core.view import View

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
        self._tokens = Counter("moa_tokens", "Tokens of all calls.", ("kind",), registry=self._registry)
        self._cost = Counter("moa_cost_dollars", "US dollars of all calls with a known price.", registry=self._registry)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def run(self, view: View) -> None:
        """Count one run that gave an answer."""
        for call in view.calls:
            self._ended.labels(call.model, call.state).inc()
            if call.ended is not None:
                self._calls.labels(call.model, call.role).observe(call.ended - call.started)
        self._own.observe(max((view.ended or view.started) - view.started - busy(view), 0.0))
        self._tokens.labels("input").inc(view.usage.input)
        self._tokens.labels("output").inc(view.usage.output)
        self._cost.inc(view.cost or 0.0)

    def text(self) -> bytes:
        """All figures."""
        return generate_latest(self._registry)


def busy(view: View) -> float:
    """The seconds of a run in which at least one model was at work."""
    total = until = 0.0
    for call in sorted(view.calls, key=lambda call: call.started):
        end = call.ended or call.started
        total += max(end - max(call.started, until), 0.0)
        until = max(until, end)
    return total
