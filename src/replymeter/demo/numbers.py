"""What the counters say: one collection of the SDK's metrics, read by the conventions' names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from replymeter import conventions as names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    from replymeter.conventions import Metric

Model = tuple[str, str]
"""A provider and a request model."""

# Endings that say nothing of the answer: a storm of errors must not hide a truncation.
NO_ANSWER = ("error", "cancelled", "abandoned")
BLOCKED = ("content_filter", "refusal")


@dataclass(frozen=True)
class Point:
    """One series of one metric: its labels, its sum, and of a histogram count and buckets."""

    labels: Mapping[str, Any]
    total: float
    count: int
    bounds: tuple[float, ...]
    buckets: tuple[int, ...]

    @property
    def model(self) -> Model:
        """The provider and the request model that it belongs to."""
        model = str(self.labels.get(names.REQUEST_MODEL, "?"))
        return str(self.labels.get(names.PROVIDER_NAME, "?")), model


class Numbers:
    """The counters of one moment; *model* limits a question to one model, None asks for all."""

    def __init__(self, reader: InMemoryMetricReader) -> None:
        self._points: dict[str, list[Point]] = {}
        data = reader.get_metrics_data()
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points = self._points.setdefault(metric.name, [])
                    points.extend(map(_point, metric.data.data_points))

    def points(self, metric: Metric, model: Model | None = None) -> Iterator[Point]:
        """The series of *metric*."""
        for point in self._points.get(metric.name, ()):
            if model is None or point.model == model:
                yield point

    def models(self) -> list[Model]:
        """Every model that was called, sorted."""
        return sorted({point.model for point in self.points(names.DURATION)})

    def total(self, metric: Metric, model: Model | None = None) -> int:
        """The sum of a counter."""
        return round(sum(point.total for point in self.points(metric, model)))

    def by(self, metric: Metric, label: str, model: Model | None = None) -> Counter[str]:
        """The sums of a counter by the values of *label*; those at 0 are left out."""
        sums: Counter[str] = Counter()
        for point in self.points(metric, model):
            if label in point.labels and point.total:
                sums[str(point.labels[label])] += round(point.total)
        return sums

    def calls(self, model: Model | None = None) -> int:
        """How many calls ended, in whatever way."""
        return sum(point.count for point in self.points(names.DURATION, model))

    def errors(self) -> Counter[str]:
        """Failed calls by `error.type`."""
        counts: Counter[str] = Counter()
        for point in self.points(names.DURATION):
            if names.ERROR_TYPE in point.labels:
                counts[str(point.labels[names.ERROR_TYPE])] += point.count
        return counts

    def endings(self, model: Model | None = None) -> Counter[str]:
        """How the choices ended, by normalised finish reason."""
        return self.by(names.FINISH_REASON_COUNT, names.FINISH_REASON, model)

    def answers(self, model: Model | None = None) -> int:
        """The endings that cut and blocked answers are a share of."""
        endings = self.endings(model)
        return endings.total() - sum(endings[reason] for reason in NO_ANSWER)

    def paid_for(self, *reasons: str) -> int:
        """Output tokens of the answers that ended by one of *reasons*."""
        by_reason = self.by(names.OUTPUT_TOKENS_BY_REASON, names.FINISH_REASON)
        return sum(by_reason[reason] for reason in reasons)

    def quantile(self, metric: Metric, share: float, model: Model | None = None) -> float | None:
        """The quantile as Prometheus' `histogram_quantile` has it; None without a value."""
        bounds: tuple[float, ...] = ()
        sums: list[int] = []
        for point in self.points(metric, model):
            bounds = point.bounds
            sums = [
                a + b for a, b in zip(sums or [0] * len(point.buckets), point.buckets, strict=True)
            ]
        return _quantile(bounds, sums, share) if sum(sums) else None


def _point(point: Any) -> Point:
    return Point(
        labels=point.attributes or {},
        total=point.value if hasattr(point, "value") else point.sum,
        count=getattr(point, "count", 0),
        bounds=tuple(getattr(point, "explicit_bounds", ())),
        buckets=tuple(getattr(point, "bucket_counts", ())),
    )


def _quantile(bounds: tuple[float, ...], buckets: list[int], share: float) -> float:
    rank = share * sum(buckets)
    below, lower = 0, 0.0
    for bound, inside in zip(bounds, buckets, strict=False):  # the last one is open
        if inside and below + inside >= rank:
            return lower + (bound - lower) * (rank - below) / inside
        below, lower = below + inside, bound
    return lower
