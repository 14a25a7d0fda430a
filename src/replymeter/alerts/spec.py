"""What an alert and a recording rule are, and the PromQL that the rows share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from replymeter import conventions as names
from replymeter.dashboards import promql

if TYPE_CHECKING:
    from replymeter.alerts.settings import Settings
    from replymeter.conventions import Metric
    from replymeter.dashboards.promql import Part

KEEP: Final = (promql.ENVIRONMENT, promql.JOB, names.PROVIDER_NAME, names.REQUEST_MODEL)
"""The labels that every alert about a model keeps."""

WHERE: Final = (
    f"{{{{ $labels.{promql.JOB} }}}}"
    f"{{{{ with $labels.{promql.ENVIRONMENT} }}}} in {{{{ . }}}}{{{{ end }}}}"
)
"""Template: the job, and its environment where it has one."""

MODEL: Final = (
    f"{{{{ $labels.{promql.label(names.REQUEST_MODEL)} }}}} "
    f"({{{{ $labels.{promql.label(names.PROVIDER_NAME)} }}}})"
)
"""Template: the model and its provider."""

WHO: Final = f"{MODEL} in {WHERE}"
"""Template: whose replies an alert is about."""

SHARE: Final = "{{ $value | humanizePercentage }}"
NUMBER: Final = "{{ $value | humanize }}"
TIME: Final = "{{ $value | humanizeDuration }}"


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert: when it fires, how bad that is, what it says, which panel shows it.

    `hold` is Prometheus' `for`. `summary` is a sentence; `description` a template with the
    series' labels and `$value`, which is what `expr` compares. `panel` is a panel's title on the
    dashboard `dashboard`. `thresholds` are the settings that `expr` is made of. An alert that is
    not `on` is only written when the settings turn it on.
    """

    name: str
    severity: str
    hold: str
    expr: str
    summary: str
    description: str
    dashboard: str
    panel: str
    thresholds: tuple[str, ...]
    on: bool = True


@dataclass(frozen=True)
class Recording:
    """A recording rule: the rate of a counter over five minutes, summed over processes.

    What looks back on hours adds these up: a sum over three days of every process' own series
    would be more samples than Prometheus reads for one query.
    """

    metric: Metric
    by: tuple[str, ...]
    level: str

    @property
    def name(self) -> str:
        """`level:metric:operations`, as Prometheus advises."""
        return f"{self.level}:{self.metric.prometheus.removesuffix('_total')}:rate5m"

    @property
    def expr(self) -> str:
        """What it records."""
        return promql.total(promql.rate(promql.select(self.metric), "5m"), *self.by)


RECORDED_EVERY: Final = "1m"
_LEVEL = "environment_job_provider_model"
ENDINGS: Final = Recording(
    names.FINISH_REASON_COUNT, (*KEEP, names.FINISH_REASON), f"{_LEVEL}_finish_reason"
)
COST: Final = Recording(names.COST_OF_CALLS, KEEP, _LEVEL)
INPUT: Final = Recording(names.INPUT_TOKENS, KEEP, _LEVEL)
CACHE_READ: Final = Recording(names.CACHE_READ_TOKENS, KEEP, _LEVEL)
RECORDINGS: Final = (ENDINGS, COST, INPUT, CACHE_READ)


def grown(metric: Metric, *matchers: str, window: str, part: Part | None = None) -> str:
    """How much a metric grew over *window*, by model."""
    series = promql.select(metric, *matchers, part=part)
    return promql.total(promql.increase(series, window), *KEEP)


def recorded(recording: Recording, *matchers: str, window: str, before: str = "") -> str:
    """How much a recorded counter grew over *window*, by model, *before* so long ago.

    In minutes of its rate per second, which a share of two does not notice: 60 times it is the
    growth, because a sample is recorded every minute.
    """
    labels = f"{{{', '.join(matchers)}}}" if matchers else ""
    offset = f" offset {before}" if before else ""
    return promql.total(f"sum_over_time({recording.name}{labels}[{window}]{offset})", *KEEP)


def recorded_growth(recording: Recording, *matchers: str, window: str, before: str = "") -> str:
    """The same as a number of events, or of dollars."""
    return f"60 * {recorded(recording, *matchers, window=window, before=before)}"


def every(*conditions: str) -> str:
    """All of the conditions, for the same labels; the value is the first one's."""
    return "\nand\n".join(conditions)


def over(settings: Settings, part: str, whole: str, limit: float) -> str:
    """The condition that *part* is more than *limit* of *whole*, and that there is traffic."""
    return every(f"{promql.ratio(part, whole)} > {limit:g}", enough(settings, whole))


def enough(settings: Settings, whole: str) -> str:
    """The condition that there is so much traffic that a share of *whole* says something."""
    return f"{whole} >= {settings.minimum_traffic:g}"


def ended(*reasons: str) -> str:
    """A matcher: the reply ended in one of these ways."""
    if len(reasons) == 1:
        return promql.equal(names.FINISH_REASON, reasons[0])
    return promql.any_of(names.FINISH_REASON, reasons)


CUT: Final = ended("length")
