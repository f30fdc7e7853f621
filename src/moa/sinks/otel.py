"""Runs as OpenTelemetry traces, in the words of its conventions for generative AI (`gen_ai.*`): all of those names stand here.

A run is a span, each step one inside it, each model call one inside its step. No prompt and no answer is told.
https://opentelemetry.io/docs/specs/semconv/gen-ai/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context

from moa.core.events import (
    TERMINAL,
    CallCancelled,
    CallFailed,
    CallFinished,
    CallHedged,
    CallRetried,
    CallStarted,
    Event,
    Noted,
    RunFailed,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
)

NANO = 1_000_000_000
Told: TypeAlias = Mapping[str, str | bool | int | float | tuple[str, ...]]


class Spans:
    """A Sink that makes spans with `tracer` (`opentelemetry.trace.get_tracer("moa")`)."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._open: dict[tuple[str, int], Span] = {}

    def __call__(self, event: Event) -> None:
        """Take in one event of any run."""
        fact, at = event.fact, int(event.time * NANO)
        match fact:
            case RunStarted():
                begun = {
                    "gen_ai.operation.name": "invoke_agent",
                    "gen_ai.agent.name": fact.mixture,
                    "moa.run": event.run,
                }
                self._start(event, 0, f"invoke_agent {fact.mixture}", begun, SpanKind.INTERNAL)
            case StepStarted():
                self._start(event, event.span, fact.label or "step", {"moa.calls": fact.calls}, SpanKind.INTERNAL)
            case CallStarted():
                host, _, model = fact.model.partition(":")
                asked = {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": host,
                    "gen_ai.request.model": model,
                    "gen_ai.agent.name": fact.agent,
                    "moa.role": fact.role,
                }
                self._start(event, event.span, f"chat {model}", asked, SpanKind.CLIENT)
            case CallRetried() | CallHedged() | Noted():
                span = self._open.get((event.run, event.span)) or self._open.get((event.run, 0))
                if span is not None:
                    words = {"moa.reason": fact.reason, "moa.detail": fact.detail} if isinstance(fact, Noted) else {}
                    span.add_event(type(fact).__name__, words, at)
            case CallFinished():
                self._finish(event, at, finished_call(fact))
            case CallFailed(failure) if failure.kind == "Abstained":
                self._finish(event, at, {"moa.abstained": True})
            case CallFailed():
                self._finish(event, at, {"error.type": fact.failure.kind}, fact.failure.kind)
            case CallCancelled() | StepFinished():
                self._finish(event, at, {})
            case RunFinished():
                told: Told = {
                    "gen_ai.usage.input_tokens": fact.usage.input,
                    "gen_ai.usage.output_tokens": fact.usage.output,
                    "moa.degraded": fact.degraded,
                }
                self._finish(event, at, told)
            case RunFailed():
                self._finish(event, at, {"error.type": fact.failure.kind}, fact.failure.kind)
        if isinstance(fact, TERMINAL):
            self._forget(event.run, at)

    def _start(self, event: Event, number: int, name: str, told: Told, kind: SpanKind) -> None:
        parent = self._open.get((event.run, event.parent)) or self._open.get((event.run, 0))
        context = set_span_in_context(parent) if parent is not None else None
        started = int(event.time * NANO)
        span = self._tracer.start_span(name, context, kind, told, start_time=started)
        self._open[event.run, number] = span

    def _finish(self, event: Event, at: int, told: Told, problem: str = "") -> None:
        terminal = isinstance(event.fact, TERMINAL)
        span = self._open.pop((event.run, 0 if terminal else event.span), None)
        if span is None:
            return
        span.set_attributes(told)
        if problem:
            span.set_status(Status(StatusCode.ERROR, problem))
        span.end(at)

    def _forget(self, run: str, at: int) -> None:
        for key in [key for key in self._open if key[0] == run]:
            self._open.pop(key).end(at)


def finished_call(fact: CallFinished) -> Told:
    """What is told of an answer: never the answer."""
    reply = fact.reply
    told: dict[str, str | float | tuple[str, ...]] = {
        "gen_ai.response.model": reply.model,
        "gen_ai.response.finish_reasons": (reply.finish,),
        "gen_ai.usage.input_tokens": reply.usage.input,
        "gen_ai.usage.output_tokens": reply.usage.output,
    }
    return told if reply.cost is None else told | {"moa.cost": reply.cost}


def exported() -> Spans:
    """A sink whose spans go, in the background, to the collector that OpenTelemetry's own variables name."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "moa"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Spans(provider.get_tracer("moa"))
