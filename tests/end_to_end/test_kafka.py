"""agent-kafka.yaml and gateway-kafka.yaml, running, with the real broker between them."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from replymeter import conventions as names
from tests.end_to_end import certificates
from tests.end_to_end.conftest import Pipeline, finish
from tests.end_to_end.parts import Collector, collector, eventually, free_ports, part, process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.parts import Prometheus

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(240)]

USER, PASSWORD = "replymeter", "a-password-of-this-test"
CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"
SERVER = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=APPS://127.0.0.1:{apps},INSIDE://127.0.0.1:{inside},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=APPS://127.0.0.1:{apps},INSIDE://127.0.0.1:{inside}
listener.security.protocol.map=APPS:SASL_SSL,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=INSIDE
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.apps.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={folder}/broker.pem
log.dirs={folder}/data
num.partitions=4
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
"""
CALLS = (
    ("openai/ok/invoke", "openai/length/invoke", "openai/ok/stream", "anthropic/ok/stream"),
    ("openai/ok/invoke", "mistralai/ok/invoke", "openai/error_429/invoke"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this module's parts write, with certificates in `tls`."""
    folder = tmp_path_factory.mktemp("kafka")
    certificates.write(folder / "tls")
    return folder


@pytest.fixture(scope="module")
def broker(folder: Path) -> Iterator[str]:
    """One node of Kafka with TLS and SCRAM; its address for apps."""
    java = ["java", "-Xmx384m", "-cp", f"{part('kafka')}/*"]
    part("collector")
    apps, inside, controller = free_ports(3)
    pem = (folder / "tls" / "key.pem").read_text() + (folder / "tls" / "cert.pem").read_text()
    (folder / "broker.pem").write_text(pem)
    config, log = folder / "server.properties", folder / "broker.log"
    config.write_text(SERVER.format(apps=apps, inside=inside, controller=controller, folder=folder))
    credentials = f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"
    tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(config)]
    subprocess.run(
        [*java, *tool, "--add-scram", credentials], check=True, timeout=60, capture_output=True
    )

    def ready() -> bool:
        return "Kafka Server started" in log.read_text()

    with process([*java, "kafka.Kafka", str(config)], log, ready):
        yield f"127.0.0.1:{apps}"


@pytest.fixture(scope="module")
def secrets(broker: str, folder: Path) -> dict[str, str]:
    """What agent and gateway need to know alike."""
    return {
        "REPLYMETER_KAFKA_BROKERS": f"[{broker}]",
        "REPLYMETER_KAFKA_USER": USER,
        "REPLYMETER_KAFKA_PASSWORD": PASSWORD,
        "REPLYMETER_TLS_DIR": str(folder / "tls"),
    }


@pytest.fixture(scope="module")
def gateway(secrets: dict[str, str], folder: Path, database: Prometheus) -> Iterator[Collector]:
    """The gateway, which keeps every trace; a file in the place of the trace store."""
    environment = {
        **secrets,
        "REPLYMETER_PROMETHEUS_URL": database.url,
        "REPLYMETER_PROMETHEUS_TOKEN": "a-token",
        "REPLYMETER_TRACE_STORE": "127.0.0.1:1",
        "REPLYMETER_SAMPLING_PERCENTAGE": "100",
        "REPLYMETER_DECISION_WAIT": "1s",
        "REPLYMETER_SPAN_METRICS_INTERVAL": "1s",
    }
    mine = folder / "gateway"
    file = f"exporters: {{file: {{path: '{mine}/spans.jsonl', flush_interval: 100ms}}}}"
    to_it = "service: {pipelines: {traces/sample: {exporters: [file]}}}"
    with collector("gateway-kafka.yaml", mine, environment, file, to_it) as running:
        yield running


@pytest.fixture(scope="module")
def agent(
    secrets: dict[str, str], gateway: Collector, folder: Path, database: Prometheus
) -> Iterator[Pipeline]:
    """The agent."""
    with collector("agent-kafka.yaml", folder / "agent", secrets) as running:
        yield Pipeline(running, database)


@pytest.fixture(scope="module")
def made(agent: Pipeline, gateway: Collector, folder: Path) -> dict[str, Any]:
    """The spans that two workers made, by id, when they have come through."""
    files = [folder / f"made-{number}.json" for number in range(len(CALLS))]
    apps = [
        agent.start_app("calls_app", "kafka", *calls, "--spans", str(file))
        for file, calls in zip(files, CALLS, strict=True)
    ]
    for app in apps:
        finish(app)
    spans: dict[str, Any] = {}
    for file in files:
        spans |= json.loads(file.read_text())
    eventually(lambda: set(spans) <= set(gateway.span_ids()), 60)
    return spans


def test_every_span_comes_through_once(gateway: Collector, made: dict[str, Any]) -> None:
    """Missing 0, duplicates 0."""
    assert gateway.span_ids() == dict.fromkeys(made, 1)


def test_every_count_comes_through(agent: Pipeline, made: dict[str, Any]) -> None:
    """Each worker is a series of its own, and the sums are exact."""
    series = f'{names.DURATION.prometheus}_count{{job="kafka"}}'
    eventually(lambda: agent.prometheus.total(series) == len(made))
    by_instance = agent.prometheus.series(f"sum by (instance) ({series})")

    assert sorted(by_instance.values()) == sorted(map(len, CALLS))


def test_the_gateway_counts_the_spans(agent: Pipeline, made: dict[str, Any]) -> None:
    """span_metrics says the same."""
    series = 'traces_span_metrics_calls_total{service_name="kafka"}'
    eventually(lambda: agent.prometheus.total(series) == len(made))

    assert agent.prometheus.total(series) == len(made)
