"""What is measured: the model bare, instrumented by hand, by Replymeter in several settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import replymeter
from bench.floor import floor
from bench.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace import ReadableSpan


class Discard(SpanExporter):
    """Exports to nowhere: the network is not what is measured."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Drop *spans*."""
        return SpanExportResult.SUCCESS


def providers(**settings: Any) -> tuple[TracerProvider, MeterProvider]:
    """An SDK as an application has it, whose exporter discards."""
    tracers = TracerProvider(shutdown_on_exit=False, **settings)
    tracers.add_span_processor(BatchSpanProcessor(Discard()))
    return tracers, MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)


class Instrumented(Model):
    """A class of its own, so that wrapping it leaves the others bare."""


def instrumented(*, sampled: bool = True, **settings: Any) -> Model:
    """A model that Replymeter instruments, with an SDK of its own."""
    tracers, meters = providers() if sampled else providers(sampler=ALWAYS_OFF)
    model: Model = replymeter.instrument(
        Instrumented(), tracer_provider=tracers, meter_provider=meters, **settings
    )
    return model


def unmarked() -> Model:
    """A bare instance of a class that is wrapped for the sake of another."""
    instrumented()
    return Instrumented()


class Forwarding(Model):
    """What any wrapper costs at least: one Python function that calls another."""

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        return super()._generate(*args, **kwargs)

    def _stream(self, *args: Any, **kwargs: Any) -> Any:
        return super()._stream(*args, **kwargs)


LAYERS: dict[str, Callable[[], Model]] = {
    "none": Model,
    "forwarding": Forwarding,
    "unmarked": unmarked,
    "floor": lambda: floor(*providers()),
    "replymeter": instrumented,
    "floor, chunk timing": lambda: floor(*providers(), chunk_timing=True),
    "replymeter, chunk timing": lambda: instrumented(chunk_timing=True),
    "replymeter, sampled out": lambda: instrumented(sampled=False),
    "replymeter, no SDK": lambda: replymeter.instrument(Instrumented()),
}
