"""Runs as traces: a span for the run, each step and each call, nested, without a word of what was said."""

from __future__ import annotations

import asyncio

import pytest

sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="traces need opentelemetry-sdk")
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: E402

from moa import Mixture  # noqa: E402
from moa.core.errors import Overloaded  # noqa: E402
from moa.providers.fake import Fake  # noqa: E402
from moa.sinks.otel import Spans  # noqa: E402


def test_a_run_is_a_tree_of_spans() -> None:
    exporter = InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    fake = Fake({"a": "secret words", "b": Overloaded("down"), "agg": "secret answer"})
    sink = Spans(provider.get_tracer("moa"))
    layer = ["fake:a", "fake:b"]
    mixture = Mixture([layer], "fake:agg", name="two", providers={"fake": fake}, sinks=(sink,))
    asyncio.run(mixture.ask("secret question"))
    spans = exporter.get_finished_spans()
    by_id = {span.context.span_id: span for span in spans}
    names = {span.name: span for span in spans}
    assert {"invoke_agent two", "layer 1", "chat a", "chat b", "aggregate", "chat agg"} == set(names)
    assert by_id[names["chat a"].parent.span_id] is names["layer 1"]
    assert by_id[names["layer 1"].parent.span_id] is names["invoke_agent two"]
    assert names["invoke_agent two"].parent is None
    assert names["chat a"].attributes["gen_ai.request.model"] == "a"
    assert names["chat a"].attributes["gen_ai.provider.name"] == "fake"
    assert names["chat a"].attributes["gen_ai.usage.output_tokens"] == 2
    assert names["chat b"].attributes["error.type"] == "Overloaded"
    assert names["invoke_agent two"].attributes["moa.degraded"] is True
    assert all(span.end_time >= span.start_time for span in spans)
    assert "secret" not in "".join(span.to_json() for span in spans)
    assert not sink._open
