"""Sends one span and one metric through the exporters that the application would have.

The exporters tell only success and failure; what the server answered is watched from inside:
on the HTTP session, and on the gRPC stub. The first answer ends it, so nothing is tried again.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from replymeter import conventions as names
from replymeter import otlp
from replymeter.log import SCOPE

if TYPE_CHECKING:
    from collections.abc import Iterator

SPAN = "replymeter check"
SECONDS = 10.0  # at most, whatever the variables say

RESPONSES: dict[str, Any] = {
    otlp.TRACES: ExportTraceServiceResponse,
    otlp.METRICS: ExportMetricsServiceResponse,
}


@dataclass(frozen=True)
class Target:
    """Where an exporter sends to, and with which certificates."""

    signal: str
    protocol: str
    url: str
    host: str
    port: int
    secure: bool
    ca: str | None
    client_certificate: str | None
    client_key: str | None


@dataclass(frozen=True)
class Answer:
    """What came back: an HTTP status or a gRPC code, or the *error* that kept it from coming."""

    status: int | str | None = None
    reason: str = ""
    body: bytes = b""
    content_type: str = ""
    location: str = ""
    message: Any = None
    error: Exception | None = None


class _Seen(Exception):  # noqa: N818  # no error: it ends the exporter's tries
    """The answer was seen."""


class Sender:
    """One exporter, and what its server answers."""

    def __init__(self, signal: str, protocol: str) -> None:
        self.signal, self.protocol = signal, protocol
        given = otlp.setting(signal, "TIMEOUT")
        self.seconds = SECONDS
        with suppress(ValueError):
            self.seconds = min(float(given[1]) if given else SECONDS, SECONDS)
        options: dict[str, Any] = {"timeout": self.seconds}
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its own lines on what failed
        if protocol == otlp.HTTP:
            options["session"] = _watched_session(self)
        self._exporter = otlp.exporter(signal, protocol, **options)
        if protocol == otlp.GRPC:
            self._exporter._client = _WatchedStub(self, self._exporter._client)  # noqa: SLF001
        self.answer = Answer()

    def target(self) -> Target:
        """Where it sends to. ValueError: the URL is none."""
        endpoint = str(self._exporter._endpoint)  # noqa: SLF001
        secure = endpoint.startswith("https:")
        if self.protocol == otlp.GRPC:
            secure = _grpc_is_secure(self.signal)
            endpoint = f"{'https' if secure else 'http'}://{endpoint}"
        parts = urlsplit(endpoint)
        certificates = (
            setting[1] if setting else None
            for name in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")
            for setting in [otlp.setting(self.signal, name)]
        )
        port = parts.port or (443 if secure else 80)
        return Target(
            *(self.signal, self.protocol, endpoint, parts.hostname or "", port, secure),
            *certificates,
        )

    def send(self) -> Answer:
        """Send it; what was answered."""
        data = _span() if self.signal == otlp.TRACES else _metric(self._exporter)
        with _quiet():
            try:
                self._exporter.export(data)
            except Exception as error:  # noqa: BLE001  # some exporters raise what they meet
                if self.answer == Answer():
                    self.answer = Answer(error=error)
            self._exporter.shutdown()
        return self.answer


def _grpc_is_secure(signal: str) -> bool:
    """Whether the exporter takes TLS: by the endpoint's scheme, then by the variable."""
    endpoint = otlp.setting(signal, "ENDPOINT")
    scheme = urlsplit(endpoint[1]).scheme if endpoint else "http"
    insecure = otlp.setting(signal, "INSECURE")
    if insecure and scheme != "https":
        return insecure[1].lower() != "true"
    return scheme != "http"


def _watched_session(sender: Sender) -> Any:
    import requests
    from requests.adapters import HTTPAdapter

    class Watch(HTTPAdapter):
        def send(self, *args: Any, **kwargs: Any) -> requests.Response:
            try:
                response = super().send(*args, **kwargs)
            except Exception as error:
                sender.answer = Answer(error=error)
                raise _Seen from error
            sender.answer = Answer(
                status=response.status_code,
                reason=response.reason or "",
                body=response.content,
                content_type=response.headers.get("content-type", ""),
                location=response.headers.get("location", ""),
            )
            if response.status_code != requests.codes.ok:
                raise _Seen
            return response

    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, Watch())
    return session


class _WatchedStub:
    def __init__(self, sender: Sender, stub: Any) -> None:
        self._sender, self._stub = sender, stub

    def Export(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802  # gRPC's name
        """Send and keep what comes."""
        import grpc  # type: ignore[import-untyped]

        try:
            message = self._stub.Export(*args, **kwargs)
        except grpc.RpcError as error:
            code, details = error.code(), error.details() or ""
            self._sender.answer = Answer(status=code.name, reason=details)
            raise _Seen from error
        self._sender.answer = Answer(status="OK", message=message)
        return message


def _span() -> Any:
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=otlp.resource(), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    provider.get_tracer(SCOPE).start_span(SPAN).end()
    return kept.get_finished_spans()


def _metric(exporter: Any) -> Any:
    """A count of 0 of a metric that every application sends: it changes no number."""
    reader = InMemoryMetricReader(exporter._preferred_temporality)  # noqa: SLF001
    provider = MeterProvider([reader], resource=otlp.resource(), shutdown_on_exit=False)
    counter = provider.get_meter(SCOPE).create_counter(names.INTERNAL_ERRORS.name)
    counter.add(0, {names.ERROR_KIND: names.INTERNAL_STEPS[0]})
    return reader.get_metrics_data()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' own log lines: the verdict says it better."""
    logger = logging.getLogger("opentelemetry")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
