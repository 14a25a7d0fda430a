"""Which OTLP exporters the standard `OTEL_*` variables ask for, for `start` and `replymeter check`.

The SDK and the exporters are imported when one is made.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

TRACES, METRICS = SIGNALS = ("TRACES", "METRICS")
"""As they stand in the names of the variables."""

HTTP, GRPC = PROTOCOLS = ("http/protobuf", "grpc")

_EXPORTERS = {
    (TRACES, HTTP): ("http.trace_exporter", "OTLPSpanExporter"),
    (TRACES, GRPC): ("grpc.trace_exporter", "OTLPSpanExporter"),
    (METRICS, HTTP): ("http.metric_exporter", "OTLPMetricExporter"),
    (METRICS, GRPC): ("grpc.metric_exporter", "OTLPMetricExporter"),
}


def disabled() -> bool:
    """Whether `OTEL_SDK_DISABLED` switches everything off."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def protocol(signal: str) -> str | None:
    """One of `PROTOCOLS`; None when `OTEL_<signal>_EXPORTER` is `none`.

    Raises:
        ValueError: A variable has a value that is not known; names it and what is.
    """
    general = _choice("OTEL_EXPORTER_OTLP_PROTOCOL", HTTP, PROTOCOLS)
    own = _choice(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", general, PROTOCOLS)
    kind = _choice(f"OTEL_{signal}_EXPORTER", "otlp", ("otlp", "none"))
    return None if kind == "none" else own


def setting(signal: str, name: str) -> tuple[str, str] | None:
    """The variable that sets *name* for *signal*, and its value: `TIMEOUT`, `ENDPOINT` ..."""
    for variable in (f"OTEL_EXPORTER_OTLP_{signal}_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
        if os.environ.get(variable):
            return variable, os.environ[variable]
    return None


def exporter(signal: str, protocol: str, **options: Any) -> Any:
    """A new exporter for *signal*, set up by the variables; *options* are its own arguments."""
    module, name = _EXPORTERS[signal, protocol]
    return getattr(import_module(f"opentelemetry.exporter.otlp.proto.{module}"), name)(**options)


def resource() -> Resource:
    """Who sends: what the SDK detects, with an instance id."""
    from opentelemetry.sdk.resources import Resource

    # Without an instance id the series of several workers are one series that jumps.
    detected = Resource.create()
    instance = {"service.instance.id": str(uuid4())}
    return Resource(instance).merge(detected)


def _choice(variable: str, default: str, known: tuple[str, ...]) -> str:
    value = os.environ.get(variable, "").strip().lower() or default
    if value not in known:
        msg = f"replymeter: {variable}={value!r} is not one of {', '.join(known)}"
        raise ValueError(msg)
    return value
