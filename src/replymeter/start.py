"""OTLP set-up for people who have none: `start()`. The SDK is imported when it is called."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from opentelemetry import metrics, trace

from replymeter.telemetry import LOG, SILENT, zero_after_set_up

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

EXPORT_INTERVAL_MILLIS = 15_000
"""How often metrics are sent, unless `OTEL_METRIC_EXPORT_INTERVAL` says otherwise."""

_KEPT = "replymeter.start: the %s provider that is set up already (%s) is kept; %s go there."
_HTTP, _GRPC = "http/protobuf", "grpc"


@dataclass(frozen=True)
class Started:
    """What `start` set up; None where a provider was there before, or is switched off."""

    tracer_provider: TracerProvider | None
    meter_provider: MeterProvider | None

    def flush(self, timeout_seconds: float = 5.0) -> bool:
        """Send what is waiting; False when not all of it could be sent in the time given."""
        millis = int(timeout_seconds * 1000)
        providers = (self.tracer_provider, self.meter_provider)
        flushed = [provider.force_flush(millis) for provider in providers if provider]
        return all(flushed)

    def shutdown(self) -> None:
        """Send what is waiting and stop; also done when the interpreter exits."""
        for provider in (self.tracer_provider, self.meter_provider):
            if provider:
                provider.shutdown()


def start() -> Started:
    """Send traces and metrics by OTLP, as the standard `OTEL_*` variables say.

    Without any it is http/protobuf to a collector on this machine (http://localhost:4318),
    metrics every 15 seconds. `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_PROTOCOL`,
    `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_METRIC_EXPORT_INTERVAL`,
    `OTEL_TRACES_EXPORTER` and `OTEL_METRICS_EXPORTER` (`otlp`, `none`), `OTEL_SDK_DISABLED` and
    their kin are heeded. A provider that is set up already is kept, with a log line.

    Returns:
        What was set up, to flush it or shut it down.

    Raises:
        ValueError: A variable has a value that is not known; names it and what is.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        LOG.info("replymeter.start: OTEL_SDK_DISABLED=true, nothing is set up.")
        return Started(None, None)
    kinds = {signal: _exporter_kind(signal) for signal in ("TRACES", "METRICS")}
    protocols = {signal: _protocol(signal) for signal in kinds}
    tracer_provider = meter_provider = None
    if kinds["TRACES"] == "otlp" and _free("tracer", trace.get_tracer_provider(), "spans"):
        tracer_provider = _tracer_provider(protocols["TRACES"])
        trace.set_tracer_provider(tracer_provider)
    if kinds["METRICS"] == "otlp" and _free("meter", metrics.get_meter_provider(), "metrics"):
        meter_provider = _meter_provider(protocols["METRICS"])
        metrics.set_meter_provider(meter_provider)
        zero_after_set_up()
    return Started(tracer_provider, meter_provider)


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


def _tracer_provider(protocol: str) -> TracerProvider:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter: Any
    if protocol == _GRPC:
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc

        exporter = grpc.OTLPSpanExporter()
    else:
        from opentelemetry.exporter.otlp.proto.http import trace_exporter as http

        exporter = http.OTLPSpanExporter()
    provider = TracerProvider(resource=_resource())
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _meter_provider(protocol: str) -> MeterProvider:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    exporter: Any
    if protocol == _GRPC:
        from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc

        exporter = grpc.OTLPMetricExporter()
    else:
        from opentelemetry.exporter.otlp.proto.http import metric_exporter as http

        exporter = http.OTLPMetricExporter()
    given = os.environ.get("OTEL_METRIC_EXPORT_INTERVAL")  # the reader reads it itself
    interval = None if given else EXPORT_INTERVAL_MILLIS
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=interval)
    return MeterProvider([reader], resource=_resource())
