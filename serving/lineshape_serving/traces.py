"""Traces: one span a request with its stages, sent to an OpenTelemetry collector where one is named.

The environment says where, in OpenTelemetry's own words: OTEL_EXPORTER_OTLP_ENDPOINT and its kin. Without it nothing is
recorded and a request pays nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter_ns
from typing import TYPE_CHECKING

from opentelemetry import context, propagate, trace

from lineshape.errors import MissingExtra
from lineshape_serving.lane import Ran

if TYPE_CHECKING:
    from lineshape_serving.registry import Served

_tracer = trace.get_tracer("lineshape")


def trace_to_collector(environment: Mapping[str, str]) -> bool:
    """Send spans to the collector that the environment names, BentoML's among them; whether it names one.

    Raises
    ------
    MissingExtra
        If a collector is named, and the exporter is not installed.
    """
    if not any(environment.get(name) for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        return False
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise MissingExtra("sending traces to OTEL_EXPORTER_OTLP_ENDPOINT", "tracing") from None
    from bentoml._internal.configuration.containers import BentoMLContainer
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "lineshape"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    BentoMLContainer.tracer_provider.set(provider)  # or its spans would have no exporter, and ours no parent
    return True


@contextmanager
def continued(traceparent: str | None) -> Iterator[None]:
    """Spans within belong to the trace of a caller, where he names one; over HTTP BentoML sees to it."""
    if traceparent is None:
        yield
        return
    token = context.attach(propagate.extract({"traceparent": traceparent}))
    try:
        yield
    finally:
        context.detach(token)


def record(served: Served, ran: Ran, spectra: int) -> None:
    """The spans of a request that was answered: `lineshape.infer`, and below it its stages."""
    since = time.time_ns() - perf_counter_ns()
    whole = _tracer.start_span("lineshape.infer", start_time=since + ran.arrived)
    if not whole.is_recording():
        return
    whole.set_attributes({
        "lineshape.model": served.name, "lineshape.version": served.version,
        "lineshape.digest": served.model.digest, "lineshape.spectra": spectra, "lineshape.batch": ran.batch,
    })  # fmt: skip
    below = trace.set_span_in_context(whole)
    for stage, begin, end in (("queue", ran.arrived, ran.started), ("compute", ran.started, ran.ended)):
        _tracer.start_span(f"lineshape.{stage}", below, start_time=since + begin).end(since + end)
    whole.end()
