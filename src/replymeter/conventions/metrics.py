"""Metrics: names, units, buckets, labels, and the names Prometheus gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from replymeter.conventions.attributes import (
    BLOCK_CATEGORY,
    BLOCK_STAGE,
    COST_PART,
    COST_REASON,
    ERROR_KIND,
    ERROR_TYPE,
    FINISH_REASON,
    OUTCOME,
    TOKEN_MODALITY,
    TOKEN_TYPE,
)


@dataclass(frozen=True, eq=False, repr=False)
class Metric:
    """A metric: what it records, in which unit, with which labels, under which Prometheus name.

    `prometheus` is the name that Prometheus' OTLP receiver gives it (a histogram's without
    `_bucket`, `_sum` or `_count`), measured with Prometheus 3.16. `labels` come beside the
    common ones: `COMMON_LABELS`, and `gen_ai.response.model` where the name starts with
    `gen_ai.`. `buckets` is None for counters.
    """

    name: str
    kind: Literal["counter", "histogram"]
    unit: str
    meaning: str
    prometheus: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] | None = None


METRICS: Final[list[Metric]] = []
"""Every metric, in the order of the documentation."""


OLDER_METRICS: Final[list[Metric]] = []
"""What conventions 1.37 to 1.41 had in place of some of them; only with `older_metrics`."""


def _metric(metric: Metric) -> Metric:
    METRICS.append(metric)
    return metric


def _older_metric(metric: Metric) -> Metric:
    OLDER_METRICS.append(metric)
    return metric


# The conventions' advice, doubled on to 327.68: reasoning models run for minutes.
SECONDS_BUCKETS: Final = tuple(round(0.01 * 2**i, 2) for i in range(16))
TOKEN_BUCKETS: Final = tuple(float(4**i) for i in range(14))
SPEED_BUCKETS: Final = (1.0, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
LIMIT_BUCKETS: Final = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0)

DURATION: Final = _metric(
    Metric(
        "gen_ai.client.inference.duration",
        "histogram",
        "s",
        "Time of every call, whatever its ending.",
        "gen_ai_client_inference_duration_seconds",
        (ERROR_TYPE,),
        SECONDS_BUCKETS,
    )
)
TIME_TO_FIRST_CHUNK: Final = _metric(
    Metric(
        "gen_ai.client.inference.time_to_first_chunk",
        "histogram",
        "s",
        "Time to the first chunk of streamed calls that got one.",
        "gen_ai_client_inference_time_to_first_chunk_seconds",
        (),
        SECONDS_BUCKETS,
    )
)
TIME_PER_OUTPUT_CHUNK: Final = _metric(
    Metric(
        "gen_ai.client.inference.time_per_output_chunk",
        "histogram",
        "s",
        "Time between chunks; only with `chunk_timing=True`.",
        "gen_ai_client_inference_time_per_output_chunk_seconds",
        (),
        SECONDS_BUCKETS,
    )
)
OUTPUT_SPEED: Final = _metric(
    Metric(
        "replymeter.output_speed",
        "histogram",
        "{token}/s",
        "Output tokens, reasoning left out, per second from the first to the last chunk with "
        "text or a tool call; streamed calls with usage, two such chunks and 100 ms or more.",
        "replymeter_output_speed_per_second",
        (),
        SPEED_BUCKETS,
    )
)


def _token_counter(name: str, meaning: str) -> Metric:
    full = f"gen_ai.client.inference.usage.{name}"
    prometheus = full.replace(".", "_") + "_total"
    return _metric(Metric(full, "counter", "{token}", meaning, prometheus, (TOKEN_MODALITY,)))


INPUT_TOKENS: Final = _token_counter("input_tokens", "Input tokens, cached ones included.")
OUTPUT_TOKENS: Final = _token_counter("output_tokens", "Output tokens, reasoning included.")
CACHE_READ_TOKENS: Final = _token_counter("cache_read.input_tokens", "Input read from cache.")
CACHE_WRITE_TOKENS: Final = _token_counter("cache_write.input_tokens", "Input written to cache.")
REASONING_TOKENS: Final = _token_counter("reasoning.output_tokens", "Output spent on reasoning.")

INPUT_TOKENS_PER_CALL: Final = _metric(
    Metric(
        "gen_ai.client.inference.operation.input_tokens",
        "histogram",
        "{token}",
        "Input tokens of a call, when reported.",
        "gen_ai_client_inference_operation_input_tokens",
        (),
        TOKEN_BUCKETS,
    )
)
OUTPUT_TOKENS_PER_CALL: Final = _metric(
    Metric(
        "gen_ai.client.inference.operation.output_tokens",
        "histogram",
        "{token}",
        "Output tokens of a call, when reported.",
        "gen_ai_client_inference_operation_output_tokens",
        (),
        TOKEN_BUCKETS,
    )
)
FINISH_REASON_COUNT: Final = _metric(
    Metric(
        "replymeter.finish_reasons",
        "counter",
        "{choice}",
        "How each choice ended; a call without a choice counts one.",
        "replymeter_finish_reasons_total",
        (FINISH_REASON,),
    )
)
OUTPUT_TOKENS_BY_REASON: Final = _metric(
    Metric(
        "replymeter.output_tokens",
        "counter",
        "{token}",
        "Output tokens by how the answer ended: what was paid for answers cut or blocked.",
        "replymeter_output_tokens_total",
        (FINISH_REASON,),
    )
)
SAFETY_BLOCKS: Final = _metric(
    Metric(
        "replymeter.safety_blocks",
        "counter",
        "{block}",
        "Each category that blocked a prompt or a response.",
        "replymeter_safety_blocks_total",
        (BLOCK_STAGE, BLOCK_CATEGORY),
    )
)
OUTPUT_LIMIT_UTILIZATION: Final = _metric(
    Metric(
        "replymeter.output_limit.utilization",
        "histogram",
        "1",
        "Output tokens of a choice over the limit that the request set.",
        "replymeter_output_limit_utilization",
        (),
        LIMIT_BUCKETS,
    )
)
USAGE_MISSING: Final = _metric(
    Metric(
        "replymeter.usage_missing",
        "counter",
        "{call}",
        "Calls without an error that reported no usage: spend that nobody can see.",
        "replymeter_usage_missing_total",
        (OUTCOME,),
    )
)
COST_OF_CALLS: Final = _metric(
    Metric(
        "replymeter.cost",
        "counter",
        "USD",
        "What calls cost, by how the answer ended; only with `cost`. The sum of the parts is the "
        "bill.",
        "replymeter_cost_USD_total",
        (COST_PART, FINISH_REASON),
    )
)
COST_MISSING: Final = _metric(
    Metric(
        "replymeter.cost_missing",
        "counter",
        "{call}",
        "Calls that could not be priced; only with `cost`.",
        "replymeter_cost_missing_total",
        (COST_REASON,),
    )
)
INTERNAL_ERRORS: Final = _metric(
    Metric(
        "replymeter.internal_errors",
        "counter",
        "{error}",
        "Replymeter's own failures; none reaches the caller.",
        "replymeter_internal_errors_total",
        (ERROR_KIND,),
    )
)
OLDER_DURATION: Final = _older_metric(
    Metric(
        "gen_ai.client.operation.duration",
        "histogram",
        "s",
        "Time of every call, whatever its ending; only with `older_metrics`.",
        "gen_ai_client_operation_duration_seconds",
        (ERROR_TYPE,),
        SECONDS_BUCKETS[:14],
    )
)
OLDER_TOKEN_USAGE: Final = _older_metric(
    Metric(
        "gen_ai.client.token.usage",
        "histogram",
        "{token}",
        "Input and output tokens of a call, when reported; only with `older_metrics`.",
        "gen_ai_client_token_usage",
        (TOKEN_TYPE,),
        TOKEN_BUCKETS,
    )
)
