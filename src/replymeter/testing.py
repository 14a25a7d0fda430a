"""For tests: see what an instrumented model sends, without a collector. Needs the SDK."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from replymeter import conventions as names
from replymeter.postponed import settle

_METRICS = frozenset(metric.name for metric in (*names.METRICS, *names.OLDER_METRICS))

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class _Kept(SpanProcessor):
    """Keeps every ended span.

    Not the SDK's SimpleSpanProcessor: it attaches a context when a span ends, and CPython 3.11
    and older can crash when that happens in a garbage collection, as for a stream left half-read.
    """

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


@dataclass(frozen=True)
class Captured:
    """What was sent to `tracer_provider` and `meter_provider` since they were made."""

    tracer_provider: TracerProvider
    meter_provider: MeterProvider
    _kept: _Kept
    _reader: InMemoryMetricReader

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """Every span that has ended, in that order."""
        settle()
        return tuple(self._kept.spans)

    def points(self, metric: str) -> list[tuple[Mapping[str, Any], Any]]:
        """The labels and the SDK's data point of each series of *metric*, an OpenTelemetry name.

        Raises:
            ValueError: Replymeter has no such metric.
        """
        if metric not in _METRICS:
            raise ValueError(f"no metric {metric!r}; there are {', '.join(sorted(_METRICS))}")
        settle()
        data = self._reader.get_metrics_data()
        return [
            (point.attributes or {}, point)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for one in scope.metrics
            if one.name == metric
            for point in one.data.data_points
        ]

    def total(self, metric: str, **labels: Any) -> float:
        """The sum of *metric* over the series that have *labels*; of a histogram, its sum.

        A label is the last word of its name, or the whole with `_` for `.`: `finish_reason="stop"`.

        Raises:
            ValueError: Replymeter has no such metric or no such label.
        """
        want = _checked(labels)
        values = (
            float(point.value if hasattr(point, "value") else point.sum)
            for have, point in self.points(metric)
            if _has(have, want)
        )
        return sum(values)

    def count(self, metric: str, **labels: Any) -> int:
        """How many values the histogram *metric* took in the series that have *labels*."""
        want = _checked(labels)
        return sum(point.count for have, point in self.points(metric) if _has(have, want))


def _checked(labels: Mapping[str, Any]) -> Mapping[str, Any]:
    flat = [name.replace(".", "_") for name in names.ATTRIBUTES]
    for label in labels:
        if not any(_is(name, label) for name in flat):
            raise ValueError(f"no label {label!r}; there are {', '.join(sorted(flat))}")
    return labels


def _has(have: Mapping[str, Any], want: Mapping[str, Any]) -> bool:
    flat = {name.replace(".", "_"): value for name, value in have.items()}
    return all(
        any(value == wanted for name, value in flat.items() if _is(name, label))
        for label, wanted in want.items()
    )


def _is(name: str, label: str) -> bool:
    return name == label or name.endswith("_" + label)


@contextmanager
def capture_telemetry() -> Iterator[Captured]:
    """Providers that keep everything in memory: give them to `instrument`, then ask.

    Example:
        >>> from langchain_core.language_models import FakeListChatModel
        >>> import replymeter
        >>> with capture_telemetry() as captured:
        ...     llm = replymeter.instrument(
        ...         FakeListChatModel(responses=["hi"]),
        ...         tracer_provider=captured.tracer_provider,
        ...         meter_provider=captured.meter_provider,
        ...     )
        ...     reply = llm.invoke("hello")
        ...     assert captured.total("replymeter.finish_reasons", finish_reason="missing") == 1
    """
    kept, reader = _Kept(), InMemoryMetricReader()
    tracer_provider = TracerProvider(shutdown_on_exit=False)
    tracer_provider.add_span_processor(kept)
    meter_provider = MeterProvider([reader], shutdown_on_exit=False)
    try:
        yield Captured(tracer_provider, meter_provider, kept, reader)
    finally:
        tracer_provider.shutdown()
        meter_provider.shutdown()
