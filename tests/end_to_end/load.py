"""Several workers of one service that make recorded calls, and what came of them all."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replymeter import conventions as names
from tests.end_to_end.conftest import Pipeline, finish
from tests.end_to_end.counted import differences
from tests.end_to_end.parts import eventually

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from pathlib import Path

    from tests.end_to_end.counted import Series
    from tests.end_to_end.parts import Collector, Prometheus

SETTLES = 60.0  # seconds that what was sent may take to arrive


@dataclass
class Load:
    """The workers of *service*; what they note goes into *folder*."""

    service: str
    folder: Path
    database: Prometheus
    spans: dict[str, dict[str, Any]] = field(default_factory=dict)
    series: Counter[Series] = field(default_factory=Counter)
    seconds: float = 0.0
    _workers: dict[Path, subprocess.Popen[str]] = field(default_factory=dict)

    def start(self, collector: Collector, calls: int, rate: float = 0) -> None:
        """Start a worker that sends to *collector*: so many calls, so many a second."""
        file = self.folder / f"worker-{len(self._workers)}.json"
        app = Pipeline(collector, self.database)
        self._workers[file] = app.start_app(
            "load_app", self.service, str(file), str(calls), str(rate),
            OTEL_BSP_SCHEDULE_DELAY="500", OTEL_METRIC_EXPORT_INTERVAL="1000",
        )  # fmt: skip

    def running(self) -> bool:
        """Whether every worker still makes calls."""
        return all(worker.poll() is None for worker in self._workers.values())

    def finish(self, seconds: float = 120) -> None:
        """Wait for the workers' end and read what they noted."""
        for file, worker in self._workers.items():
            finish(worker, seconds)
            noted = json.loads(file.read_text())
            self.spans |= noted["spans"]
            self.series.update({tuple(key): value for key, value in noted["series"]})
            self.seconds = max(self.seconds, noted["seconds"])

    def differences(self) -> Mapping[Series, tuple[float, float]]:
        """Each series that differs in Prometheus, when all that comes has come."""
        calls = f'{names.DURATION.prometheus}_count{{job="{self.service}"}}'
        made = len(self.spans)
        eventually(lambda: self.database.total(f"last_over_time({calls}[1h])") >= made, SETTLES)
        return differences(self.series, self.database, self.service)

    def missing(self, came: Counter[str]) -> set[str]:
        """The spans that did not come."""
        return set(self.spans) - set(came)

    def twice(self, came: Counter[str]) -> int:
        """How many came once more than they should, in all."""
        return sum(came[span] - 1 for span in self.spans if span in came)
