"""Finish reasons and truncation: what is cut off, what it cost, and what comes close."""

from __future__ import annotations

from typing import Final

from replymeter import conventions as names
from replymeter.dashboards import health, parts, promql, scope
from replymeter.dashboards.board import Dashboard, Row
from replymeter.dashboards.panels import Heatmap, Stat, TimeSeries
from replymeter.dashboards.parts import SHARE
from replymeter.dashboards.scope import BY_MODEL, INTERVAL, MODEL, RANGE
from replymeter.dashboards.tables import Column, Spans, Table, Text

CUT: Final = scope.reason("length")
UNKNOWN: Final = promql.any_of(names.FINISH_REASON, ("missing", names.OTHER))
REASON: Final = scope.legend(names.FINISH_REASON)
NO_LIMIT: Final = "No request set a limit"
CUT_SPANS: Final = parts.is_(names.FINISH_REASONS, "length")


def _paid_for_cut(window: str, *by: str) -> str:
    tokens = names.OUTPUT_TOKENS_BY_REASON
    return promql.share(
        scope.per_second(tokens, CUT, window=window, by=by),
        scope.per_second(tokens, window=window, by=by),
    )


TILES: Final = (
    Stat(
        title="Cut off",
        says="Share of answers that the output limit cut off.",
        expr=scope.of_answers(RANGE, CUT),
        unit=SHARE,
        steps=parts.TRUNCATED,
    ),
    Stat(
        title="Answers cut off",
        says="How many they were.",
        expr=scope.grown(names.FINISH_REASON_COUNT, CUT),
        decimals=0,
    ),
    Stat(
        title="Paid for cut answers",
        says="Share of output tokens that belong to answers that were cut off.",
        expr=_paid_for_cut(RANGE),
        unit=SHARE,
    ),
    Stat(
        title="Near the limit",
        says="Share of answers that used more than 90 % of the limit that their request set: it "
        "rises before the first answer is cut.",
        expr=scope.above(0.9, names.OUTPUT_LIMIT_UTILIZATION, RANGE),
        unit=SHARE,
        steps=((None, "green"), (0.05, "orange"), (0.1, "red")),
        empty=NO_LIMIT,
    ),
    Stat(
        title="Without a reason",
        says="Share of answers that ended without a finish reason: a stream that broke off, or a "
        "provider that gives none.",
        expr=scope.of_answers(RANGE, scope.reason("missing")),
        unit=SHARE,
        steps=parts.UNKNOWN,
    ),
    Stat(
        title="Cancelled or abandoned",
        says="Share of all endings: the caller gave up.",
        expr=scope.of_endings(RANGE, scope.GAVE_UP),
        unit=SHARE,
        steps=parts.GAVE_UP,
    ),
)

WHAT_TO_DO: Final = Text(
    title="What to do",
    says="What helps against truncation.",
    width=12,
    markdown="""\
- One model is cut more often than before: a prompt, the limit (`max_tokens` and its kin) or the
  model changed. *New versions* marks deployments.
- A reasoning model is cut: reasoning counts against the limit. Raise it, or lower the effort.
- The limit is not set by you: it is the provider's default, and some are low.
- *Output limit used* creeps up to 100 %: raise the limit before answers are cut.
- Click a line to see the calls in Explore (with a Tempo data source).""",
)

TRUNCATION: Final = (
    parts.by_model(
        "Truncated share by model",
        "Share of a model's answers that were cut off. The dashed lines are where it turns "
        "orange, and where the alert is.",
        scope.of_answers(INTERVAL, CUT, by=MODEL),
        parts.TRUNCATED,
        parts.traces("Its answers that were cut off", CUT_SPANS),
    ),
    TimeSeries(
        title="Truncation budget burn",
        says="Share of answers cut off in the last hour, six hours and three days. The alerts "
        "about the budget compare such windows.",
        series={window: scope.of_answers(window, CUT) for window in ("1h", "6h", "3d")},
        unit=SHARE,
        step="10m",
    ),
    TimeSeries(
        title="Output limit used",
        says="How much of the limit that its request set an answer used: the median, and what "
        "95 % stayed below.",
        series={
            f"p95 {BY_MODEL}": scope.quantile(0.95, names.OUTPUT_LIMIT_UTILIZATION, INTERVAL,
                                              *MODEL),
            f"p50 {BY_MODEL}": scope.quantile(0.5, names.OUTPUT_LIMIT_UTILIZATION, INTERVAL,
                                              *MODEL),
        },
        unit=SHARE,
        steps=((None, "green"), (0.9, "red")),
        empty=NO_LIMIT,
    ),
    Table(
        title="Models",
        says="Every model that answered in the time range.",
        by=MODEL,
        columns=(
            Column("Answers", scope.grown(names.FINISH_REASON_COUNT, promql.ANSWERED, by=MODEL),
                   decimals=0),
            Column("Cut off", scope.of_answers(RANGE, CUT, by=MODEL), SHARE, 1, parts.TRUNCATED),
            Column("Answers cut off", scope.grown(names.FINISH_REASON_COUNT, CUT, by=MODEL),
                   decimals=0),
            Column("Tokens of those", scope.grown(names.OUTPUT_TOKENS_BY_REASON, CUT, by=MODEL),
                   decimals=0, link=parts.board("tokens-cost", "Its tokens")),
            Column("Near the limit", scope.above(0.9, names.OUTPUT_LIMIT_UTILIZATION, RANGE,
                                                 *MODEL), SHARE, 1),
            Column("Unknown reason", scope.of_answers(RANGE, UNKNOWN, by=MODEL), SHARE, 1,
                   parts.UNKNOWN),
            Column("Given up", scope.of_endings(RANGE, scope.GAVE_UP, by=MODEL), SHARE, 1,
                   parts.GAVE_UP, parts.board("latency-errors", "Its latency")),
        ),
    ),
)  # fmt: skip

BESIDE: Final = (
    TimeSeries(
        title="Output tokens by how the answer ended",
        says="Output tokens a second. `mixed`: the choices of one call ended differently.",
        series={
            REASON: scope.per_second(
                names.OUTPUT_TOKENS_BY_REASON, window=INTERVAL, by=(names.FINISH_REASON,)
            )
        },
        stacked=True,
        colors=parts.COLORS,
    ),
    parts.by_model(
        "Cancelled and abandoned share by model",
        "Share of a model's endings that were no answer, because the caller gave up: a timeout "
        "of yours, a client that hung up, a stream that was not read to its end.",
        scope.of_endings(INTERVAL, scope.GAVE_UP, by=MODEL),
        parts.GAVE_UP,
        parts.traces("Its calls that were cancelled", parts.is_(names.OUTCOME, "cancelled")),
    ),
    parts.by_model(
        "Unknown finish reasons",
        "Share of a model's answers without a reason (`missing`), or with one that no provider's "
        "rows know (`other`). Such answers may have been cut off: nobody can tell.",
        scope.of_answers(INTERVAL, UNKNOWN, by=MODEL),
        parts.UNKNOWN,
        parts.traces("Its answers without a reason", parts.is_(names.FINISH_REASONS, "missing")),
    ),
    Heatmap(
        title="Output limit used, all answers",
        says="How many answers used how much of their limit.",
        expr=scope.buckets(names.OUTPUT_LIMIT_UTILIZATION),
        unit=SHARE,
        width=24,
        empty=NO_LIMIT,
    ),
)

FINISH_REASONS: Final = Dashboard(
    "finish-reasons",
    "Finish reasons and truncation",
    "What is cut off, what was paid for it, and what comes close to its limit.",
    (
        Row(None, (*TILES, parts.reasons_share(), WHAT_TO_DO, *TRUNCATION)),
        Row("Beside truncation", BESIDE),
        Row(
            "Calls that were cut off (needs Tempo)",
            (
                Spans(
                    title="Calls that were cut off",
                    says="The newest; click an id for the trace.",
                    where=parts.spans_where(CUT_SPANS),
                ),
            ),
            collapsed=True,
        ),
        health.row(),
    ),
)
