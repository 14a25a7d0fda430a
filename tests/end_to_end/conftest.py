"""The pipeline that the end-to-end tests share: each of them takes a service name of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.parts import Collector, Prometheus, collector, prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Pipeline:
    """The collector of laptop.yaml, and the Prometheus that it sends to."""

    collector: Collector
    prometheus: Prometheus

    def start_app(self, app: str, service: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a module of this folder as an app that sends to the collector."""
        inherited = {key: value for key, value in os.environ.items() if key[:5] != "OTEL_"}
        env = {
            **inherited,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.collector.url,
            "OTEL_SERVICE_NAME": service,
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        }
        command = [sys.executable, "-m", f"tests.end_to_end.{app}", *arguments]
        return subprocess.Popen(
            command, env=env, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run_app(self, app: str, service: str, *arguments: str, seconds: float = 60) -> str:
        """Run one to its end; what it printed."""
        return finish(self.start_app(app, service, *arguments), seconds)


def finish(app: subprocess.Popen[str], seconds: float = 60) -> str:
    """Wait for an app's end; what it printed."""
    try:
        printed, errors = app.communicate(timeout=seconds)
    finally:
        app.kill()
    assert app.returncode == 0, errors[-4000:]
    return printed


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """laptop.yaml and prometheus.yaml, running."""
    folder = tmp_path_factory.mktemp("laptop")
    with prometheus(folder) as database:
        environment = {"REPLYMETER_PROMETHEUS_URL": database.url}
        with collector("laptop.yaml", folder, environment) as collecting:
            yield Pipeline(collecting, database)
