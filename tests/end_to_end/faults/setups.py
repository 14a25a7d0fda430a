"""The two set-ups that the fault table compares, in the processes that make the calls.

`set_up("sdk")` is what OpenTelemetry's own documentation shows, `set_up("start")` is
`replymeter.start()`; both instrument the same model and note every span that ended.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from opentelemetry import metrics, trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

import replymeter
from tests.fakes import SyncModel

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.language_models import BaseChatModel
    from opentelemetry.sdk.trace import ReadableSpan

SETUPS = ("sdk", "start")


class Notes(SpanProcessor):
    """Appends the id of every call's span to a file, by one write: no kill can lose it."""

    def __init__(self, file: Path | str) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def on_end(self, span: ReadableSpan) -> None:
        """Note one."""
        scope = span.instrumentation_scope
        assert span.context
        assert scope
        if scope.name == "replymeter":  # FastAPI makes spans of its own
            os.write(self._file, f"{span.context.span_id:016x}\n".encode())


def set_up(name: str, notes: Path | str, seconds: float = 0.0) -> BaseChatModel:
    """Set telemetry up in this process; an instrumented model that answers after *seconds*."""
    if name == "start":
        replymeter.start()
    else:
        plain_sdk()
    provider = trace.get_tracer_provider()
    assert isinstance(provider, TracerProvider)
    provider.add_span_processor(Notes(notes))
    return replymeter.instrument(SyncModel(seconds=seconds))


def plain_sdk() -> None:
    """As https://opentelemetry.io/docs/languages/python/exporters/ has it (November 2026)."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    metrics.set_meter_provider(MeterProvider([reader]))
