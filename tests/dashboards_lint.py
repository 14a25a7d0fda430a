"""What Grafana would ask of Prometheus, as promql-parser understands it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import promql_parser as promql

from replymeter import conventions as names
from replymeter.dashboards import DASHBOARDS
from replymeter.dashboards.promql import label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replymeter.dashboards.panels import Panel, Target

RATE, RANGE = "241s", "7201s"
WINDOWS = {timedelta(seconds=241): "$__rate_interval", timedelta(seconds=7201): "$__range"}
VARIABLES = ("datasource", "tempo", "environment", "job", "provider", "model", "slo", "filters")

SERIES = {
    metric.prometheus + part: metric
    for metric in names.METRICS
    for part in (("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",))
}
"""Every series name that Prometheus can have, with its metric."""


def concrete(expr: str) -> str:
    """*expr* with values for Grafana's variables."""
    return (
        expr.replace("$__rate_interval", RATE).replace("$__range", RANGE).replace("$slo", "10.24")
    )


def parsed(expr: str) -> promql.Expr:
    """The expression's tree; raises ValueError when it has none."""
    return promql.parse(concrete(expr))


def children(node: Any) -> list[Any]:
    """What a node is made of."""
    found = [getattr(node, name, None) for name in ("lhs", "rhs", "expr", "vector_selector")]
    return [one for one in (*found, *(getattr(node, "args", None) or [])) if one is not None]


def nodes(node: Any, *above: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every node below, with those above it, the nearest first."""
    yield node, above
    for child in children(node):
        yield from nodes(child, node, *above)


def selectors(expr: str) -> list[promql.VectorSelector]:
    """Every selector in *expr*."""
    return [one for one, _ in nodes(parsed(expr)) if isinstance(one, promql.VectorSelector)]


def matchers(selector: promql.VectorSelector) -> list[tuple[str, str, str]]:
    """Label, operator and value of each of its matchers."""
    operators = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
    return [
        (one.name, operators[str(one.op).rsplit(".", 1)[-1]], one.value)
        for one in selector.matchers.matchers
    ]


def grouped_by(node: Any) -> set[str]:
    """The labels of every aggregation in an expression."""
    return {
        name
        for one, _ in nodes(node)
        if isinstance(one, promql.AggregateExpr) and one.modifier is not None
        for name in one.modifier.labels
    }


def labels_of(metric: names.Metric) -> set[str]:
    """The labels that a metric's series can have."""
    own = (*names.COMMON_LABELS, *metric.labels)
    if metric.name.startswith("gen_ai."):
        own += (names.RESPONSE_MODEL,)
    return {label(name) for name in own}


@dataclass(frozen=True)
class Query:
    """A query and where it stands."""

    board: str
    panel: Panel
    target: Target

    def __str__(self) -> str:
        return f"{self.board}: {self.panel.title}: {self.target.legend}"


QUERIES = [
    Query(board.slug, panel, target)
    for board in DASHBOARDS
    for panel in board.panels
    for target in panel.targets
]


RATES = ("rate", "increase")
EXACT = ("timestamp",)
"""What may take a counter as it is: when it was, not how much."""


def problems(expr: str, window: str | None) -> list[str]:
    """What is wrong with *expr*; its rates are over *window*, None where they are not looked at."""
    return [
        problem
        for node, above in nodes(parsed(expr))
        for problem in (*_wrong(node, above), *_wrong_window(node, window))
    ]


def _wrong_window(node: Any, window: str | None) -> Iterator[str]:
    if isinstance(node, promql.MatrixSelector):
        found = WINDOWS.get(node.range, str(node.range))
        if window not in {None, found}:
            yield f"a rate over {found} instead of {window}"


def _wrong(node: Any, above: tuple[Any, ...]) -> Iterator[str]:
    beside = str(getattr(above[0], "op", "")) if above else ""
    if isinstance(node, promql.VectorSelector):
        yield from _wrong_series(node, above)
    elif isinstance(node, promql.Call) and node.func.name in RATES and beside != "sum":
        yield f"{node.func.name} without a sum: a series for each process"
    elif isinstance(node, promql.Call) and node.func.name.endswith("quantile") and beside != ">=":
        yield "a quantile that is NaN when idle"
    elif isinstance(node, promql.BinaryExpr) and str(node.op) == "/":
        guard: Any = node.rhs.expr if isinstance(node.rhs, promql.ParenExpr) else None
        if str(getattr(guard, "op", "")) != ">" or getattr(guard.rhs, "val", None) != 0:
            yield "a division by what can be 0"


def _wrong_series(node: promql.VectorSelector, above: tuple[Any, ...]) -> Iterator[str]:
    found = matchers(node)
    chosen = {(name, value) for name, operator, value in found if operator == "=~"}
    for label_, variable in SCOPE.items():
        if (label_, variable) not in chosen:
            yield f"{label_} is not {variable}"
    if node.name is None:
        return
    if node.name not in SERIES:
        yield f"no metric has the series {node.name}"
        return
    known = labels_of(SERIES[node.name]) | RESOURCE | {"le"}
    for name in ({name for name, _, _ in found} | grouped_by_nearest(above)) - known:
        yield f"{node.name} has no label {name}"
    under = above[1] if above and isinstance(above[0], promql.MatrixSelector) else above[0]
    if not isinstance(under, promql.Call) or under.func.name not in (*RATES, *EXACT):
        yield f"{node.name} is a counter, and needs a rate"


def grouped_by_nearest(above: tuple[Any, ...]) -> set[str]:
    """The labels by which the aggregation nearest to a series groups."""
    nearest = next((one for one in above if isinstance(one, promql.AggregateExpr)), None)
    return set(nearest.modifier.labels) if nearest is not None and nearest.modifier else set()


SCOPE = {
    "deployment_environment_name": "$environment",
    "job": "$job",
    "gen_ai_provider_name": "$provider",
    "gen_ai_request_model": "$model",
}
RESOURCE = {"deployment_environment_name", "job", "instance", "service_version"}
