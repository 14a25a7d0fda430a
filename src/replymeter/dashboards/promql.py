"""PromQL written from `replymeter.conventions`: a renamed metric or label is an error at import.

Pure functions from metrics and labels to text. A label is given by its attribute's name
(`gen_ai.request.model`) or by Prometheus' own (`job`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from replymeter.conventions import ERROR_TYPE, FINISH_REASON, METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replymeter.conventions import Metric

Part: TypeAlias = Literal["bucket", "sum", "count"]
"""Which series of a histogram."""

JOB: Final = "job"
"""`service.name`, as Prometheus' OTLP receiver writes it."""
INSTANCE: Final = "instance"
"""`service.instance.id`."""
ENVIRONMENT: Final = "deployment_environment_name"
"""`deployment.environment.name`: the shipped `prometheus.yaml` makes it a label."""
OVERFLOW: Final = "otel_metric_overflow"
"""`true` on the point that the SDK puts everything in, once an instrument has too many series."""
BOUND: Final = "le"
"""A bucket's upper bound."""

_SUM_AND_COUNT: Final[tuple[Part, Part]] = ("sum", "count")
_OPERATOR = re.compile(r"[-+*/%^<>=]|\b(?:and|or|unless)\b")
_BRACKETED = re.compile(r"\{[^{}]*\}|\[[^][]*\]|\([^()]*\)")


def label(attribute: str) -> str:
    """The label that Prometheus makes of an attribute."""
    return attribute.replace(".", "_")


def equal(attribute: str, value: str) -> str:
    """A matcher: the label is *value*; an empty one also means that it is absent."""
    return f'{label(attribute)}="{value}"'


def unequal(attribute: str, value: str) -> str:
    """A matcher: the label is not *value*."""
    return f'{label(attribute)}!="{value}"'


def match(attribute: str, pattern: str) -> str:
    """A matcher: the whole label matches the regular expression."""
    return f'{label(attribute)}=~"{pattern}"'


def any_of(attribute: str, values: Iterable[str]) -> str:
    """A matcher: the label is one of *values*, which are plain words."""
    return match(attribute, "|".join(values))


def none_of(attribute: str, values: Iterable[str]) -> str:
    """A matcher: the label is none of *values*, which are plain words."""
    return f'{label(attribute)}!~"{"|".join(values)}"'


def at_most(metric: Metric, bound: float) -> str:
    """A matcher: the bucket up to *bound*, however its writer spells a whole number.

    Raises:
        ValueError: The histogram has no such bound, and would answer nothing.
    """
    if bound not in (metric.buckets or ()):
        raise ValueError(f"{metric.name} has no bucket {bound:g}; it has {metric.buckets}.")
    return equal(BOUND, f"{bound:g}") if bound % 1 else match(BOUND, f"{bound:g}([.]0)?")


ANSWERED: Final = none_of(FINISH_REASON, ("error", "cancelled", "abandoned"))
"""The endings that shares of truncated and blocked replies are of: who counts failed calls, too,
hides a truncation behind a storm of rate limits."""


FAILED: Final = (unequal(ERROR_TYPE, ""), unequal(ERROR_TYPE, "content_filter"))
"""The calls that failed: a block that came as an exception is a block, not a failure."""

_OURS: Final = sorted({f"{metric.name.split('.')[0]}_.+" for metric in METRICS})


def overflow(*matchers: str) -> str:
    """The series over the SDK's limit; they have lost their labels but for the process' own."""
    return f"{{{', '.join((any_of('__name__', _OURS), *matchers, equal(OVERFLOW, 'true')))}}}"


def select(metric: Metric, *matchers: str, part: Part | None = None) -> str:
    """A metric's series.

    Args:
        metric: The metric.
        *matchers: What their labels must be.
        part: Which of a histogram's series; None for a counter.

    Raises:
        ValueError: *part* is missing for a histogram, or given for a counter.
    """
    if (part is None) != (metric.kind == "counter"):
        raise ValueError(
            f"{metric.name} is a {metric.kind}: part={part!r} names none of its series."
        )
    name = f"{metric.prometheus}_{part}" if part else metric.prometheus
    return f"{name}{{{', '.join(matchers)}}}" if matchers else name


def rate(series: str, window: str) -> str:
    """Per second, over *window* (`5m`, `$__rate_interval`)."""
    return f"rate({series}[{window}])"


def increase(series: str, window: str) -> str:
    """How much a counter grew over *window*."""
    return f"increase({series}[{window}])"


def total(expression: str, *by: str) -> str:
    """The sum, for each value of the labels *by*."""
    return f"sum{grouping(*by)} ({expression})"


def grouping(*by: str) -> str:
    """An aggregation's ` by (...)`; empty without labels."""
    return f" by ({', '.join(map(label, by))})" if by else ""


def share(part: str, whole: str) -> str:
    """*part* of *whole*, both grouped alike: 0 where only the part has no series, gone when idle.

    `part / whole` alone loses whoever has no part yet, and is NaN without traffic.
    """
    return f"({grouped(part)} or 0 * {grouped(whole)}) / {over_zero(whole)}"


def ratio(part: str, whole: str) -> str:
    """*part* over *whole*; gone when idle, and where there is no part (never a guessed 0)."""
    return f"{grouped(part)} / {over_zero(whole)}"


def over_zero(whole: str) -> str:
    """*whole* as a denominator: gone where it is 0."""
    return f"({grouped(whole)} > 0)"


def quantile(
    fraction: float, metric: Metric, *matchers: str, window: str, by: Iterable[str] = ()
) -> str:
    """A quantile of a histogram over *window*, for each value of the labels *by*; gone when idle.

    `histogram_quantile` is NaN where nothing was recorded, and NaN is not `>= 0`.
    """
    buckets = total(rate(select(metric, *matchers, part="bucket"), window), BOUND, *by)
    return f"histogram_quantile({fraction:g}, {buckets}) >= 0"


def mean(metric: Metric, *matchers: str, window: str, by: Iterable[str] = ()) -> str:
    """A histogram's mean over *window*, for each value of the labels *by*; gone when idle."""
    by = tuple(by)
    sums, counts = (
        total(rate(select(metric, *matchers, part=part), window), *by) for part in _SUM_AND_COUNT
    )
    return ratio(sums, counts)


def grouped(expression: str) -> str:
    """*expression*, in parentheses where an operator beside it could tear it apart."""
    outside = expression
    while (inner := _BRACKETED.sub("", outside)) != outside:
        outside = inner
    return f"({expression})" if _OPERATOR.search(outside) else expression
