"""What is measured: the model bare, instrumented by hand, by Replymeter in several settings."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import replymeter
from bench.floor import floor
from bench.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    from opentelemetry import metrics, trace
    from opentelemetry.sdk.trace import ReadableSpan

    Layer: TypeAlias = Callable[[], AbstractContextManager[Model]]
    Providers: TypeAlias = tuple[trace.TracerProvider | None, metrics.MeterProvider | None]


class Discard(SpanExporter):
    """Exports to nowhere, and counts: the network is not what is measured."""

    exported = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Drop *spans*."""
        Discard.exported += len(spans)
        return SpanExportResult.SUCCESS


def providers(*, batched: bool = True, **settings: Any) -> tuple[TracerProvider, MeterProvider]:
    """An SDK as an application has it, whose exporter discards; not *batched*, at once."""
    tracers = TracerProvider(shutdown_on_exit=False, **settings)
    processor = BatchSpanProcessor if batched else SimpleSpanProcessor
    tracers.add_span_processor(processor(Discard()))
    return tracers, MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)


def unsampled() -> Providers:
    """An SDK that samples no span, and records metrics."""
    return providers(sampler=ALWAYS_OFF)


def absent() -> Providers:
    """No SDK: the global providers, which nobody has set up."""
    return None, None


class Instrumented(Model):
    """A class of its own, so that wrapping it leaves the others bare."""


def instrumented(
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
    **settings: Any,
) -> Model:
    """A model that Replymeter instruments."""
    model: Model = replymeter.instrument(
        Instrumented(), tracer_provider=tracer_provider, meter_provider=meter_provider, **settings
    )
    return model


def layer(model: Any) -> Layer:
    """A layer that needs no setting up around the calls."""
    return lambda: nullcontext(model)


SETTINGS: Mapping[str, tuple[Callable[[], Providers], Mapping[str, Any]]] = {
    "": (providers, {}),
    ", chunk timing": (providers, {"chunk_timing": True}),
    ", sampled out": (unsampled, {}),
    ", no SDK": (absent, {}),
}
"""What follows a layer's name: the SDK, and the settings of both the floor and Replymeter."""


def layers() -> dict[str, Layer]:
    """Each layer by name, the bare call first: `none`, `floor`, `replymeter`, `floor, ...`."""
    made = {"none": Model()}
    for name, (sdk, settings) in SETTINGS.items():
        made[f"floor{name}"] = floor(*sdk(), **settings)
        made[f"replymeter{name}"] = instrumented(*sdk(), **settings)
    return {name: layer(model) for name, model in made.items()}


def plain(*, batched: bool = True) -> dict[str, Layer]:
    """The three that everything is compared by."""
    return {
        "none": layer(Model()),
        "floor": layer(floor(*providers(batched=batched))),
        "replymeter": layer(instrumented(*providers(batched=batched))),
    }
