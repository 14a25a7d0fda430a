"""What a soak sends its telemetry to: the real SDK, and exporters that add up."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import replymeter
from replymeter import conventions as names
from tests.end_to_end.counted import LABELS
from tests.end_to_end.truth import PRICES, Truth
from tests.test_exactness import on_span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.end_to_end.counted import Series

METRICS = {metric.name: metric.prometheus for metric in names.METRICS}
WORDS = {**LABELS, names.ERROR_KIND.replace(".", "_"): "kind"}
ON_NO_SPAN = (names.COST_MISSING.prometheus, names.INTERNAL_ERRORS.prometheus)
QUEUE = 1 << 16  # spans that may wait for their export


class Spans(SpanExporter):
    """Adds up what spans say, as the metrics would."""

    def __init__(self) -> None:
        self.truth = Truth()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Add *spans*."""
        for span in spans:
            said: Mapping[str, Any] = span.attributes or {}
            provider, model = said[names.PROVIDER_NAME], said[names.REQUEST_MODEL]
            self.truth.add_call(provider, model, on_span(said), said[names.OUTCOME])
        return SpanExportResult.SUCCESS


class Metrics(MetricExporter):
    """Keeps the newest of what it gets: the sums since the start."""

    newest: MetricsData | None = None

    def export(self, metrics_data: MetricsData, *_: Any, **__: Any) -> MetricExportResult:
        """Keep it."""
        self.newest = metrics_data
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        """There is nothing to send."""
        return True

    def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None:
        """There is nothing to close."""

    def series(self) -> Counter[Series]:
        """Every series that is not 0, by the labels that are noted."""
        sums: Counter[Series] = Counter()
        for resource in self.newest.resource_metrics if self.newest else ():
            for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
                name = METRICS[metric.name]
                for point in metric.data.data_points:
                    have = {k.replace(".", "_"): v for k, v in (point.attributes or {}).items()}
                    labels = (*(f"{word}={have[k]}" for k, word in WORDS.items() if k in have),)
                    for suffix, value in _values(point).items():
                        series = (name + suffix, *labels)
                        sums[series] += int(value)
        return +sums


def _values(point: Any) -> Mapping[str, float]:
    if isinstance(point, NumberDataPoint):
        return {"": point.value}
    return {"_sum": point.sum, "_count": point.count}


class Lines(logging.Handler):
    """Counts what is logged, by anybody."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Count one line."""
        self.lines[record.getMessage()] += 1


class Telemetry(NamedTuple):
    """Where a soak's telemetry goes, and what is logged meanwhile."""

    spans: Spans
    metrics: Metrics
    log: Lines
    tracers: TracerProvider
    meters: MeterProvider

    def instrument(self, llm: Any) -> Any:
        """`replymeter.instrument` into here."""
        return replymeter.instrument(
            llm, prices=PRICES, tracer_provider=self.tracers, meter_provider=self.meters
        )

    def flush(self) -> None:
        """Have all that ended exported."""
        self.tracers.force_flush()
        self.meters.force_flush()

    def differences(self, want: Counter[Series]) -> dict[Series, tuple[float, ...]]:
        """Each series that differs: what was driven, what metrics say, and what spans say."""
        counted, added = self.metrics.series(), self.spans.truth.series
        named = {series[0] for series in want}
        every = {*want, *added, *(series for series in counted if series[0] in named)}
        found: dict[Series, tuple[float, ...]] = {}
        for series in every:
            said = [want[series], counted[series], added[series]]
            if len({*said[: 2 if series[0] in ON_NO_SPAN else 3]}) > 1:
                found[series] = tuple(said)
        return found


@contextmanager
def telemetry() -> Iterator[Telemetry]:
    """Both pipelines of the SDK as they run in production, but for exemplars, which fill up."""
    spans, metrics, log = Spans(), Metrics(), Lines()
    tracers = TracerProvider(shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(spans, QUEUE, schedule_delay_millis=500))
    reader = PeriodicExportingMetricReader(metrics, export_interval_millis=1000)
    off = AlwaysOffExemplarFilter()
    meters = MeterProvider([reader], exemplar_filter=off, shutdown_on_exit=False)
    logging.getLogger().addHandler(log)
    try:
        yield Telemetry(spans, metrics, log, tracers, meters)
    finally:
        logging.getLogger().removeHandler(log)
        meters.shutdown()
        tracers.shutdown()
