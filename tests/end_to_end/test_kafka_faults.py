"""Agents, Kafka, two gateways in one consumer group: killed -9 in the middle of the calls."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end.chain import Killable
from tests.end_to_end.kafka import Broker, run_kafka_gateway
from tests.end_to_end.load import Load
from tests.end_to_end.parts import Collector, collector, eventually, free_ports, part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.parts import Prometheus

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(300)]

CALLS, RATE = 1200, 60
SERVICE = "kafka-faults"
# Tail sampling keeps traces in memory until they are judged, and a kill loses those. Here every
# span goes on as it comes; test_gateways.py counts what sampling loses.
UNSAMPLED = "service: {pipelines: {traces/sample: {processors: [memory_limiter]}}}"


@dataclass(frozen=True)
class Place:
    """The parts, and the trace store, which is a collector that nobody kills."""

    broker: Broker
    agents: list[Killable]
    gateways: list[Killable]
    store: Collector


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, database: Prometheus) -> Iterator[Place]:
    """All of it, running."""
    folder = tmp_path_factory.mktemp("kafka-faults")
    part("collector")
    broker = Broker(folder)
    with ExitStack() as running:
        running.enter_context(closing(broker))
        broker.start()
        store = running.enter_context(trace_store(folder / "store", broker.tls, database))
        there = {"REPLYMETER_TRACE_STORE": f"127.0.0.1:{store.grpc}"}

        def start(run: Any, *arguments: Any, **variables: str) -> Killable:
            part = Killable(partial(run, *arguments, **variables))
            running.callback(part.close)
            return part

        behind = broker.secrets, database.url, UNSAMPLED
        gateways = [
            start(run_kafka_gateway, folder / f"gateway-{number}", *behind, **there)
            for number in range(2)
        ]
        agents = [
            start(
                collector, "agent-kafka.yaml", folder / f"agent-{port}",
                {**broker.secrets, "REPLYMETER_HTTP_PORT": str(port)},
            )
            for port in free_ports(2)
        ]  # fmt: skip
        yield Place(broker, agents, gateways, store)


def trace_store(mine: Path, tls: Path, database: Prometheus) -> Any:
    """laptop.yaml with TLS: what comes goes into its file."""
    files = {"cert_file": "cert", "key_file": "key", "client_ca_file": "ca"}
    settings = ", ".join(f"{key}: '{tls}/{name}.pem'" for key, name in files.items())
    secure = f"receivers: {{otlp: {{protocols: {{grpc: {{tls: {{{settings}}}}}}}}}}}"
    return collector("laptop.yaml", mine, {"REPLYMETER_PROMETHEUS_URL": database.url}, secure)


@pytest.fixture(scope="module")
def load(place: Place, database: Prometheus, tmp_path_factory: pytest.TempPathFactory) -> Load:
    """The calls, while an agent, a gateway and the broker are killed and started again."""
    load = Load(SERVICE, tmp_path_factory.mktemp("load"), database)
    for agent in place.agents:
        load.start(agent.collector, CALLS, RATE)
    series = f'replymeter_finish_reasons_total{{job="{SERVICE}"}}'
    eventually(lambda: database.total(series) > 0, 60)
    for killed in ((place.agents[0], place.gateways[0]), (place.broker,)):
        assert load.running()
        for one in killed:
            one.kill()
        time.sleep(1)
        for one in killed:
            one.start()
    load.finish()
    eventually(lambda: not load.missing(place.store.span_ids()), 90)
    return load


def test_no_span_is_missing(place: Place, load: Load) -> None:
    """What was not acknowledged comes again: some spans twice, none not at all."""
    came = place.store.span_ids()
    sys.stdout.write(f"{load.twice(came)} of {len(load.spans)} twice\n")

    assert len(load.spans) == 2 * CALLS
    assert load.missing(came) == set()


def test_every_count_is_exact(load: Load) -> None:
    """What comes again is the same running total again: the difference is 0 in every series."""
    assert load.differences() == {}
