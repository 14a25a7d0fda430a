"""agent-kafka.yaml and gateway-kafka.yaml, running, with the real broker between them."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from replymeter import conventions as names
from tests.end_to_end.chain import FILE, pipelines
from tests.end_to_end.conftest import Pipeline, finish
from tests.end_to_end.kafka import Broker, run_kafka_gateway
from tests.end_to_end.parts import Collector, collector, eventually, part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.parts import Prometheus

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(240)]

CALLS = (
    ("openai/ok/invoke", "openai/length/invoke", "openai/ok/stream", "anthropic/ok/stream"),
    ("openai/ok/invoke", "mistralai/ok/invoke", "openai/error_429/invoke"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this module's parts write."""
    return tmp_path_factory.mktemp("kafka")


@pytest.fixture(scope="module")
def broker(folder: Path) -> Iterator[Broker]:
    """The broker, running."""
    part("collector")
    broker = Broker(folder)
    with closing(broker):
        broker.start()
        yield broker


@pytest.fixture(scope="module")
def gateway(broker: Broker, folder: Path, database: Prometheus) -> Iterator[Collector]:
    """The gateway; a file in the place of the trace store."""
    mine = folder / "gateway"
    file = FILE.format(mine / "spans.jsonl"), pipelines("file", "traces/sample")
    with run_kafka_gateway(mine, broker.secrets, database.url, *file) as running:
        yield running


@pytest.fixture(scope="module")
def agent(
    broker: Broker, gateway: Collector, folder: Path, database: Prometheus
) -> Iterator[Pipeline]:
    """The agent."""
    with collector("agent-kafka.yaml", folder / "agent", broker.secrets) as running:
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
