"""Calls that failed, hung or were slow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replymeter.alerts.spec import (
    KEEP,
    MODEL,
    NUMBER,
    SHARE,
    TIME,
    WHERE,
    WHO,
    Alert,
    enough,
    every,
    grown,
    over,
)
from replymeter.alerts.spec import ended as ending
from replymeter.conventions import (
    DURATION,
    ERROR_TYPE,
    FINISH_REASON_COUNT,
    TIME_TO_FIRST_CHUNK,
    Metric,
)
from replymeter.dashboards.promql import (
    FAILED,
    any_of,
    equal,
    grouped,
    increase,
    label,
    quantile,
    select,
    total,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replymeter.alerts.settings import Settings

DASHBOARD: Final = "latency-errors"
REFUSED: Final = any_of(ERROR_TYPE, ("authentication", "permission_denied"))


def alerts(settings: Settings) -> Iterator[Alert]:
    """The alerts about calls."""
    yield _given_up(settings)
    yield _errors(settings)
    yield _rate_limited(settings)
    yield _refused(settings)
    yield _slow(settings)
    yield _slow_start(settings)


def _given_up(settings: Settings) -> Alert:
    window = settings.window
    given_up = grown(FINISH_REASON_COUNT, ending("cancelled", "abandoned"), window=window)
    endings = grown(FINISH_REASON_COUNT, window=window)
    return Alert(
        name="ReplymeterCancelledOrAbandonedHigh",
        severity="warning",
        hold="10m",
        expr=over(settings, given_up, endings, settings.given_up_share),
        summary="Many calls are given up before they end.",
        description=f"{SHARE} of the calls of {WHO} were cancelled or abandoned in the last "
        f"{window}: a provider that hangs shows like this.",
        dashboard="finish-reasons",
        panel="Cancelled and abandoned share by model",
        thresholds=("given_up_share", "window", "minimum_traffic"),
    )


def _failed(settings: Settings, limit: float, *matchers: str) -> str:
    failed = grown(DURATION, *matchers, window=settings.window, part="count")
    calls = grown(DURATION, window=settings.window, part="count")
    return over(settings, failed, calls, limit)


def _errors(settings: Settings) -> Alert:
    return Alert(
        name="ReplymeterErrorRateHigh",
        severity="critical",
        hold="5m",
        expr=_failed(settings, settings.error_share, *FAILED),
        summary="Many calls fail.",
        description=f"{SHARE} of the calls of {WHO} failed in the last {settings.window}.",
        dashboard=DASHBOARD,
        panel="Error share by model",
        thresholds=("error_share", "window", "minimum_traffic"),
    )


def _rate_limited(settings: Settings) -> Alert:
    return Alert(
        name="ReplymeterRateLimited",
        severity="warning",
        hold="5m",
        expr=_failed(settings, settings.rate_limited_share, equal(ERROR_TYPE, "rate_limit")),
        summary="Calls end in the provider's rate limit, after its package's own retries.",
        description=f"{SHARE} of the calls of {WHO} ended in a rate limit in the last "
        f"{settings.window}, after the retries of the provider's package.",
        dashboard=DASHBOARD,
        panel="Errors by type",
        thresholds=("rate_limited_share", "window", "minimum_traffic"),
    )


def _refused(settings: Settings) -> Alert:
    series = increase(select(DURATION, REFUSED, part="count"), settings.window)
    return Alert(
        name="ReplymeterAuthErrors",
        severity="critical",
        hold="2m",
        expr=f"{total(series, *KEEP, ERROR_TYPE)} >= {settings.auth_errors:g}",
        summary="The provider refuses the key, or what it may do.",
        description=f"About {NUMBER} calls of {MODEL} in {WHERE} ended in "
        f"{{{{ $labels.{label(ERROR_TYPE)} }}}} in the last {settings.window}.",
        dashboard=DASHBOARD,
        panel="Errors by type",
        thresholds=("auth_errors", "window"),
    )


def _p95(settings: Settings, metric: Metric, limit: float) -> str:
    p95 = quantile(0.95, metric, window=settings.window, by=KEEP)
    calls = grown(metric, window=settings.window, part="count")
    return every(f"{grouped(p95)} > {limit:g}", enough(settings, calls))


def _slow(settings: Settings) -> Alert:
    return Alert(
        name="ReplymeterLatencyHigh",
        severity="warning",
        hold="10m",
        expr=_p95(settings, DURATION, settings.latency_p95),
        summary="Calls take long.",
        description=f"5% of the calls of {WHO} took longer than {TIME} in the last "
        f"{settings.window}.",
        dashboard=DASHBOARD,
        panel="Duration",
        thresholds=("latency_p95", "window", "minimum_traffic"),
    )


def _slow_start(settings: Settings) -> Alert:
    return Alert(
        name="ReplymeterTimeToFirstChunkHigh",
        severity="warning",
        hold="10m",
        expr=_p95(settings, TIME_TO_FIRST_CHUNK, settings.first_chunk_p95),
        summary="Streamed replies start late.",
        description=f"5% of the streamed replies of {WHO} took longer than {TIME} to start in the "
        f"last {settings.window}.",
        dashboard=DASHBOARD,
        panel="Time to first chunk",
        thresholds=("first_chunk_p95", "window", "minimum_traffic"),
    )
