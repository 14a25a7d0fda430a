"""The demo's OpenTelemetry SDK: counters in memory, and the same by OTLP where it was asked for."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

_CONNECT = 3.0  # seconds
_EXPORT = 3  # seconds
_PORTS = {"http": 80, "https": 443}


class Unreachable(Exception):  # noqa: N818  # it is no error of the program's
    """The address given cannot be used; the text says why, and what to do."""


class Sending:
    """A tracer and a meter provider; *endpoint* is a collector's base URL, or None.

    Raises:
        Unreachable: *endpoint* is no such URL, or nothing listens there.
    """

    def __init__(self, reader: InMemoryMetricReader, endpoint: str | None) -> None:
        self._endpoint = endpoint
        self._failed: set[str] = set()
        readers: list[Any] = [reader]
        resource = Resource.create({SERVICE_NAME: "replymeter-demo"})
        self.tracer_provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        if endpoint is not None:
            _probe(endpoint)
            base = endpoint.rstrip("/")
            spans = _watched(_span_exporter(f"{base}/v1/traces"), "spans", self._failed)
            self.tracer_provider.add_span_processor(BatchSpanProcessor(spans))
            metrics = _watched(_metric_exporter(f"{base}/v1/metrics"), "metrics", self._failed)
            readers.append(PeriodicExportingMetricReader(metrics, export_interval_millis=2000))
        self.meter_provider = MeterProvider(readers, resource, shutdown_on_exit=False)

    def finish(self) -> str | None:
        """Send the rest and stop; a sentence when not everything arrived, else None."""
        self.tracer_provider.shutdown()
        self.meter_provider.shutdown(timeout_millis=1000 * _EXPORT)
        if not self._failed:
            return None
        what = " and ".join(sorted(self._failed))
        return (
            f"{self._endpoint} did not take all {what}. Is it an OTLP/HTTP receiver "
            "(4318 is the usual port; 4317 speaks gRPC)?"
        )


def _probe(endpoint: str) -> None:
    parts = urlsplit(endpoint)
    try:
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        port = 0
    if not parts.hostname or parts.scheme not in _PORTS or not port:
        raise Unreachable(f"--otlp {endpoint} is no URL like http://localhost:4318")
    try:
        socket.create_connection((parts.hostname, port), _CONNECT).close()
    except OSError as error:
        raise Unreachable(
            f"nothing listens at {endpoint} ({error}). Start a collector with an OTLP/HTTP "
            "receiver there, or leave --otlp out."
        ) from error


def _span_exporter(url: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=url, timeout=_EXPORT)


def _metric_exporter(url: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return OTLPMetricExporter(endpoint=url, timeout=_EXPORT)


def _watched(exporter: Any, what: str, failed: set[str]) -> Any:
    """*exporter*, which from now on adds *what* to *failed* when something is not taken."""
    export = exporter.export

    def watched(*args: Any, **kwargs: Any) -> Any:
        result = export(*args, **kwargs)
        if result not in (SpanExportResult.SUCCESS, MetricExportResult.SUCCESS):
            failed.add(what)
        return result

    exporter.export = watched
    return exporter
