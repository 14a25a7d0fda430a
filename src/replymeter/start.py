"""OTLP set-up for people who have none: `start()`. The SDK is imported when it is called."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from opentelemetry import metrics, trace

from replymeter.leaving import SECONDS, Leaving, warn_of_uwsgi
from replymeter.telemetry import LOG, SILENT, nobody_listens, zero_after_set_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

EXPORT_INTERVAL_MILLIS = 15_000
"""How often metrics are sent, unless `OTEL_METRIC_EXPORT_INTERVAL` says otherwise."""

TRY_SECONDS = 60
"""How long a collector that is away is tried; `OTEL_EXPORTER_OTLP_TIMEOUT` wins."""

QUEUE = 65_536
"""How many spans wait meanwhile; `OTEL_BSP_MAX_QUEUE_SIZE` wins."""

_KEPT = "replymeter.start: the %s provider that is set up already (%s) is kept; %s go there."
_HTTP, _GRPC = "http/protobuf", "grpc"


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

    A collector that is away for half a minute costs nothing. What waits is sent, in 5 seconds at
    most, when the process ends: at exit, on SIGTERM (an earlier handler is called, too), in the
    children of `multiprocessing`. A forked child counts from 0 under an instance id of its own
    (with an SDK of 1.43 or newer).

    Returns:
        What was set up, to flush it or shut it down.

    Raises:
        ValueError: A variable has a value that is not known; names it and what is.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        LOG.info("replymeter.start: OTEL_SDK_DISABLED=true, nothing is set up.")
        nobody_listens()
        return Started(None, None)
    kinds = {signal: _exporter_kind(signal) for signal in ("TRACES", "METRICS")}
    if set(kinds.values()) == {"none"}:
        nobody_listens()
    protocols = {signal: _protocol(signal) for signal in kinds}
    traces = kinds["TRACES"] == "otlp" and _free("tracer", trace.get_tracer_provider(), "spans")
    counts = kinds["METRICS"] == "otlp" and _free("meter", metrics.get_meter_provider(), "metrics")
    return _set_up(
        protocols["TRACES"] if traces else None, protocols["METRICS"] if counts else None
    )


def _set_up(traces: str | None, counts: str | None) -> Started:
    """Set up traces and metrics by the protocols given; None is left as it is."""
    if traces is None and counts is None:
        return Started(None, None)
    from replymeter import sending

    warn_of_uwsgi()
    resource = _resource()
    tracer_provider, meters, signals = None, None, []
    if traces is not None:
        tracer_provider, signal = sending.tracer_provider(_spans(traces), resource, _queue())
        trace.set_tracer_provider(tracer_provider)
        signals.append(signal)
    if counts is not None:
        meters = sending.Meters(_metrics(counts), resource, _interval())
        metrics.set_meter_provider(meters.provider)
        signals.append(meters.signal)
        zero_after_set_up()
    leaving = Leaving(signals)
    leaving.watch()
    sending.Fork(tracer_provider, meters, leaving)
    return Started(tracer_provider, meters.provider if meters else None, leaving)


def _free(name: str, provider: object, signals: str) -> bool:
    if isinstance(provider, SILENT):
        return True
    LOG.info(_KEPT, name, f"{type(provider).__module__}.{type(provider).__qualname__}", signals)
    return False


def _exporter_kind(signal: str) -> str:
    return _choice(f"OTEL_{signal}_EXPORTER", "otlp", ("otlp", "none"))


def _protocol(signal: str) -> str:
    general = _choice("OTEL_EXPORTER_OTLP_PROTOCOL", _HTTP, (_HTTP, _GRPC))
    return _choice(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", general, (_HTTP, _GRPC))


def _choice(variable: str, default: str, known: tuple[str, ...]) -> str:
    value = os.environ.get(variable, "").strip().lower() or default
    if value not in known:
        msg = f"replymeter.start: {variable}={value!r} is not one of {', '.join(known)}"
        raise ValueError(msg)
    return value


def _resource() -> Resource:
    from opentelemetry.sdk.resources import Resource

    # Without an instance id the series of several workers are one series that jumps.
    detected = Resource.create()
    instance = {"service.instance.id": str(uuid4())}
    return Resource(instance).merge(detected)


def _interval() -> float | None:
    given = os.environ.get("OTEL_METRIC_EXPORT_INTERVAL")  # the reader reads it itself
    return None if given else EXPORT_INTERVAL_MILLIS


def _queue() -> int | None:
    return None if os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE") else QUEUE  # the SDK reads it itself


def _timeout(signal: str) -> dict[str, Any]:
    variables = ("OTEL_EXPORTER_OTLP_TIMEOUT", f"OTEL_EXPORTER_OTLP_{signal}_TIMEOUT")
    given = any(os.environ.get(variable) for variable in variables)
    return {} if given else {"timeout": TRY_SECONDS}


def _spans(protocol: str) -> Callable[[], Any]:
    exporter: Any
    if protocol == _GRPC:
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc

        exporter = grpc.OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.proto.http import trace_exporter as http

        exporter = http.OTLPSpanExporter
    return partial(exporter, **_timeout("TRACES"))


def _metrics(protocol: str) -> Callable[[], Any]:
    exporter: Any
    if protocol == _GRPC:
        from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc

        exporter = grpc.OTLPMetricExporter
    else:
        from opentelemetry.exporter.otlp.proto.http import metric_exporter as http

        exporter = http.OTLPMetricExporter
    return partial(exporter, **_timeout("METRICS"))
