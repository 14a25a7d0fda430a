"""OTLP set-up for people who have none: `start()`. The SDK is imported when it is called."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import metrics, trace

from replymeter import otlp
from replymeter.leaving import SECONDS, Leaving, Patience, warn_of_uwsgi
from replymeter.log import LOG
from replymeter.telemetry import SILENT, nobody_listens, zero_after_set_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

EXPORT_INTERVAL_MILLIS = 15_000
"""How often metrics are sent, unless `OTEL_METRIC_EXPORT_INTERVAL` says otherwise."""

TRY_SECONDS = 60
"""How long an answer is waited for, and counts are tried; `OTEL_EXPORTER_OTLP_TIMEOUT` wins."""

QUEUE = 65_536
"""How many spans wait meanwhile; `OTEL_BSP_MAX_QUEUE_SIZE` wins."""

# Names of what makes a session that signs in: then theirs is used, which does not wait.
_OWN_SESSION = tuple(
    f"OTEL_PYTHON_EXPORTER_OTLP_HTTP_{signal}CREDENTIAL_PROVIDER"
    for signal in ("", "TRACES_", "METRICS_")
)

_KEPT = "replymeter.start: the provider that is set up already (%s) is kept; %s go there."


@dataclass(frozen=True)
class Started:
    """What `start` set up; None where a provider was there before, or is switched off."""

    tracer_provider: TracerProvider | None
    meter_provider: MeterProvider | None
    _leaving: Leaving | None = field(default=None, repr=False, compare=False)

    def flush(self, timeout_seconds: float = SECONDS) -> bool:
        """Send what is waiting; False when not all of it could be sent in the time given."""
        return self._leaving is None or self._leaving.flush(timeout_seconds)

    def shutdown(self, timeout_seconds: float = SECONDS) -> None:
        """Send what is waiting and stop, in the time given.

        Also done when the interpreter exits, on SIGTERM and in `multiprocessing`'s children.
        """
        if self._leaving is not None:
            self._leaving.leave(timeout_seconds)


def start() -> Started:
    """Send traces and metrics by OTLP, as the standard `OTEL_*` variables say.

    Without any it is http/protobuf to a collector on this machine (http://localhost:4318),
    metrics every 15 seconds. `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_PROTOCOL`,
    `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_METRIC_EXPORT_INTERVAL`,
    `OTEL_TRACES_EXPORTER` and `OTEL_METRICS_EXPORTER` (`otlp`, `none`), `OTEL_SDK_DISABLED` and
    their kin are heeded. A provider that is set up already is kept, with a log line.

    A collector that is away costs nothing: 65,536 spans wait for it. What waits is sent, in 5
    seconds at most, when the process ends: at exit, on SIGTERM (an earlier handler is called,
    too), in the children of `multiprocessing` and of Celery. A forked child counts from 0 under an
    instance id of its own (with an SDK of 1.43 or newer).

    Returns:
        What was set up, to flush it or shut it down.

    Raises:
        ValueError: A variable has a value that is not known; names it and what is.
    """
    if otlp.disabled():
        LOG.info("replymeter.start: OTEL_SDK_DISABLED=true, nothing is set up.")
        nobody_listens()
        return Started(None, None)
    wanted = {signal: otlp.protocol(signal) for signal in otlp.SIGNALS}
    if not any(wanted.values()):
        nobody_listens()
    return _set_up(
        _way(otlp.TRACES, wanted[otlp.TRACES], trace.get_tracer_provider()),
        _way(otlp.METRICS, wanted[otlp.METRICS], metrics.get_meter_provider()),
    )


class _Way(NamedTuple):
    """How a signal goes out: what makes its exporter, and how long a collector is waited for."""

    make: Callable[[], Any]
    patience: Patience


def _set_up(traces: _Way | None, counts: _Way | None) -> Started:
    """Set up traces and metrics; None is left as it is."""
    if traces is None and counts is None:
        return Started(None, None)
    from replymeter import sending

    warn_of_uwsgi()
    resource = otlp.resource()
    tracer_provider, meters, signals = None, None, []
    if traces is not None:
        tracer_provider, signal = sending.tracer_provider(*traces, resource, _queue())
        trace.set_tracer_provider(tracer_provider)
        signals.append(signal)
    if counts is not None:
        meters = sending.Meters(*counts, resource, _interval())
        metrics.set_meter_provider(meters.provider)
        signals.append(meters.signal)
        zero_after_set_up()
    leaving = Leaving(signals)
    leaving.watch()
    sending.Fork(tracer_provider, meters, leaving)
    return Started(tracer_provider, meters.provider if meters else None, leaving)


def _way(signal: str, protocol: str | None, there: object) -> _Way | None:
    """None where none is wanted, or a provider is *there* already."""
    if protocol is None:
        return None
    if not isinstance(there, SILENT):
        LOG.info(_KEPT, f"{type(there).__module__}.{type(there).__qualname__}", signal.lower())
        return None
    given = otlp.setting(signal, "TIMEOUT")  # the exporter reads it itself
    options = {} if given else {"timeout": TRY_SECONDS}
    # Spans wait as long as the queue has room; counts are all in the next export again.
    waits = None if signal == otlp.TRACES else float(TRY_SECONDS)
    patience = Patience(0.0 if given else waits)

    def make() -> Any:
        if protocol == otlp.HTTP and not any(map(os.environ.get, _OWN_SESSION)):
            from replymeter.session import Session

            return otlp.exporter(signal, protocol, session=Session(patience), **options)
        return otlp.exporter(signal, protocol, **options)

    return _Way(make, patience)


def _interval() -> float | None:
    given = os.environ.get("OTEL_METRIC_EXPORT_INTERVAL")  # the reader reads it itself
    return None if given else EXPORT_INTERVAL_MILLIS


def _queue() -> int | None:
    return None if os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE") else QUEUE  # the SDK reads it itself
