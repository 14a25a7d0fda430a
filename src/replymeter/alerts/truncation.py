"""Replies cut off by length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from replymeter.alerts.spec import (
    CUT,
    ENDINGS,
    SHARE,
    WHO,
    Alert,
    enough,
    every,
    grown,
    over,
    recorded,
    recorded_growth,
)
from replymeter.conventions import FINISH_REASON_COUNT, OUTPUT_LIMIT_UTILIZATION
from replymeter.dashboards.promql import ANSWERED, BOUND, equal, ratio, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replymeter.alerts.settings import Settings

DASHBOARD: Final = "finish-reasons"
PANEL: Final = "Truncated share by model"


@dataclass(frozen=True)
class Burn:
    """How fast the budget goes, over a long window and a short one that clears the alert soon."""

    speed: str
    long: str
    short: str
    factor: float
    severity: str
    hold: str


# Rows of "Alerting on SLOs", Site Reliability Workbook, chapter 5.
BURNS: Final = (
    Burn("Fast", "1h", "5m", 14.4, "critical", "2m"),
    Burn("Medium", "6h", "30m", 6, "critical", "15m"),
    Burn("Slow", "3d", "6h", 1, "warning", "1h"),
)


def alerts(settings: Settings) -> Iterator[Alert]:
    """The alerts about truncation."""
    yield _high(settings)
    yield from (_burn(settings, burn) for burn in BURNS)
    yield _appeared(settings)
    yield _near_limit(settings)
    yield _any()


def _high(settings: Settings) -> Alert:
    window = settings.window
    cut = grown(FINISH_REASON_COUNT, CUT, window=window)
    replies = grown(FINISH_REASON_COUNT, ANSWERED, window=window)
    return Alert(
        name="ReplymeterTruncatedFinishesHigh",
        severity="warning",
        hold="10m",
        expr=over(settings, cut, replies, settings.truncated_share),
        summary="Many replies are cut off by length.",
        description=f"{SHARE} of the replies of {WHO} were cut off by length in the last {window}.",
        dashboard=DASHBOARD,
        panel=PANEL,
        thresholds=("truncated_share", "window", "minimum_traffic"),
    )


def _burn(settings: Settings, burn: Burn) -> Alert:
    limit = f"{burn.factor * settings.truncation_budget:g}"
    often = f"{burn.factor:g} times as often as" if burn.factor > 1 else "more often than"
    return Alert(
        name=f"ReplymeterTruncationBudgetBurn{burn.speed}",
        severity=burn.severity,
        hold=burn.hold,
        expr=every(
            f"{_recorded_share(burn.long)} > {limit}",
            f"{_recorded_share(burn.short)} > {limit}",
            enough(settings, recorded_growth(ENDINGS, ANSWERED, window=burn.long)),
        ),
        summary=f"Replies are cut off by length {often} their budget allows.",
        description=f"{SHARE} of the replies of {WHO} were cut off by length in the last "
        f"{burn.long}; the budget is {100 * settings.truncation_budget:g}%.",
        dashboard=DASHBOARD,
        panel="Truncation budget burn",
        thresholds=("truncation_budget", "minimum_traffic"),
    )


def _recorded_share(window: str) -> str:
    return ratio(recorded(ENDINGS, CUT, window=window), recorded(ENDINGS, ANSWERED, window=window))


def _appeared(settings: Settings) -> Alert:
    before = share(
        recorded(ENDINGS, CUT, window="1d", before="1h"),
        recorded(ENDINGS, ANSWERED, window="1d", before="1h"),
    )
    return Alert(
        name="ReplymeterTruncationAppeared",
        severity="info",
        hold="5m",
        expr=every(
            f"{_recorded_share('1h')} > {settings.truncation_appeared:g}",
            f"{before} < {settings.truncation_absent:g}",
            enough(settings, recorded_growth(ENDINGS, ANSWERED, window="1h")),
            enough(settings, recorded_growth(ENDINGS, ANSWERED, window="1d", before="1h")),
        ),
        summary="Replies are cut off by length that were not the day before.",
        description=f"{SHARE} of the replies of {WHO} were cut off by length in the last hour, "
        f"and less than {100 * settings.truncation_absent:g}% on the day before: did a prompt, a "
        "limit or the model change?",
        dashboard=DASHBOARD,
        panel=PANEL,
        thresholds=("truncation_appeared", "truncation_absent", "minimum_traffic"),
    )


def _near_limit(settings: Settings) -> Alert:
    below = equal(BOUND, f"{settings.near_limit:g}")
    replies = grown(OUTPUT_LIMIT_UTILIZATION, window="1h", part="count")
    clear = grown(OUTPUT_LIMIT_UTILIZATION, below, window="1h", part="bucket")
    near = f"(1 - {ratio(clear, replies)}) > {settings.near_limit_share:g}"
    cut = grown(FINISH_REASON_COUNT, CUT, window="1h")
    return Alert(
        name="ReplymeterOutputNearLimit",
        severity="info",
        hold="15m",
        expr=f"{every(near, enough(settings, replies))}\nunless\n{cut} > 0",
        summary="Replies come close to the limit that the request sets; none is cut yet.",
        description=f"{SHARE} of the replies of {WHO} used more than "
        f"{100 * settings.near_limit:g}% of their output limit in the last hour.",
        dashboard=DASHBOARD,
        panel="Output limit used",
        thresholds=("near_limit", "near_limit_share", "minimum_traffic"),
    )


def _any() -> Alert:
    cut = grown(FINISH_REASON_COUNT, CUT, window="1h")
    replies = grown(FINISH_REASON_COUNT, ANSWERED, window="1h")
    return Alert(
        name="ReplymeterTruncationAny",
        severity="info",
        hold="0s",
        # One is enough. The value is the share: `increase` stretches a count to the whole window,
        # and the two it divides alike.
        expr=f"{ratio(cut, replies)} > 0",
        summary="At least one reply was cut off by length.",
        description=f"{SHARE} of the replies of {WHO} were cut off by length in the last hour.",
        dashboard=DASHBOARD,
        panel=PANEL,
        thresholds=(),
    )
