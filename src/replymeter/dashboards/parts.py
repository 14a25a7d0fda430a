"""What several dashboards share: colours, thresholds, links, the row about blind spots."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote

from replymeter import conventions as names
from replymeter.dashboards import promql, scope
from replymeter.dashboards.panels import Link, Stat, Steps, TimeSeries
from replymeter.dashboards.promql import label
from replymeter.dashboards.scope import BY_MODEL, INTERVAL, RANGE, TRACES

SHARE: Final = "percentunit"

COLORS: Final = {
    "stop": "green",
    "tool_calls": "blue",
    "length": "orange",
    "content_filter": "purple",
    "refusal": "light-purple",
    "error": "red",
    "cancelled": "yellow",
    "abandoned": "light-yellow",
    "other": "light-blue",
    "missing": "dark-blue",
    names.MIXED: "light-green",
}
"""One colour for each finish reason, on every panel."""

TRUNCATED: Final[Steps] = ((None, "green"), (0.02, "orange"), (0.05, "red"))
BLOCKED: Final[Steps] = ((None, "green"), (0.01, "orange"), (0.02, "red"))
FAILED: Final[Steps] = ((None, "green"), (0.02, "orange"), (0.1, "red"))
GAVE_UP: Final[Steps] = ((None, "green"), (0.05, "orange"), (0.1, "red"))
COVERED: Final[Steps] = ((None, "red"), (0.95, "orange"), (0.99, "green"))
UNKNOWN: Final[Steps] = ((None, "green"), (0.001, "orange"), (0.01, "red"))
NEVER: Final[Steps] = ((None, "green"), (0.5, "red"))
"""For a count that should be 0. `increase` stretches it, so 1 may read 0.9."""

NO_PRICES: Final = "No cost recorded"
NO_STREAMS: Final = "No streamed calls"

# Tiles that stand on two dashboards.
FAILED_TILE: Final = Stat(
    title="Failed",
    says="Share of calls that raised an error; safety blocks are not failures.",
    expr=scope.failed(RANGE),
    unit=SHARE,
    steps=FAILED,
)
GAVE_UP_TILE: Final = Stat(
    title="Cancelled or abandoned",
    says="Share of all endings: the caller gave up. It is how a hung provider shows.",
    expr=scope.of_endings(RANGE, scope.GAVE_UP),
    unit=SHARE,
    steps=GAVE_UP,
)
COVERAGE_TILE: Final = Stat(
    title="Usage coverage",
    says="Share of calls without an error whose tokens are known. Below 100 %, tokens and "
    "cost are more than the panels say.",
    expr=scope.usage_seen(RANGE),
    unit=SHARE,
    steps=COVERED,
)

_KEPT: Final = "&".join(
    (
        "${__url_time_range}",
        *(f"${{{name}:queryparam}}" for name in ("datasource", "tempo", "environment", "job")),
    )
)


def board(slug: str, title: str) -> Link:
    """From a line of a table: the dashboard *slug*, of that line's provider and model."""
    chosen = "&".join(
        f"var-{name}=${{__data.fields.{title}:percentencode}}"
        for name, title in (("provider", "Provider"), ("model", "Model"))
    )
    return Link(title, f"/d/replymeter-{slug}?{_KEPT}&{chosen}")


def is_(attribute: str, value: str) -> str:
    """TraceQL: a span's attribute is *value*, or, where it is a list, holds it."""
    return f'span.{attribute} = "{value}"'


def spans_where(*conditions: str) -> str:
    """TraceQL: calls of the chosen providers and models for which *conditions* hold."""
    mine = (
        is_(names.OPERATION_NAME, names.OPERATION),
        f'span.{names.PROVIDER_NAME} =~ "${{provider:pipe}}"',
        f'span.{names.REQUEST_MODEL} =~ "${{model:pipe}}"',
    )
    return " && ".join((*mine, *conditions))


def traces(title: str, *conditions: str) -> Link:
    """From a series by model: its calls for which *conditions* hold, in Explore."""
    model = f"${{__field.labels.{label(names.REQUEST_MODEL)}}}"
    found = (is_(names.REQUEST_MODEL, model), *conditions)
    query = {
        "refId": "A",
        "datasource": TRACES,
        "queryType": "traceql",
        "limit": 50,
        "query": f"{{ {' && '.join(found)} }}",
    }
    pane = {
        "datasource": TRACES["uid"],
        "queries": [query],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    panes = quote(json.dumps({"a": pane}, separators=(",", ":")), safe="${}_.:,")
    return Link(title, f"/explore?schemaVersion=1&orgId=${{__org.id}}&panes={panes}")


def reasons_share() -> TimeSeries:
    """How calls end, of all endings."""
    every = scope.endings(INTERVAL, by=(names.FINISH_REASON,))
    whole = promql.over_zero(scope.endings(INTERVAL))
    return TimeSeries(
        title="How calls end",
        says="Share of each finish reason in all endings. `length` is a reply that was cut off, "
        "`content_filter` one that was blocked; `cancelled` and `abandoned` calls were given up "
        "by their callers; `missing` ended without a reason.",
        series={scope.legend(names.FINISH_REASON): f"{every} / on () group_left () {whole}"},
        unit=SHARE,
        maximum=1,
        width=12,
        stacked=True,
        colors=COLORS,
    )


def by_model(title: str, says: str, expr: str, steps: Steps, link: Link) -> TimeSeries:
    """A share of each model over time."""
    return TimeSeries(
        title=title, says=says, series={BY_MODEL: expr}, unit=SHARE, steps=steps, links=(link,)
    )
