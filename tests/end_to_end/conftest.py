"""The pipeline that the end-to-end tests share: each of them takes a service name of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.parts import (
    Collector,
    Prometheus,
    app_environment,
    collector,
    part,
    prometheus,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
RESOURCE = "deployment.environment.name=test,some.secret=canary-7f3a"


@dataclass(frozen=True)
class Pipeline:
    """The collector that apps send to, and the Prometheus where it ends."""

    collector: Collector
    prometheus: Prometheus

    def start_app(
        self, app: str, service: str, *arguments: str, **variables: str
    ) -> subprocess.Popen[str]:
        """Start a module of this folder as an app that sends to the collector."""
        more = {"OTEL_RESOURCE_ATTRIBUTES": RESOURCE, **variables}
        env = app_environment(self.collector.url, service, **more)
        command = [sys.executable, "-m", f"tests.end_to_end.{app}", *arguments]
        return subprocess.Popen(
            command, env=env, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run_app(self, app: str, service: str, *arguments: str, seconds: float = 100) -> None:
        """Run one to its end."""
        finish(self.start_app(app, service, *arguments), seconds)


def finish(app: subprocess.Popen[str], seconds: float = 100) -> None:
    """Wait for an app's end, which must be a good one."""
    try:
        _, errors = app.communicate(timeout=seconds)
    finally:
        app.kill()
    assert app.returncode == 0, errors[-4000:]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs them all: they share a pipeline, and measure time."""
    for item in items:
        if item.get_closest_marker("end_to_end"):
            item.add_marker(pytest.mark.xdist_group("end_to_end"))


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """prometheus.yaml, running."""
    part("collector")  # No need to start one where the other is missing.
    with prometheus(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


@pytest.fixture(scope="session")
def pipeline(database: Prometheus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """laptop.yaml, running."""
    folder = tmp_path_factory.mktemp("laptop")
    environment = {"REPLYMETER_PROMETHEUS_URL": database.url}
    with collector("laptop.yaml", folder, environment) as collecting:
        yield Pipeline(collecting, database)
