"""The tracer, the instruments and their labels: the only place that talks to OpenTelemetry."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace
from opentelemetry._logs import get_logger

from replymeter import conventions as names
from replymeter.log import LOG, SCOPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.context import Context
    from opentelemetry.metrics import Meter, MeterProvider
    from opentelemetry.trace import TracerProvider

    from replymeter.conventions import Metric
    from replymeter.emit import Labels, Measurement
    from replymeter.providers import Target
    from replymeter.providers.spec import Provider
    from replymeter.settings import Settings

    Record = Callable[..., None]

_METRICS = (*names.METRICS, *names.OLDER_METRICS)
_WITH_RESPONSE_MODEL = frozenset(m for m in _METRICS if m.name.startswith("gen_ai."))

# Providers that record nothing. The metrics' proxy has no public name.
SILENT = (
    trace.ProxyTracerProvider,
    trace.NoOpTracerProvider,
    metrics.NoOpMeterProvider,
    metrics._internal._ProxyMeterProvider,  # noqa: SLF001
)

NO_SDK = (
    "replymeter: no OpenTelemetry SDK is set up, so the telemetry of this process goes nowhere. "
    "Call replymeter.start() at start-up to send it by OTLP (OTEL_EXPORTER_OTLP_ENDPOINT), or set "
    "your own providers with opentelemetry.trace.set_tracer_provider and "
    "opentelemetry.metrics.set_meter_provider."
)


INTERNAL_ERROR = (
    "replymeter: internal error at step '{step}' ({place}); the call goes on, its telemetry is "
    f"incomplete. Counted in {names.INTERNAL_ERRORS.name}; logged once a kind."
)


def _version() -> str:
    try:
        return version(SCOPE)
    except PackageNotFoundError:  # a checkout on the path, not installed
        return "0"


class LabelCap:
    """The first values keep their names; the rest are `other`.

    The SDK holds 2,000 series per instrument and hides the rest in one overflow point; models
    behind gateways and typing errors must not use them up.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()

    def label(self, value: str, most: int = names.LABEL_CAP) -> str:
        """*value*, or `other` when there are *most* already."""
        if value not in self._known:
            if len(self._known) >= most:
                return names.OTHER
            self._known.add(value)
        return value


class Series:
    """The labels of one provider, request model and server, made once and used again.

    `zeros` is what creates its series at 0, `model_cap` how many response models have a label.
    `made` has, of a metric, its own labels and a response model, what records and all the labels.
    """

    def __init__(
        self, base: dict[str, Any], zeros: tuple[Measurement, ...], model_cap: int
    ) -> None:
        self.zeros = zeros
        self.model_cap = model_cap
        self.made: dict[tuple[Metric, Labels, str | None], tuple[Record, dict[str, Any]]] = {}
        self._base = base
        self._labels: dict[tuple[Labels, str | None], dict[str, Any]] = {}

    def labels(self, own: Labels, response_model: str | None) -> dict[str, Any]:
        """The common labels with *own*, and the response's model unless that is None."""
        key = (own, response_model)
        made = self._labels.get(key)
        if made is None:
            made = {**self._base, **dict(own)}
            if response_model is not None:
                made[names.RESPONSE_MODEL] = response_model
            self._labels[key] = made
        return made


class Telemetry:
    """Replymeter's spans and metrics of one tracer provider and one meter provider.

    None stands for the global provider, also one that is set later.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None,
        meter_provider: MeterProvider | None,
        logger_provider: LoggerProvider | None,
    ) -> None:
        self.tracer = trace.get_tracer(SCOPE, _version(), tracer_provider)
        self.logger = get_logger(SCOPE, _version(), logger_provider)
        meter = metrics.get_meter(SCOPE, _version(), meter_provider)
        self._record = {metric: _recorder(meter, metric) for metric in _METRICS}
        self.given = tracer_provider is not None or meter_provider is not None
        self._listening = self.given
        self._meter_provider = meter_provider
        self._zeroed_for: object = None
        self._series: dict[tuple[Any, ...], Series] = {}
        self._models, self._response_models, self._addresses = LabelCap(), LabelCap(), LabelCap()
        self._label_sets = LabelCap()
        self._logged: set[str] = set()

    def listening(self) -> bool:
        """Whether anybody can hear: False, with one warning, while no SDK is set up."""
        if not self._listening:
            providers = trace.get_tracer_provider(), metrics.get_meter_provider()
            self._listening = not all(isinstance(provider, SILENT) for provider in providers)
            if not self._listening:
                self.warn_once(NO_SDK)
        return self._listening

    def series(self, target: Target, request_model: str | None, settings: Settings) -> Series:
        """The series of *target* and *request_model*, created at 0 when they are new."""
        self.create_at_zero()
        cap = settings.model_cap
        model = None if request_model is None else self._models.label(request_model, cap)
        address, port = self._server(target)
        common = (target.provider.name, model, address, port)
        priced = settings.pricing is not None
        key = (common, settings.labels, priced, cap)
        series = self._series.get(key)
        if series is None:
            labels = zip(names.COMMON_LABELS, (names.OPERATION, *common), strict=True)
            base = {name: value for name, value in labels if value is not None}
            base |= self._own_labels(settings.labels)
            series = Series(base, tuple(zeros(target.provider, priced=priced)), cap)
            self.record(series, series.zeros, None, None)
            self._series[key] = series
        return series

    def _own_labels(self, labels: Labels) -> dict[str, str]:
        known = not labels or self._label_sets.label(str(labels)) != names.OTHER
        return {name: value if known else names.OTHER for name, value in labels}

    def _server(self, target: Target) -> tuple[str | None, int | None]:
        if target.address is None:
            return None, None
        known = self._addresses.label(f"{target.address}:{target.port}") != names.OTHER
        return (target.address, target.port) if known else (names.OTHER, None)

    def create_at_zero(self) -> None:
        """Create every known series again when an SDK was set up after `instrument()`."""
        provider = self._meter_provider or metrics.get_meter_provider()
        if provider is not self._zeroed_for:
            self._zeroed_for = provider
            for series in tuple(self._series.values()):
                self.record(series, series.zeros, None, None)

    def create_at_zero_again(self) -> None:
        """Create every known series again: a forked child counts from 0."""
        self._zeroed_for = None
        self.create_at_zero()

    def record(
        self,
        series: Series,
        measurements: Iterable[Measurement],
        response_model: str | None,
        context: Context | None,
    ) -> None:
        """Record *measurements*, in *context* so that exemplars link to its span."""
        model = response_model and self._response_models.label(response_model, series.model_cap)
        known = series.made
        for metric, value, own in measurements:
            made = known.get((metric, own, model))
            if made is None:
                labels = series.labels(own, model if metric in _WITH_RESPONSE_MODEL else None)
                made = known[metric, own, model] = (self._record[metric], labels)
            made[0](value, made[1], context)

    def failed(self, step: str, error: Exception, series: Series | None = None) -> None:
        """Count a failure of Replymeter's own at *step*; the first of its kind is logged.

        The log has the place and the class of *error*, not its text, which may be content.
        """
        place = _place(error)
        self.count_failure(step, place, series)

    def count_failure(self, step: str, place: str, series: Series | None) -> None:
        """Count a failure at *step*, and log the first at *place*; never raises."""
        try:
            own = (names.ERROR_KIND, step)
            base = {names.OPERATION_NAME: names.OPERATION, names.ERROR_KIND: step}
            labels = base if series is None else series.labels((own,), None)
            self._record[names.INTERNAL_ERRORS](1, labels, None)
            self.warn_once(INTERNAL_ERROR.format(step=step, place=place))
        except Exception:  # noqa: BLE001, S110  # nothing of ours may reach the caller
            pass

    def warn_once(self, message: str, *, silently: bool = False) -> None:
        """Log *message* the first time; *silently*: it was said, or need not be."""
        if message not in self._logged and len(self._logged) < names.LABEL_CAP:
            self._logged.add(message)
            if not silently:
                LOG.warning(message)


@lru_cache(maxsize=16)
def telemetry_of(
    tracer_provider: TracerProvider | None,
    meter_provider: MeterProvider | None,
    logger_provider: LoggerProvider | None,
) -> Telemetry:
    """The telemetry of these providers, made once: the caps on labels are the process'."""
    return Telemetry(tracer_provider, meter_provider, logger_provider)


def nobody_listens() -> None:
    """It was decided that nothing is sent: no warning is due."""
    telemetry_of(None, None, None).warn_once(NO_SDK, silently=True)


def zero_after_set_up() -> None:
    """Create at 0 what `instrument()` found before there was an SDK."""
    telemetry_of(None, None, None).create_at_zero()


def zero_after_fork() -> None:
    """Create at 0 what the parent had created before it forked."""
    telemetry_of(None, None, None).create_at_zero_again()


def zeros(provider: Provider, *, priced: bool) -> Iterator[Measurement]:
    """What is created at 0: a series born at 1 has no `increase()`, so its first event is lost."""
    for reason in names.REASONS:
        yield names.FINISH_REASON_COUNT, 0, ((names.FINISH_REASON, reason),)
    for reason in (*names.REASONS, names.MIXED):
        yield names.OUTPUT_TOKENS_BY_REASON, 0, ((names.FINISH_REASON, reason),)
    for outcome in names.OUTCOMES:
        if outcome != "error":
            yield names.USAGE_MISSING, 0, ((names.OUTCOME, outcome),)
    for reason in names.COST_REASONS if priced else ():
        yield names.COST_MISSING, 0, ((names.COST_REASON, reason),)
    for stage, category in provider.possible_blocks():
        yield names.SAFETY_BLOCKS, 0, ((names.BLOCK_STAGE, stage), (names.BLOCK_CATEGORY, category))
    for step in names.INTERNAL_STEPS:
        yield names.INTERNAL_ERRORS, 0, ((names.ERROR_KIND, step),)


def _recorder(meter: Meter, metric: Metric) -> Record:
    if metric.kind == "counter":
        return meter.create_counter(metric.name, metric.unit, metric.meaning).add
    return meter.create_histogram(
        metric.name,
        metric.unit,
        metric.meaning,
        explicit_bucket_boundaries_advisory=metric.buckets,
    ).record


def _place(error: Exception) -> str:
    trace_ = error.__traceback__
    while trace_ is not None and trace_.tb_next is not None:
        trace_ = trace_.tb_next
    where = f"{trace_.tb_frame.f_code.co_name}:{trace_.tb_lineno}" if trace_ else "unknown place"
    return f"{type(error).__name__} in {where}"
