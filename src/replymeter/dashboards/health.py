"""The row about blind spots: what every other panel cannot see."""

from __future__ import annotations

from typing import Final

from replymeter import conventions as names
from replymeter.dashboards import promql, scope
from replymeter.dashboards.board import Row
from replymeter.dashboards.panels import Stat, TimeSeries
from replymeter.dashboards.parts import NEVER, NO_PRICES, SHARE, UNKNOWN
from replymeter.dashboards.promql import any_of, equal, select
from replymeter.dashboards.scope import INTERVAL, RANGE, SCOPE, legend

SEEN: Final = f"timestamp({select(names.FINISH_REASON_COUNT, *SCOPE, scope.reason('stop'))})"
"""When each process was last heard: `instrument()` creates this series."""

UNSEEN: Final = (
    Stat(
        title="Calls without usage",
        says="Calls that ended without an error and whose tokens nobody reported, by how they "
        "ended. A stream that is given up has no usage; a provider that is asked for none "
        "sends none.",
        expr=scope.grown(names.USAGE_MISSING, by=(names.OUTCOME,)),
        legend=legend(names.OUTCOME),
        steps=NEVER,
        decimals=0,
    ),
    Stat(
        title="Without a known finish reason",
        says="Share of answers that ended without a reason (`missing`) or with a word that no "
        "provider's rows know (`other`).",
        expr=scope.of_answers(RANGE, any_of(names.FINISH_REASON, ("missing", names.OTHER))),
        unit=SHARE,
        steps=UNKNOWN,
    ),
    Stat(
        title="Calls not priced",
        says="Calls whose cost is not in any panel, and why.",
        expr=scope.grown(names.COST_MISSING, by=(names.COST_REASON,)),
        legend=legend(names.COST_REASON),
        steps=NEVER,
        decimals=0,
        empty=NO_PRICES,
    ),
)

OWN: Final = (
    Stat(
        title="Cardinality overflow",
        says="Series that hold what was over the SDK's limit of series (`otel_metric_overflow`)"
        ": their labels are lost, and a block or a truncation can hide there. Fewer models or "
        "servers a process, or a view with a higher limit.",
        expr=f"count({promql.overflow(*SCOPE[:2])})",
        steps=NEVER,
        decimals=0,
        empty="None",
    ),
    Stat(
        title="Models without a name",
        says=f"Share of calls labelled `{names.OTHER}`: a process names as many request models as "
        f"`model_cap` says ({names.LABEL_CAP} unless set), and the rest is one.",
        expr=scope.of_endings(RANGE, equal(names.REQUEST_MODEL, names.OTHER)),
        unit=SHARE,
        steps=UNKNOWN,
    ),
    Stat(
        title="Last telemetry",
        says="Time since the newest sample of each service. More than two export intervals: "
        "the service is down, or its telemetry does not arrive. Looks back no further than "
        "the dashboard's time range.",
        expr=f"time() - max by (job) ({SEEN} or max_over_time({SEEN}[{RANGE}:1m]))",
        legend=legend(promql.JOB),
        unit="s",
        steps=((None, "green"), (120, "orange"), (300, "red")),
        empty="Nothing in this time range",
    ),
    TimeSeries(
        title="Internal errors",
        says="Replymeter's own failures, by the step that failed. No call of yours failed for "
        "them; the log has one line for each kind.",
        series={
            legend(names.ERROR_KIND): scope.per_second(
                names.INTERNAL_ERRORS, window=INTERVAL, by=(names.ERROR_KIND,)
            )
        },
        unit="ops",
        width=24,
        height=6,
        stacked=True,
        empty="None",
    ),
)


def row(*, collapsed: bool = True) -> Row:
    """The blind spots."""
    return Row("Telemetry health: can the other panels be believed?", (*UNSEEN, *OWN), collapsed)
