"""Made series, and what each alert about a share is about: what is bad, and of what.

The limit is between 0 and 1; what is around it, under the minimum of traffic, after a counter's
reset and at its birth is made from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from replymeter import conventions as names
from replymeter.dashboards.promql import label

if TYPE_CHECKING:
    from replymeter.conventions import Metric

MODEL = "gpt-5-mini"
WHO = {
    "deployment_environment_name": "prod",
    "gen_ai_provider_name": "openai",
    "gen_ai_request_model": MODEL,
    "job": "shop",
}

Pattern: TypeAlias = "list[float | tuple[float, int]]"
"""A counter's way: `(n, minutes)` grows by n a minute; a plain number is set, like a reset."""

Load: TypeAlias = "dict[str, Pattern]"


def series(name: Metric | str, model: str = MODEL, part: str = "", **labels: str) -> str:
    """A series of *model*, from one of the app's processes."""
    metric = name if isinstance(name, str) else name.prometheus
    own = {**WHO, "gen_ai_request_model": model, "instance": "one", **labels}
    text = ", ".join(f'{key}="{value}"' for key, value in own.items() if value)
    return f"{metric}{part and '_' + part}{{{text}}}"


def endings(reason: str, model: str = MODEL) -> str:
    """The endings of one reason."""
    return series(names.FINISH_REASON_COUNT, model, **{label(names.FINISH_REASON): reason})


def calls(error: str = "", model: str = MODEL) -> str:
    """The calls that ended well, or in *error*."""
    return series(names.DURATION, model, "count", error_type=error)


def written(pattern: Pattern) -> str:
    """A pattern in promtool's notation."""
    value, words = 0.0, [] if isinstance(pattern[0], float) else ["0"]
    for step in pattern:
        if isinstance(step, tuple):
            growth, minutes = step
            words.append(f"{value + growth:.15g}+{growth:.15g}x{minutes - 1}")
            value += growth * minutes
        else:
            value = step
            words.append(f"{value:.15g}")
    return " ".join(words)


Loader: TypeAlias = Callable[[float, float, str], "dict[str, float]"]
"""From how many events are bad, of how many, of which model, to what each series grows by."""


@dataclass(frozen=True)
class Share:
    """An alert about a share.

    `load(bad, whole, model)` gives the amounts of each series in a minute; `limit` is where the
    alert begins; `labels` are those that the alert has beside the model's; `says` is its message
    when 1,000 events a minute are half bad. `low` events are too few, all together. After `minutes`
    of it the alert fires.
    """

    load: Loader
    limit: float
    says: str
    labels: dict[str, str] = field(default_factory=dict)
    low: int = 15
    minutes: int = 40


def _of_endings(*reasons: str, also: str = "stop") -> Loader:
    def load(bad: float, whole: float, model: str) -> dict[str, float]:
        parts = {endings(reason, model): bad / len(reasons) for reason in reasons}
        return {**parts, endings(also, model): whole - bad}

    return load


def _of_calls(error: str) -> Loader:
    return lambda bad, whole, model: {calls(error, model): bad, calls("", model): whole - bad}


def _missing(metric: Metric, **labels: str) -> Loader:
    own = {label(key): value for key, value in labels.items()}
    return lambda bad, whole, model: {
        series(metric, model, **own): bad,
        calls("", model): whole,
    }


def _slow(metric: Metric, *bounds: str) -> Loader:
    """The bad ones are in the bucket of the last bound, the others below the first."""

    def load(bad: float, whole: float, model: str) -> dict[str, float]:
        counts = dict.fromkeys(bounds[:-1], whole - bad) | {bounds[-1]: whole, "+Inf": whole}
        buckets = {series(metric, model, "bucket", le=le): n for le, n in counts.items()}
        return {**buckets, series(metric, model, "count"): whole}

    return load


def _near(bad: float, whole: float, model: str) -> dict[str, float]:
    metric = names.OUTPUT_LIMIT_UTILIZATION
    counts = {"0.75": 0, "0.9": whole - bad, "1": whole, "+Inf": whole}
    buckets = {series(metric, model, "bucket", le=le): n for le, n in counts.items()}
    return {**buckets, series(metric, model, "count"): whole}


BLOCK = {label(names.BLOCK_STAGE): "response", label(names.BLOCK_CATEGORY): "hate"}


def _blocks(bad: float, whole: float, model: str) -> dict[str, float]:
    block = series(names.SAFETY_BLOCKS, model, **BLOCK)
    return {block: bad, endings("stop", model): whole}


HALF = "50% of the {} of gpt-5-mini (openai) in shop in prod {}"
CUT = HALF.format("replies", "were cut off by length in the last {}")

SHARES = {
    "ReplymeterTruncatedFinishesHigh": Share(_of_endings("length"), 0.05, CUT.format("15m.")),
    "ReplymeterTruncationBudgetBurnFast": Share(
        _of_endings("length"), 0.144, CUT.format("1h; the budget is 1%.")
    ),
    "ReplymeterTruncationBudgetBurnMedium": Share(
        _of_endings("length"), 0.06, CUT.format("6h; the budget is 1%.")
    ),
    "ReplymeterTruncationBudgetBurnSlow": Share(
        _of_endings("length"), 0.01, CUT.format("3d; the budget is 1%."), minutes=80
    ),
    "ReplymeterOutputNearLimit": Share(
        _near,
        0.1,
        HALF.format("replies", "used more than 90% of their output limit in the last hour."),
    ),
    "ReplymeterSafetyBlocksHigh": Share(
        _of_endings("content_filter"), 0.02, HALF.format("replies", "were blocked in the last 15m.")
    ),
    "ReplymeterSafetyBlocksByCategory": Share(
        _blocks,
        0.01,
        "Blocks of the category hate (response) came to 50% of the replies of gpt-5-mini (openai) "
        "in shop in prod in the last 15m.",
        BLOCK,
    ),
    "ReplymeterCancelledOrAbandonedHigh": Share(
        _of_endings("cancelled", "abandoned"),
        0.1,
        HALF.format(
            "calls",
            "were cancelled or abandoned in the last 15m: a provider that hangs shows like this.",
        ),
    ),
    "ReplymeterErrorRateHigh": Share(
        _of_calls("server_error"), 0.1, HALF.format("calls", "failed in the last 15m.")
    ),
    "ReplymeterRateLimited": Share(
        _of_calls("rate_limit"),
        0.05,
        HALF.format(
            "calls",
            "ended in a rate limit in the last 15m, after the retries of the provider's package.",
        ),
    ),
    # More than 5 % in the bucket, far enough that the quantile in it is over the threshold.
    "ReplymeterLatencyHigh": Share(
        _slow(names.DURATION, "40.96", "81.92"),
        0.05 / (1 - (60 - 40.96) / 40.96),
        "5% of the calls of gpt-5-mini (openai) in shop in prod took longer than 1m 17s in the "
        "last 15m.",
    ),
    "ReplymeterTimeToFirstChunkHigh": Share(
        _slow(names.TIME_TO_FIRST_CHUNK, "5.12", "10.24", "20.48"),
        0.05,
        "5% of the streamed replies of gpt-5-mini (openai) in shop in prod took longer than 19.46s "
        "to start in the last 15m.",
    ),
    "ReplymeterCostIncomplete": Share(
        _missing(names.COST_MISSING, **{names.COST_REASON: "unknown_model"}),
        0.05,
        HALF.format("calls", "could not be priced in the last 15m."),
    ),
    "ReplymeterUsageMissing": Share(
        _missing(names.USAGE_MISSING, **{names.OUTCOME: "ok"}),
        0.05,
        HALF.format("calls", "without an error reported no usage in the last 15m."),
    ),
    "ReplymeterUnknownFinishReason": Share(
        _of_endings("other", "missing"),
        0.01,
        HALF.format(
            "replies", "had no finish reason, or one that is not in the table, in the last 15m."
        ),
    ),
}
