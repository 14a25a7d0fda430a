"""Overview: is it healthy, what does it cost, is anything cut off or blocked?"""

from __future__ import annotations

from typing import Final

from replymeter import conventions as names
from replymeter.dashboards import health, parts, promql, scope
from replymeter.dashboards.board import Dashboard, Row
from replymeter.dashboards.panels import Stat, TimeSeries
from replymeter.dashboards.parts import NO_PRICES, NO_STREAMS, SHARE
from replymeter.dashboards.scope import BY_MODEL, INTERVAL, MODEL, RANGE
from replymeter.dashboards.tables import Alerts, Column, Table, Text

FIRST: Final = (
    Stat(
        title="Calls a minute",
        says="Calls to providers, whatever their ending. Answers from a cache are none.",
        expr=f"60 * {scope.calls(RANGE)}",
    ),
    parts.FAILED_TILE,
    Stat(
        title="Cut off",
        says="Share of answers that the output limit cut off (`length`). Failed, cancelled and "
        "abandoned calls are no answers.",
        expr=scope.of_answers(RANGE, scope.reason("length")),
        unit=SHARE,
        steps=parts.TRUNCATED,
    ),
    Stat(
        title="Blocked",
        says="Share of answers that a safety filter blocked, at the prompt or at the response.",
        expr=scope.of_answers(RANGE, scope.reason("content_filter")),
        unit=SHARE,
        steps=parts.BLOCKED,
    ),
    parts.GAVE_UP_TILE,
    parts.COVERAGE_TILE,
    Stat(
        title="Duration, p95",
        says="95 % of calls took less, streams to their end.",
        expr=scope.quantile(0.95, names.DURATION, RANGE),
        unit="s",
    ),
    Stat(
        title="First chunk, p95",
        says="95 % of streamed calls showed something within this time.",
        expr=scope.quantile(0.95, names.TIME_TO_FIRST_CHUNK, RANGE),
        unit="s",
        empty=NO_STREAMS,
    ),
    Stat(
        title="Tokens a minute",
        says="Input and output, as reported.",
        expr=f"60 * ({scope.per_second(names.INPUT_TOKENS, window=RANGE)}"
        f" + {scope.per_second(names.OUTPUT_TOKENS, window=RANGE)})",
    ),
    Stat(
        title="Input from cache",
        says="Share of input tokens that the provider read from its cache.",
        expr=scope.part_of(names.CACHE_READ_TOKENS, names.INPUT_TOKENS, RANGE),
        unit=SHARE,
        empty="None reported",
    ),
    Stat(
        title="Cost an hour",
        says="US dollars, at list prices; calls that could not be priced are not in it.",
        expr=scope.cost_per_hour(RANGE),
        unit="currencyUSD",
        empty=NO_PRICES,
    ),
    Stat(
        title="Cost",
        says="US dollars in the time range.",
        expr=scope.grown(names.COST_OF_CALLS),
        unit="currencyUSD",
        empty=NO_PRICES,
    ),
)

WHAT_TO_DO: Final = Text(
    title="What to do",
    says="How to read the numbers above.",
    width=6,
    markdown="""\
- **Cut off** is up: *Finish reasons and truncation*. Raise the limit, or ask for less.
- **Blocked** is up: *Safety* says which category, at the prompt or at the response.
- **Failed**, or calls are given up: *Latency and errors*.
- **Cost** is up: *Tokens and cost*, by model and by how the answers ended.
- **Usage coverage** is not 100 %: tokens and cost are more than shown; see *Telemetry health*.

Click a cell of the table for that model.""",
)

MODELS: Final = Table(
    title="Models",
    says="Every model that was called in the time range. A cell leads to that model's panels.",
    height=9,
    by=MODEL,
    columns=(
        Column("Calls", scope.grown(names.DURATION, by=MODEL, part="count"), decimals=0),
        Column("Failed", scope.failed(RANGE, *MODEL), SHARE, 1, parts.FAILED,
               parts.board("latency-errors", "Its errors")),
        Column("Cut off", scope.of_answers(RANGE, scope.reason("length"), by=MODEL), SHARE, 1,
               parts.TRUNCATED, parts.board("finish-reasons", "How its answers end")),
        Column("Blocked", scope.of_answers(RANGE, scope.reason("content_filter"), by=MODEL), SHARE,
               1, parts.BLOCKED, parts.board("safety", "What was blocked")),
        Column("Given up", scope.of_endings(RANGE, scope.GAVE_UP, by=MODEL), SHARE, 1,
               parts.GAVE_UP, parts.board("finish-reasons", "How its answers end")),
        Column("p95", scope.quantile(0.95, names.DURATION, RANGE, *MODEL), "s",
               link=parts.board("latency-errors", "Its latency")),
        Column("First chunk p95", scope.quantile(0.95, names.TIME_TO_FIRST_CHUNK, RANGE, *MODEL),
               "s", link=parts.board("latency-errors", "Its latency")),
        Column("Output a call", scope.mean(names.OUTPUT_TOKENS_PER_CALL, RANGE, *MODEL),
               decimals=0, link=parts.board("tokens-cost", "Its tokens")),
        Column("From cache", scope.part_of(names.CACHE_READ_TOKENS, names.INPUT_TOKENS, RANGE,
                                           *MODEL), SHARE, 1,
               link=parts.board("tokens-cost", "Its tokens")),
        Column("Cost", scope.grown(names.COST_OF_CALLS, by=MODEL), "currencyUSD", 2,
               link=parts.board("tokens-cost", "Its cost")),
        Column("Coverage", scope.usage_seen(RANGE, *MODEL), SHARE, 1, parts.COVERED,
               parts.board("tokens-cost", "Its tokens")),
    ),
)  # fmt: skip

TRAFFIC: Final = (
    TimeSeries(
        title="Calls by model",
        says="Calls a second, stacked.",
        series={BY_MODEL: scope.calls(INTERVAL, by=MODEL)},
        unit="reqps",
        stacked=True,
        width=12,
    ),
    TimeSeries(
        title="Calls by service",
        says="Calls a second, by `service.name` and environment.",
        series={
            f"{scope.legend(promql.JOB)} {scope.legend(promql.ENVIRONMENT)}": scope.calls(
                INTERVAL, by=(promql.JOB, promql.ENVIRONMENT)
            )
        },
        unit="reqps",
        stacked=True,
        width=12,
    ),
)

OVERVIEW: Final = Dashboard(
    "overview",
    "Overview",
    "Is it healthy, what does it cost, is anything cut off or blocked?",
    (
        Row(
            None,
            (
                *FIRST,
                parts.reasons_share(),
                WHAT_TO_DO,
                Alerts(title="Alerts", says="Replymeter's alerts that fire.", width=6),
                MODELS,
            ),
        ),
        Row("Traffic", TRAFFIC),
        health.row(collapsed=False),
    ),
)
