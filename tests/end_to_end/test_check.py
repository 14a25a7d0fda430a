"""`replymeter check` against the real collector."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from replymeter import otlp
from replymeter.check import verdicts
from replymeter.check.run import _sent
from tests.end_to_end import certificates
from tests.end_to_end.chain import TOKEN, run_gateway
from tests.end_to_end.parts import eventually, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replymeter.check.verdicts import Verdict
    from tests.end_to_end.conftest import Pipeline
    from tests.end_to_end.parts import Prometheus

pytestmark = pytest.mark.end_to_end

Set = pytest.MonkeyPatch
GRPC = "grpc"
HTTP = "http/protobuf"


@pytest.fixture(autouse=True)
def bare(monkeypatch: Set) -> None:
    """No variable of OpenTelemetry, no proxy."""
    for name in os.environ:
        if name.startswith("OTEL_") or name.lower().endswith(("_proxy", "_ca_bundle")):
            monkeypatch.delenv(name)


def verdict(monkeypatch: Set, signal: str, protocol: str, endpoint: str) -> Verdict:
    """What is found in the end."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    *_, last = _sent(signal)
    return last.verdict


@pytest.mark.parametrize("protocol", [HTTP, GRPC])
def test_it_arrives(protocol: str, pipeline: Pipeline, monkeypatch: Set) -> None:
    """The span is in the file, the metric in Prometheus."""
    service = f"check-{protocol[:4]}"
    monkeypatch.setenv("OTEL_SERVICE_NAME", service)
    port = pipeline.collector.http if protocol == HTTP else pipeline.collector.grpc
    for signal in otlp.SIGNALS:
        assert verdict(monkeypatch, signal, protocol, f"http://127.0.0.1:{port}") is verdicts.SENT

    def spans() -> list[Any]:
        return [
            span
            for span in pipeline.collector.spans()
            if {"key": "service.name", "value": {"stringValue": service}} in span["resource"]
        ]

    series = f'replymeter_internal_errors_total{{job="{service}"}}'
    eventually(lambda: spans() and pipeline.prometheus.series(series))
    assert [span["name"] for span in spans()] == ["replymeter check"]
    assert set(pipeline.prometheus.series(series).values()) == {0.0}


def test_the_collectors_wrong_ports_and_paths(pipeline: Pipeline, monkeypatch: Set) -> None:
    """What the real one does with the other protocol, and with a path of nobody's."""
    http, grpc = (
        f"http://127.0.0.1:{port}" for port in (pipeline.collector.http, pipeline.collector.grpc)
    )
    found = [
        verdict(monkeypatch, otlp.METRICS, HTTP, grpc),
        verdict(monkeypatch, otlp.METRICS, GRPC, http),
        verdict(monkeypatch, otlp.METRICS, HTTP, f"{http}/v1/metrics"),
        verdict(monkeypatch, otlp.METRICS, HTTP, f"{http}/api"),
        verdict(monkeypatch, otlp.METRICS, HTTP, http.replace("http:", "https:")),
        verdict(monkeypatch, otlp.METRICS, GRPC, grpc.replace("http:", "https:")),
    ]

    assert found == [
        verdicts.HTTP_TO_GRPC,
        verdicts.GRPC_TO_HTTP,
        verdicts.DOUBLED_PATH,
        verdicts.WRONG_PATH,
        verdicts.TLS_TO_PLAIN,
        verdicts.TLS_TO_PLAIN,
    ]


def test_delta_into_prometheus_itself(database: Prometheus, monkeypatch: Set) -> None:
    """Prometheus takes OTLP metrics by its own path; delta is warned of before."""
    variable = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"{database.url}/api/v1/otlp")
    assert [one.verdict for one in _sent(otlp.METRICS)] == [verdicts.SENT]
    monkeypatch.setenv(variable, "delta")
    first, *_ = _sent(otlp.METRICS)

    assert first.verdict is verdicts.DELTA


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, database: Prometheus
) -> Iterator[tuple[str, Path]]:
    """The gateway, with mTLS and a token: its address, and the certificates."""
    folder = tmp_path_factory.mktemp("check")
    certificates.write(folder / "tls")
    (port,) = free_ports(1)
    with run_gateway(folder / "gateway", folder / "tls", database, port):
        yield f"https://127.0.0.1:{port}", folder / "tls"


def test_the_gateways_certificates_and_token(gateway: tuple[str, Path], monkeypatch: Set) -> None:
    """One after the other is asked for, and with all of them it takes the span."""
    url, tls = gateway
    found = [verdict(monkeypatch, otlp.TRACES, GRPC, url.replace("https:", "http:"))]
    found.append(verdict(monkeypatch, otlp.TRACES, GRPC, url))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tls / "ca.pem"))
    found.append(verdict(monkeypatch, otlp.TRACES, GRPC, url))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", str(tls / "cert.pem"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", str(tls / "key.pem"))
    found.append(verdict(monkeypatch, otlp.TRACES, GRPC, url))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer%20{TOKEN}")
    found.append(verdict(monkeypatch, otlp.TRACES, GRPC, url))

    assert found == [
        verdicts.PLAIN_TO_TLS,
        verdicts.UNKNOWN_CA,
        verdicts.CLIENT_CERTIFICATE,
        verdicts.AUTH_REFUSED,
        verdicts.SENT,
    ]
