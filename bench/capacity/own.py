"""What the parts say of themselves on their metrics pages: CPU, memory, what they took."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tests.end_to_end.parts import get

if TYPE_CHECKING:
    from tests.end_to_end.parts import Collector, Prometheus

LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def added_up(url: str) -> dict[str, float]:
    """Each metric on a metrics page, added up over its labels."""
    sums: dict[str, float] = {}
    for name, _, value in LINE.findall(get(url)):
        sums[name] = sums.get(name, 0.0) + float(value)
    return sums


class Database(NamedTuple):
    """What Prometheus used so far, and has in memory."""

    cpu: float  # seconds
    memory: float  # MB that are resident
    series: float
    samples: float  # appended, whatever they came from


def of_prometheus(database: Prometheus) -> Database:
    """What it says now."""
    said = added_up(f"{database.url}/metrics")
    return Database(
        said["process_cpu_seconds_total"],
        said["process_resident_memory_bytes"] / 1e6,
        said["prometheus_tsdb_head_series"],
        said.get("prometheus_tsdb_head_samples_appended_total", 0.0),
    )


class Traffic(NamedTuple):
    """What a collector used and handled so far; of spans or of metric points."""

    cpu: float  # seconds
    memory: float  # MB that are resident
    taken: float
    refused: float
    waiting: float  # requests in the queues of its exporters, now
    sent: float


def of_collector(collector: Collector, kind: str = "spans") -> Traffic:
    """What it says now; *kind* is `spans` or `metric_points`."""
    said = added_up(f"http://127.0.0.1:{collector.own}/metrics")
    return Traffic(
        said["otelcol_process_cpu_seconds_total"],
        said["otelcol_process_memory_rss_bytes"] / 1e6,
        said.get(f"otelcol_receiver_accepted_{kind}_total", 0.0),
        said.get(f"otelcol_receiver_refused_{kind}_total", 0.0)
        + said.get(f"otelcol_receiver_failed_{kind}_total", 0.0),
        said.get("otelcol_exporter_queue_size", 0.0),
        said.get(f"otelcol_exporter_sent_{kind}_total", 0.0),
    )
