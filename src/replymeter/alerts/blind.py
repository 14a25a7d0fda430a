"""What the other alerts and the panels do not see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replymeter import conventions as names
from replymeter.alerts.spec import (
    KEEP,
    MODEL,
    NUMBER,
    SHARE,
    WHERE,
    WHO,
    Alert,
    ended,
    grown,
    over,
)
from replymeter.dashboards import promql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replymeter.alerts.settings import Settings

DASHBOARD: Final = "overview"
JOB: Final = (promql.ENVIRONMENT, promql.JOB)


def alerts(settings: Settings) -> Iterator[Alert]:
    """The alerts about Replymeter's own sight."""
    yield _usage(settings)
    yield _reasons(settings)
    yield _internal()
    yield _absent(settings)
    yield _overflow()


def _usage(settings: Settings) -> Alert:
    missing = grown(names.USAGE_MISSING, window=settings.window)
    well = promql.equal(names.ERROR_TYPE, "")
    calls = grown(names.DURATION, well, window=settings.window, part="count")
    return Alert(
        name="ReplymeterUsageMissing",
        severity="warning",
        hold="10m",
        expr=over(settings, missing, calls, settings.usage_missing_share),
        summary="Calls report no usage: tokens and cost show too little.",
        description=f"{SHARE} of the calls of {WHO} without an error reported no usage in the last "
        f"{settings.window}.",
        dashboard=DASHBOARD,
        panel="Usage coverage",
        thresholds=("usage_missing_share", "window", "minimum_traffic"),
    )


def _reasons(settings: Settings) -> Alert:
    window = settings.window
    unknown = grown(names.FINISH_REASON_COUNT, ended("other", "missing"), window=window)
    replies = grown(names.FINISH_REASON_COUNT, promql.ANSWERED, window=window)
    return Alert(
        name="ReplymeterUnknownFinishReason",
        severity="warning",
        hold="10m",
        expr=over(settings, unknown, replies, settings.unknown_reason_share),
        summary="Replies end for a reason that nobody knows: truncated and blocked may hide there.",
        description=f"{SHARE} of the replies of {WHO} had no finish reason, or one that is not in "
        f"the table, in the last {window}.",
        dashboard="finish-reasons",
        panel="Unknown finish reasons",
        thresholds=("unknown_reason_share", "window", "minimum_traffic"),
    )


def _internal() -> Alert:
    series = promql.increase(promql.select(names.INTERNAL_ERRORS), "15m")
    return Alert(
        name="ReplymeterInternalErrors",
        severity="warning",
        hold="0s",
        expr=f"{promql.total(series, *KEEP, names.ERROR_KIND)} > 0",
        summary="Replymeter itself failed; no call did for that.",
        description=f"About {NUMBER} failures of Replymeter's own in the step "
        f"{{{{ $labels.{promql.label(names.ERROR_KIND)} }}}}, for {MODEL} in {WHERE}; the app's "
        "log has one line a kind.",
        dashboard=DASHBOARD,
        panel="Internal errors",
        thresholds=(),
    )


def _absent(settings: Settings) -> Alert:
    def jobs(offset: str = "") -> str:
        series = promql.select(names.FINISH_REASON_COUNT)
        return f"count{promql.grouping(*JOB)} ({series}{offset})"

    return Alert(
        name="ReplymeterTelemetryAbsent",
        severity="warning",
        hold=settings.absent_after,
        expr=f"{jobs(' offset 1h')}\nunless\n{jobs()}",
        summary="A job that sent telemetry sends none any more.",
        description=f"Nothing has come from {WHERE} for {settings.absent_after}; an hour earlier "
        "it had sent.",
        dashboard=DASHBOARD,
        panel="Last telemetry",
        thresholds=("absent_after",),
        on=False,  # A job that runs at night is silent by day, and an old version's name for good.
    )


def _overflow() -> Alert:
    capped = (
        promql.select(names.FINISH_REASON_COUNT, promql.equal(label, names.OTHER))
        for label in (names.REQUEST_MODEL, names.SERVER_ADDRESS)
    )
    grew = (promql.total(promql.increase(series, "1h"), *JOB) for series in capped)
    return Alert(
        name="ReplymeterCardinalityOverflow",
        severity="warning",
        hold="5m",
        expr="\nor\n".join(
            (
                f"count{promql.grouping(*JOB)} ({promql.overflow()}) > 0",
                *(f"{one} > 0" for one in grew),
            )
        ),
        summary="A process has too many models, addresses or series: some are added up as one.",
        description=f"{WHERE} has more models than `model_cap` says ({names.LABEL_CAP} unless "
        f"set), more than {names.LABEL_CAP} addresses, or more series than the SDK keeps apart: "
        "what is over is only in sums.",
        dashboard=DASHBOARD,
        panel="Cardinality overflow",
        thresholds=(),
    )
