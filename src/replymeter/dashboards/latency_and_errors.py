"""Latency and errors: how long calls take, how fast they answer, and why they fail."""

from __future__ import annotations

from typing import Final

from replymeter import conventions as names
from replymeter.dashboards import health, parts, promql, scope
from replymeter.dashboards.board import Dashboard, Row
from replymeter.dashboards.panels import Heatmap, Stat, TimeSeries
from replymeter.dashboards.parts import NO_STREAMS, SHARE
from replymeter.dashboards.promql import any_of, unequal
from replymeter.dashboards.scope import BY_MODEL, INTERVAL, MODEL, RANGE
from replymeter.dashboards.tables import Column, Spans, Table, Text

SLOW: Final = f"duration > {names.SECONDS_BUCKETS[10]:g}s"
NO_CHUNKS: Final = "Only with instrument(..., chunk_timing=True)"
ERROR: Final = scope.legend(names.ERROR_TYPE)
SLO: Final = tuple(f"{bound:g}" for bound in names.SECONDS_BUCKETS[6:14])


def _within() -> str:
    bound = promql.equal(promql.BOUND, "$slo")
    return promql.ratio(
        scope.per_second(names.DURATION, bound, window=RANGE, part="bucket"), scope.calls(RANGE)
    )


def _errors(*kinds: str) -> str:
    return scope.grown(names.DURATION, any_of(names.ERROR_TYPE, kinds), part="count")


TILES: Final = (
    Stat(
        title="Duration, p50",
        says="Half of the calls took less.",
        expr=scope.quantile(0.5, names.DURATION, RANGE),
        unit="s",
    ),
    Stat(
        title="Duration, p95",
        says="95 % of the calls took less.",
        expr=scope.quantile(0.95, names.DURATION, RANGE),
        unit="s",
    ),
    Stat(
        title="Within $slo s",
        says="Share of calls that took no longer than the variable *Objective* says. Its values "
        "are the bounds of the histogram: the share is counted, not estimated.",
        expr=_within(),
        unit=SHARE,
        steps=((None, "red"), (0.95, "orange"), (0.99, "green")),
    ),
    Stat(
        title="First chunk, p95",
        says="95 % of the streamed calls showed something within this time.",
        expr=scope.quantile(0.95, names.TIME_TO_FIRST_CHUNK, RANGE),
        unit="s",
        empty=NO_STREAMS,
    ),
    Stat(
        title="Output speed, p50",
        says="Output tokens a second, reasoning left out, from the first chunk with text to the "
        "last: the median of streamed calls with usage.",
        expr=scope.quantile(0.5, names.OUTPUT_SPEED, RANGE),
        empty=NO_STREAMS,
    ),
    Stat(
        title="Calls with a speed",
        says="How many calls the speed is of: streamed ones with usage, two chunks with text and "
        "100 ms between them.",
        expr=scope.grown(names.OUTPUT_SPEED, part="count"),
        decimals=0,
        empty=NO_STREAMS,
    ),
    parts.FAILED_TILE,
    Stat(
        title="Rate limited",
        says="Calls that ended in a rate limit or an overload, after the retries of the "
        "provider's SDK.",
        expr=_errors("rate_limit", "overloaded"),
        decimals=0,
        steps=parts.NEVER,
        empty="None",
    ),
    Stat(
        title="Timed out or cut",
        says="Calls that ended in a timeout, a connection that failed, or a stream that broke.",
        expr=_errors("timeout", "connection", "stream_broken"),
        decimals=0,
        steps=parts.NEVER,
        empty="None",
    ),
    Stat(
        title="Keys and rights",
        says="Calls refused for their key or their rights: nothing works until that is mended.",
        expr=_errors("authentication", "permission_denied"),
        decimals=0,
        steps=parts.NEVER,
        empty="None",
    ),
    Stat(
        title="Requests at fault",
        says="Calls refused for what they asked: no such model, an invalid request, more than the "
        "context holds.",
        expr=_errors("not_found", "invalid_request", "context_overflow"),
        decimals=0,
        steps=parts.NEVER,
        empty="None",
    ),
    parts.GAVE_UP_TILE,
)

LATENCY: Final = (
    TimeSeries(
        title="Duration",
        says="Of every call, streams to their end. Dots are calls: click one for its trace.",
        series={
            "p99": scope.quantile(0.99, names.DURATION, INTERVAL),
            "p95": scope.quantile(0.95, names.DURATION, INTERVAL),
            "p50": scope.quantile(0.5, names.DURATION, INTERVAL),
            "mean": scope.mean(names.DURATION, INTERVAL),
        },
        unit="s",
        exemplars=True,
        colors={"p99": "dark-blue", "p95": "blue", "p50": "light-blue", "mean": "purple"},
    ),
    TimeSeries(
        title="Duration by model, p95",
        says="95 % of a model's calls took less.",
        series={BY_MODEL: scope.quantile(0.95, names.DURATION, INTERVAL, *MODEL)},
        unit="s",
        exemplars=True,
        links=(parts.traces("Its slow calls", SLOW),),
    ),
    Heatmap(
        title="Duration, all calls",
        says="How many calls took how long. Dots are calls: click one for its trace.",
        expr=scope.buckets(names.DURATION),
        unit="s",
    ),
    TimeSeries(
        title="Time to first chunk",
        says="Of streamed calls, by model: what 95 % stayed below. A chunk may be empty.",
        series={BY_MODEL: scope.quantile(0.95, names.TIME_TO_FIRST_CHUNK, INTERVAL, *MODEL)},
        unit="s",
        exemplars=True,
        empty=NO_STREAMS,
        links=(parts.traces("Its calls"),),
    ),
    TimeSeries(
        title="Output speed",
        says="Output tokens a second of streamed calls, by model: the median, and what 90 % were "
        "faster than.",
        series={
            f"p50 {BY_MODEL}": scope.quantile(0.5, names.OUTPUT_SPEED, INTERVAL, *MODEL),
            f"p10 {BY_MODEL}": scope.quantile(0.1, names.OUTPUT_SPEED, INTERVAL, *MODEL),
        },
        exemplars=True,
        empty=NO_STREAMS,
    ),
    TimeSeries(
        title="Time between chunks, p95",
        says="Of streamed calls, by model. Recorded only with `chunk_timing=True`, because a "
        "record for each chunk costs.",
        series={BY_MODEL: scope.quantile(0.95, names.TIME_PER_OUTPUT_CHUNK, INTERVAL, *MODEL)},
        unit="s",
        exemplars=True,
        empty=NO_CHUNKS,
    ),
)

ERRORS: Final = (
    TimeSeries(
        title="Errors by type",
        says="Failed calls a minute, in one vocabulary for every provider. `content_filter` is a "
        "safety block that came as an exception. `rate_limit`: the retries of the provider's SDK "
        "ran out.",
        series={
            ERROR: "60 * "
            + scope.calls(INTERVAL, unequal(names.ERROR_TYPE, ""), by=(names.ERROR_TYPE,))
        },
        stacked=True,
        empty="None",
    ),
    parts.by_model(
        "Error share by model",
        "Share of a model's calls that raised an error; safety blocks are not failures.",
        scope.failed(INTERVAL, *MODEL),
        parts.FAILED,
        parts.traces("Its failed calls", parts.is_(names.OUTCOME, "error")),
    ),
    Text(
        title="What to do",
        says="What helps against errors.",
        markdown="""\
- `rate_limit`, `overloaded`: fewer calls at once, another region or model, a higher quota.
- `authentication`, `permission_denied`: the key; nothing works until it is mended.
- `context_overflow`: the conversation outgrew the model; shorten it.
- `timeout`, or more calls given up: compare the duration with your own timeouts.
- *Which model answered* shows another model than was asked for: an alias moved.""",
    ),
    Table(
        title="Errors",
        says="What failed, by model and type.",
        width=12,
        by=(*MODEL, names.ERROR_TYPE),
        columns=(
            Column(
                "Calls",
                scope.grown(
                    names.DURATION,
                    unequal(names.ERROR_TYPE, ""),
                    by=(*MODEL, names.ERROR_TYPE),
                    part="count",
                )
                + " > 0",
                decimals=0,
            ),
        ),
        empty="None",
    ),
    Table(
        title="Which model answered",
        says="The model that was asked for, the one that answered (empty where the provider does "
        "not say), and the server.",
        width=12,
        by=(names.REQUEST_MODEL, names.RESPONSE_MODEL, names.SERVER_ADDRESS),
        columns=(
            Column(
                "Calls",
                scope.grown(
                    names.DURATION,
                    by=(names.REQUEST_MODEL, names.RESPONSE_MODEL, names.SERVER_ADDRESS),
                    part="count",
                )
                + " > 0",
                decimals=0,
            ),
        ),
    ),
)

LATENCY_AND_ERRORS: Final = Dashboard(
    "latency-errors",
    "Latency and errors",
    "How long calls take, how fast they answer, why they fail, and which model answered.",
    (
        Row(None, (*TILES, *LATENCY)),
        Row("Errors", ERRORS),
        Row(
            "Calls that failed (needs Tempo)",
            (
                Spans(
                    title="Calls that failed",
                    says="The newest; click an id for the trace.",
                    where=parts.spans_where(parts.is_(names.OUTCOME, "error")),
                ),
            ),
            collapsed=True,
        ),
        health.row(),
    ),
    choices=(("slo", "Objective (s)", SLO, f"{names.SECONDS_BUCKETS[10]:g}"),),
)
