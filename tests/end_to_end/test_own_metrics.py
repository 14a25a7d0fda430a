"""The collector's own metrics have the names that the alerts ask for, and losses raise them."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from replymeter import otlp
from replymeter.check.sending import Sender
from tests import otlp_servers
from tests.end_to_end import certificates
from tests.end_to_end.chain import TOKEN, run_gateway
from tests.end_to_end.parts import CONFIG, collector, eventually, free_ports, prometheus

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.parts import Collector, Prometheus

pytestmark = pytest.mark.end_to_end

RULES = CONFIG / "prometheus" / "collector.rules.yaml"
_BOTH = "service: {{pipelines: {{metrics: {{exporters: [{0}]}}, traces: {{exporters: [{0}]}}}}}}"
NO_MEMORY = "processors: {memory_limiter: {limit_mib: 1, spike_limit_mib: 0}}"
FAILING = (
    "exporters: {otlp_http/failing: {endpoint: 'http://127.0.0.1:1', "
    "retry_on_failure: {enabled: false}}}"
)
FULL = (
    "exporters: {{otlp_http/full: {{endpoint: 'http://127.0.0.1:{}', "
    "sending_queue: {{queue_size: 1, num_consumers: 1}}}}}}"
)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of OpenTelemetry, no proxy."""
    for name in os.environ:
        if name.startswith("OTEL_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def send(monkeypatch: pytest.MonkeyPatch, endpoint: str, protocol: str = otlp.HTTP) -> None:
    """A few spans and metrics, each a request of its own, taken or not."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
    for _ in range(4):
        for signal in otlp.SIGNALS:
            Sender(signal, protocol).send()


def start(stack: ExitStack, folder: Path) -> list[Collector]:
    """One collector that loses, one whose queue is full, one without memory."""
    mute = stack.enter_context(otlp_servers.mute(closes=False))
    overrides = [
        (FAILING, _BOTH.format("otlp_http/failing")),
        (FULL.format(mute), _BOTH.format("otlp_http/full")),
        (NO_MEMORY,),
    ]
    return [
        stack.enter_context(collector("laptop.yaml", folder / str(number), {}, *changes))
        for number, changes in enumerate(overrides)
    ]


def gateway(
    stack: ExitStack, folder: Path, database: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> Collector:
    """The gateway, when it judged some traces."""
    tls = folder / "tls"
    certificates.write(tls)
    (port,) = free_ports(1)
    running = stack.enter_context(run_gateway(folder / "gateway", tls, database, port))
    with monkeypatch.context() as patch:
        for variable, file in (
            ("CERTIFICATE", "ca"), ("CLIENT_CERTIFICATE", "cert"), ("CLIENT_KEY", "key")
        ):  # fmt: skip
            patch.setenv(f"OTEL_EXPORTER_OTLP_{variable}", str(tls / f"{file}.pem"))
        patch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer%20{TOKEN}")
        send(patch, f"https://127.0.0.1:{port}", otlp.GRPC)
    return running


def test_the_alerts_ask_for_what_the_collector_has(
    tmp_path: Path, database: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every metric that a rule names is in a Prometheus that scrapes them; losses fire at once."""
    wanted = set(re.findall(r"otelcol_\w+", RULES.read_text()))
    with ExitStack() as stack:
        failing = start(stack, tmp_path)
        collectors = [*failing, gateway(stack, tmp_path, database, monkeypatch)]
        targets = ", ".join(f'"127.0.0.1:{one.own}"' for one in collectors)
        watching = stack.enter_context(
            prometheus(
                tmp_path / "prometheus",
                targets=f"[{targets}]",
                rule_files=f"['{RULES}']",
                scrape_interval="1s",
                evaluation_interval="1s",
            )
        )
        firing = 'ALERTS{alertstate="firing"}'

        def seen() -> bool:
            for one in failing:  # again: a collector looks at its memory once a second
                send(monkeypatch, one.url)
            return wanted <= set(watching.ask("label/__name__/values"))

        eventually(seen)
        eventually(lambda: len(watching.series(f"count by (alertname) ({firing})")) == 2)

        assert wanted - set(watching.ask("label/__name__/values")) == set()
        assert set(watching.series(f"count by (alertname, exporter) ({firing})")) == {
            (("alertname", "CollectorEnqueueFailed"), ("exporter", "otlp_http/full")),
            (("alertname", "CollectorSendFailed"), ("exporter", "otlp_http/failing")),
        }
