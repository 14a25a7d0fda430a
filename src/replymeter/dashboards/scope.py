"""What a dashboard's variables leave of the metrics, and the questions asked of it.

A question is a function of a window, so that a tile and the series below it cannot differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replymeter import conventions as names
from replymeter.dashboards import promql
from replymeter.dashboards.promql import any_of, equal, match, select, share, total

if TYPE_CHECKING:
    from replymeter.conventions import Metric
    from replymeter.dashboards.promql import Part

DATA_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
TRACES: Final = {"type": "tempo", "uid": "${tempo}"}

RANGE: Final = "$__range"
"""The window of a tile or a table: all of the time that the dashboard shows."""
INTERVAL: Final = "$__rate_interval"
"""The window of a series."""

SCOPE: Final = (
    match(promql.ENVIRONMENT, "$environment"),
    match(promql.JOB, "$job"),
    match(names.PROVIDER_NAME, "$provider"),
    match(names.REQUEST_MODEL, "$model"),
)

MODEL: Final = (names.PROVIDER_NAME, names.REQUEST_MODEL)

GAVE_UP: Final = any_of(names.FINISH_REASON, ("cancelled", "abandoned"))


def legend(label: str) -> str:
    """A series' legend: the value of *label*."""
    return f"{{{{{promql.label(label)}}}}}"


BY_MODEL: Final = legend(names.REQUEST_MODEL)


def reason(name: str) -> str:
    """A matcher of one finish reason."""
    return equal(names.FINISH_REASON, name)


def per_second(
    metric: Metric, *matchers: str, window: str, by: tuple[str, ...] = (), part: Part | None = None
) -> str:
    """How fast *metric* grows, summed by the labels *by*."""
    return total(promql.rate(select(metric, *SCOPE, *matchers, part=part), window), *by)


def grown(
    metric: Metric, *matchers: str, by: tuple[str, ...] = (), part: Part | None = None
) -> str:
    """How much *metric* grew over the time range, summed by the labels *by*."""
    return total(promql.increase(select(metric, *SCOPE, *matchers, part=part), RANGE), *by)


def endings(window: str, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """Endings per second."""
    return per_second(names.FINISH_REASON_COUNT, *matchers, window=window, by=by)


def calls(window: str, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """Calls per second."""
    return per_second(names.DURATION, *matchers, window=window, by=by, part="count")


def of_answers(window: str, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """The share of answers; failed, cancelled and abandoned calls are none."""
    return share(endings(window, *matchers, by=by), endings(window, promql.ANSWERED, by=by))


def of_endings(window: str, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """The share of all endings."""
    return share(endings(window, *matchers, by=by), endings(window, by=by))


def failed(window: str, *by: str) -> str:
    """The share of calls that raised an error."""
    return share(calls(window, *promql.FAILED, by=by), calls(window, by=by))


def usage_seen(window: str, *by: str) -> str:
    """The share of calls without an error that reported usage."""
    missing = per_second(names.USAGE_MISSING, window=window, by=by)
    return f"1 - {share(missing, calls(window, equal(names.ERROR_TYPE, ''), by=by))}"


def part_of(part: Metric, whole: Metric, window: str, *by: str) -> str:
    """The share of one token counter in another; gone where the part was never reported."""
    return promql.ratio(
        per_second(part, window=window, by=by), per_second(whole, window=window, by=by)
    )


def quantile(fraction: float, metric: Metric, window: str, *by: str) -> str:
    """A quantile; gone when idle."""
    return promql.quantile(fraction, metric, *SCOPE, window=window, by=by)


def mean(metric: Metric, window: str, *by: str) -> str:
    """A mean; gone when idle."""
    return promql.mean(metric, *SCOPE, window=window, by=by)


def buckets(metric: Metric) -> str:
    """A histogram over time."""
    return per_second(metric, window=INTERVAL, by=(promql.BOUND,), part="bucket")


def above(bound: float, metric: Metric, window: str, *by: str) -> str:
    """The share of what a histogram recorded above one of its bounds."""
    within = promql.at_most(metric, bound)
    return "1 - " + share(
        per_second(metric, within, window=window, by=by, part="bucket"),
        per_second(metric, window=window, by=by, part="count"),
    )


def cost_per_hour(window: str, *matchers: str, by: tuple[str, ...] = ()) -> str:
    """US dollars per hour."""
    return f"3600 * {per_second(names.COST_OF_CALLS, *matchers, window=window, by=by)}"
