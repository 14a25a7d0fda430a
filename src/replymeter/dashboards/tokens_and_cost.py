"""Tokens and cost: what is used, by which model, and what it is worth."""

from __future__ import annotations

from typing import Final

from replymeter import conventions as names
from replymeter.dashboards import health, parts, promql, scope
from replymeter.dashboards.board import Dashboard, Row
from replymeter.dashboards.panels import Heatmap, Stat, TimeSeries
from replymeter.dashboards.parts import NO_PRICES, SHARE
from replymeter.dashboards.promql import any_of, equal, ratio
from replymeter.dashboards.scope import BY_MODEL, INTERVAL, MODEL, RANGE
from replymeter.dashboards.tables import Column, Table, Text

USD: Final = "currencyUSD"
NONE_REPORTED: Final = "None reported"
UNUSABLE: Final = any_of(names.FINISH_REASON, ("length", "content_filter"))


def _cost(window: str, *by: str) -> str:
    return scope.per_second(names.COST_OF_CALLS, window=window, by=by)


def _unpriced(window: str, *by: str) -> str:
    unknown = equal(names.COST_REASON, "unknown_model")
    return scope.per_second(names.COST_MISSING, unknown, window=window, by=by)


def _per_call(window: str, *by: str) -> str:
    usage = scope.per_second(names.INPUT_TOKENS_PER_CALL, window=window, by=by, part="count")
    return ratio(_cost(window, *by), f"{usage} - {_unpriced(window, *by)}")


def _of_cost(window: str, *matchers: str) -> str:
    return ratio(scope.per_second(names.COST_OF_CALLS, *matchers, window=window), _cost(window))


TILES: Final = (
    Stat(
        title="Cost",
        says="US dollars in the time range, at list prices. Calls that could not be priced, and "
        "calls without usage, are not in it.",
        expr=scope.grown(names.COST_OF_CALLS),
        unit=USD,
        empty=NO_PRICES,
    ),
    Stat(
        title="Month at this rate",
        says="Thirty times the cost of the last 24 hours.",
        expr="30 * "
        + promql.total(promql.increase(promql.select(names.COST_OF_CALLS, *scope.SCOPE), "24h")),
        unit=USD,
        empty=NO_PRICES,
    ),
    Stat(
        title="Cost a call",
        says="US dollars, over the calls that have a price.",
        expr=_per_call(RANGE),
        unit=USD,
        decimals=4,
        empty=NO_PRICES,
    ),
    Stat(
        title="Paid for unusable answers",
        says="Share of the cost that went into answers that were cut off or blocked.",
        expr=_of_cost(RANGE, UNUSABLE),
        unit=SHARE,
        steps=parts.TRUNCATED,
        empty=NO_PRICES,
    ),
    parts.COVERAGE_TILE,
    Stat(
        title="Priced",
        says="Share of the calls with usage whose model has a price.",
        expr="1 - "
        + ratio(
            _unpriced(RANGE),
            scope.per_second(names.INPUT_TOKENS_PER_CALL, window=RANGE, part="count"),
        ),
        unit=SHARE,
        steps=parts.COVERED,
        empty=NO_PRICES,
    ),
    Stat(
        title="Input tokens",
        says="In the time range, cached ones included.",
        expr=scope.grown(names.INPUT_TOKENS),
    ),
    Stat(
        title="Output tokens",
        says="In the time range, reasoning included.",
        expr=scope.grown(names.OUTPUT_TOKENS),
    ),
    Stat(
        title="Input from cache",
        says="Share of input tokens that were read from the provider's cache.",
        expr=scope.part_of(names.CACHE_READ_TOKENS, names.INPUT_TOKENS, RANGE),
        unit=SHARE,
        empty=NONE_REPORTED,
    ),
    Stat(
        title="Input written to cache",
        says="Share of input tokens that were written to the provider's cache; some providers "
        "charge more for these.",
        expr=scope.part_of(names.CACHE_WRITE_TOKENS, names.INPUT_TOKENS, RANGE),
        unit=SHARE,
        empty=NONE_REPORTED,
    ),
    Stat(
        title="Reasoning",
        says="Share of output tokens that were spent on reasoning.",
        expr=scope.part_of(names.REASONING_TOKENS, names.OUTPUT_TOKENS, RANGE),
        unit=SHARE,
        empty=NONE_REPORTED,
    ),
    Stat(
        title="Output for input",
        says="Output tokens for each input token.",
        expr=scope.part_of(names.OUTPUT_TOKENS, names.INPUT_TOKENS, RANGE),
        decimals=3,
    ),
)

COST: Final = (
    TimeSeries(
        title="Cost per hour by model",
        says="US dollars an hour.",
        series={BY_MODEL: scope.cost_per_hour(INTERVAL, by=MODEL)},
        unit=USD,
        stacked=True,
        empty=NO_PRICES,
        links=(parts.traces("Its calls"),),
    ),
    TimeSeries(
        title="Cost per hour by how the answer ended",
        says="US dollars an hour: what was paid for answers that were cut off or blocked.",
        series={
            scope.legend(names.FINISH_REASON): scope.cost_per_hour(
                INTERVAL, by=(names.FINISH_REASON,)
            )
        },
        unit=USD,
        stacked=True,
        colors=parts.COLORS,
        empty=NO_PRICES,
    ),
    TimeSeries(
        title="Cost per hour by part",
        says="US dollars an hour, for input (cached tokens at their own price) and for output.",
        series={
            scope.legend(names.COST_PART): scope.cost_per_hour(
                INTERVAL, by=(names.COST_PART,)
            )
        },
        unit=USD,
        stacked=True,
        empty=NO_PRICES,
    ),
    TimeSeries(
        title="Cost a call by model",
        says="US dollars, over the calls that have a price.",
        series={BY_MODEL: _per_call(INTERVAL, *MODEL)},
        unit=USD,
        empty=NO_PRICES,
    ),
    TimeSeries(
        title="Calls without a price",
        says="Calls a minute that could not be priced: the price list does not know the model, or "
        "no usage was reported.",
        series={
            f"{scope.legend(names.COST_REASON)} {BY_MODEL}": "60 * "
            + scope.per_second(
                names.COST_MISSING, window=INTERVAL, by=(names.COST_REASON, names.REQUEST_MODEL)
            )
        },
        empty=NO_PRICES,
    ),
    Text(
        title="What to do",
        says="How to read tokens and cost.",
        markdown="""\
- Cost is list price times reported tokens; your contract may say otherwise.
- **Usage coverage** and **Priced** below 100 %: the true cost is higher.
- The cache ratio fell: the beginning of a prompt changed, or calls came too far apart.
- Streams without usage: some servers report it only when asked (`stream_usage=True`).
- Input includes cached tokens, output includes reasoning: do not add the parts.""",
    ),
    Table(
        title="Models",
        says="Every model that was called in the time range.",
        by=MODEL,
        columns=(
            Column("Input", scope.grown(names.INPUT_TOKENS, by=MODEL)),
            Column("Output", scope.grown(names.OUTPUT_TOKENS, by=MODEL)),
            Column("From cache", scope.part_of(names.CACHE_READ_TOKENS, names.INPUT_TOKENS, RANGE,
                                               *MODEL), SHARE, 1),
            Column("Reasoning", scope.part_of(names.REASONING_TOKENS, names.OUTPUT_TOKENS, RANGE,
                                              *MODEL), SHARE, 1),
            Column("Input a call", scope.mean(names.INPUT_TOKENS_PER_CALL, RANGE, *MODEL),
                   decimals=0),
            Column("Output a call", scope.mean(names.OUTPUT_TOKENS_PER_CALL, RANGE, *MODEL),
                   decimals=0, link=parts.board("finish-reasons", "How its answers end")),
            Column("Cost", scope.grown(names.COST_OF_CALLS, by=MODEL), USD, 2),
            Column("Cost a call", _per_call(RANGE, *MODEL), USD, 4),
            Column("Coverage", scope.usage_seen(RANGE, *MODEL), SHARE, 1, parts.COVERED),
        ),
    ),
)  # fmt: skip

TOKENS: Final = (
    TimeSeries(
        title="Tokens",
        says="Tokens a second, as reported.",
        series={
            "input": scope.per_second(names.INPUT_TOKENS, window=INTERVAL),
            "output": scope.per_second(names.OUTPUT_TOKENS, window=INTERVAL),
        },
        stacked=True,
        colors={"input": "blue", "output": "green"},
    ),
    TimeSeries(
        title="Parts of them",
        says="Tokens a second: cached ones are part of the input, reasoning is part of the output.",
        series={
            "read from cache": scope.per_second(names.CACHE_READ_TOKENS, window=INTERVAL),
            "written to cache": scope.per_second(names.CACHE_WRITE_TOKENS, window=INTERVAL),
            "reasoning": scope.per_second(names.REASONING_TOKENS, window=INTERVAL),
        },
        empty=NONE_REPORTED,
    ),
    TimeSeries(
        title="Tokens by modality",
        says="Tokens a second, by what the provider says they are; `unknown` where it does not.",
        series={
            f"{side} {scope.legend(names.TOKEN_MODALITY)}": scope.per_second(
                metric, window=INTERVAL, by=(names.TOKEN_MODALITY,)
            )
            for side, metric in (("input", names.INPUT_TOKENS), ("output", names.OUTPUT_TOKENS))
        },
        stacked=True,
    ),
    TimeSeries(
        title="Cache hit ratio",
        says="Share of a model's input tokens that were read from the provider's cache.",
        series={
            BY_MODEL: scope.part_of(names.CACHE_READ_TOKENS, names.INPUT_TOKENS, INTERVAL, *MODEL)
        },
        unit=SHARE,
        empty=NONE_REPORTED,
        links=(parts.traces("Its calls"),),
    ),
    Heatmap(
        title="Input tokens of a call",
        says="How many calls had how many. A long tail is a conversation that grows.",
        expr=scope.buckets(names.INPUT_TOKENS_PER_CALL),
    ),
    Heatmap(
        title="Output tokens of a call",
        says="How many calls had how many.",
        expr=scope.buckets(names.OUTPUT_TOKENS_PER_CALL),
    ),
)

TOKENS_AND_COST: Final = Dashboard(
    "tokens-cost",
    "Tokens and cost",
    "What is used, by which model, what it costs, and how much of it nobody can see.",
    (Row(None, (*TILES, *COST)), Row("Tokens", TOKENS), health.row()),
)
