"""Cost, and the cache that keeps it low."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replymeter.alerts.spec import (
    CACHE_READ,
    COST,
    INPUT,
    KEEP,
    NUMBER,
    SHARE,
    WHO,
    Alert,
    every,
    grown,
    over,
    recorded,
    recorded_growth,
)
from replymeter.conventions import COST_MISSING, COST_OF_CALLS, DURATION, ERROR_TYPE
from replymeter.dashboards.promql import equal, rate, ratio, select, total

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replymeter.alerts.settings import Settings

DASHBOARD: Final = "tokens-cost"
WELL: Final = equal(ERROR_TYPE, "")


def alerts(settings: Settings) -> Iterator[Alert]:
    """The alerts about spending."""
    yield _rate(settings)
    yield _spike(settings)
    yield _incomplete(settings)
    yield _cache(settings)


def _rate(settings: Settings) -> Alert:
    per_hour = f"3600 * {total(rate(select(COST_OF_CALLS), settings.window), *KEEP)}"
    return Alert(
        name="ReplymeterCostRateHigh",
        severity="warning",
        hold="10m",
        expr=f"{per_hour} > {settings.cost_per_hour:g}",
        summary="A model costs much.",
        description=f"{WHO} costs {NUMBER} US dollars an hour.",
        dashboard=DASHBOARD,
        panel="Cost per hour by model",
        thresholds=("cost_per_hour", "window"),
    )


def _spike(settings: Settings) -> Alert:
    hour = recorded_growth(COST, window="1h")
    yesterday = recorded_growth(COST, window="1h", before="1d")
    return Alert(
        name="ReplymeterCostSpike",
        severity="warning",
        hold="5m",
        expr=every(
            f"{hour} > {settings.cost_spike:g} * {yesterday}",
            f"{hour} >= {settings.cost_spike_minimum:g}",
        ),
        summary="A model costs far more than at the same hour yesterday.",
        description=f"{WHO} cost {NUMBER} US dollars in the last hour, more than "
        f"{settings.cost_spike:g} times the same hour yesterday.",
        dashboard=DASHBOARD,
        panel="Cost per hour by model",
        thresholds=("cost_spike", "cost_spike_minimum"),
    )


def _incomplete(settings: Settings) -> Alert:
    missing = grown(COST_MISSING, window=settings.window)
    calls = grown(DURATION, WELL, window=settings.window, part="count")
    return Alert(
        name="ReplymeterCostIncomplete",
        severity="warning",
        hold="10m",
        expr=over(settings, missing, calls, settings.cost_missing_share),
        summary="Calls have no price: the cost panels show too little.",
        description=f"{SHARE} of the calls of {WHO} could not be priced in the last "
        f"{settings.window}.",
        dashboard=DASHBOARD,
        panel="Calls without a price",
        thresholds=("cost_missing_share", "window", "minimum_traffic"),
    )


def _cache(settings: Settings) -> Alert:
    now = ratio(recorded(CACHE_READ, window="1h"), recorded(INPUT, window="1h"))
    before = ratio(
        recorded(CACHE_READ, window="1d", before="1h"), recorded(INPUT, window="1d", before="1h")
    )
    return Alert(
        name="ReplymeterCacheHitDropped",
        severity="info",
        hold="15m",
        expr=every(
            f"{now} < {settings.cache_drop:g} * ({before})",
            f"{before} > {settings.cache_before:g}",
            f"{recorded_growth(INPUT, window='1h')} >= {settings.cache_tokens:g}",
        ),
        summary="The provider's cache is hit far less than on the day before.",
        description=f"{SHARE} of the input tokens of {WHO} came from the provider's cache in the "
        f"last hour, less than {settings.cache_drop:g} of the share of the day before.",
        dashboard=DASHBOARD,
        panel="Cache hit ratio",
        thresholds=("cache_drop", "cache_before", "cache_tokens"),
    )
