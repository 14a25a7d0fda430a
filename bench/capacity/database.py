"""One Prometheus: what series cost it, as shipped, at three sizes.

prometheus.yaml with its flags, Replymeter's rules and alerts, and metrics over OTLP as the gateway
sends them: the recorded export of a process, under so many instance ids.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from bench.capacity.agent import recorded
from bench.capacity.own import of_prometheus
from tests.end_to_end.conftest import ROOT
from tests.end_to_end.parts import prometheus, send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.parts import Prometheus

PROCESSES = (0, 4, 16, 64)
INTERVAL = 5.0  # seconds, of exports, scrapes and rules: three times as often as shipped
SHIPPED = 15.0
TIMES = 4  # intervals that are measured
RULES = [
    ROOT / "collector-config/prometheus/*.rules.yaml",
    ROOT / "dashboards/prometheus/*.rules.yaml",
]


class Size(NamedTuple):
    """What so many processes, of ten models each, cost."""

    processes: int
    series: float  # in memory, Prometheus's own and those of the rules with them
    samples: float  # appended a time
    cpu: float  # seconds a time
    memory: float  # MB that are resident
    behind: float  # seconds by which the exports came late, at the end

    def cores(self) -> float:
        """Of a core, at the interval that is shipped."""
        return self.cpu / SHIPPED


class Exports:
    """The exports of so many processes, made anew for each time."""

    def __init__(self, body: bytes, processes: int) -> None:
        self._message: Any = ExportMetricsServiceRequest.FromString(body)
        self._processes = processes
        (resource,) = self._message.resource_metrics
        del resource.resource.attributes[:]
        resource.resource.attributes.add(key="service.name").value.string_value = "capacity"
        self._instance = resource.resource.attributes.add(key="service.instance.id")
        self._points = [
            point
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in getattr(metric, metric.WhichOneof("data")).data_points
        ]
        for point in self._points:
            point.start_time_unix_nano = time.time_ns()
            if hasattr(point, "exemplars"):
                del point.exemplars[:]

    def __iter__(self) -> Iterator[bytes]:
        now = time.time_ns()
        for point in self._points:
            point.time_unix_nano = now
        for number in range(self._processes):
            self._instance.value.string_value = f"instance-{number}"
            yield self._message.SerializeToString()


def _send(database: Prometheus, exports: Exports) -> None:
    for body in exports:
        send(f"{database.url}/api/v1/otlp/v1/metrics", body, "application/x-protobuf", 60)


def size(folder: Path, processes: int) -> Size:
    """Run Prometheus with so many processes' series."""
    _, metrics = recorded()
    seconds = f"{INTERVAL:.0f}s"
    with prometheus(
        folder, scrape_interval=seconds, evaluation_interval=seconds,
        rule_files=str(list(map(str, RULES))),
    ) as database:  # fmt: skip
        exports = Exports(metrics.body, processes)
        begun, late, before = time.monotonic(), 0.0, of_prometheus(database)
        for number in range(TIMES + 2):
            if number == 2:  # every series is there, and every rule has run
                before = of_prometheus(database)
            _send(database, exports)
            late = time.monotonic() - begun - (number + 1) * INTERVAL
            time.sleep(max(0.0, -late))
        after = of_prometheus(database)
    return Size(
        processes,
        after.series,
        (after.samples - before.samples) / TIMES,
        (after.cpu - before.cpu) / TIMES,
        after.memory,
        max(0.0, late),
    )


def measure(folder: Path) -> list[Size]:
    """Each size, with a Prometheus of its own."""
    return [size(folder / str(processes), processes) for processes in PROCESSES]
