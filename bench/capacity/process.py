"""One app process, and several: how many calls a second, and what is lost.

Real processes with `replymeter.start()`, agent.yaml, gateway.yaml that keeps every trace, and
Prometheus.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.capacity.own import of_collector
from bench.model import USAGE
from replymeter import conventions as names
from tests.end_to_end.chain import run_agent
from tests.end_to_end.conftest import ROOT
from tests.end_to_end.faults.world import world
from tests.end_to_end.parts import app_environment, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.faults.world import World
    from tests.end_to_end.parts import Collector, Prometheus

RATES = (100, 200, 500, 1000, 1500, 2000, 3000, 5000)
SECONDS = 5.0
ARRIVES = 30.0  # seconds that what was sent may take
REACHED = 0.97  # of the rate that was asked for
THREADS = 16
KEEPS_UP = 1024  # spans that wait: two batches of the SDK; more means that they pile up
SERIES_OF = (1, 10, 50)  # models


class Run(NamedTuple):
    """One run of one process or of several, and what came of it."""

    processes: int
    threads: int  # of each
    rate: float  # calls a second that each was asked for; 0 is as many as it can
    made: int
    a_second: float  # of all processes
    cpu: float  # seconds of the processes
    waiting: int  # spans in the longest queue of a process when the last call ended
    lost: int
    twice: int
    differ: int  # series that are not exact
    agent: float  # CPU seconds of the agent

    def kept_up(self) -> bool:
        """Whether the rate was reached, nothing piled up, nothing was lost."""
        reached = self.a_second >= REACHED * self.rate * self.processes
        return reached and self.waiting <= KEEPS_UP and not (self.lost or self.differ)


@dataclass
class Chain:
    """The agent that apps send to, and where it ends; notes go into *folder*."""

    folder: Path
    there: World
    agent: Collector
    runs: int = 0

    def run(
        self, processes: int, rate: float, *, models: int = 1, threads: int = 1,
        seconds: float = SECONDS,
    ) -> Run:  # fmt: skip
        """Run so many processes at once."""
        service, noted = self._apps("start", processes, models, threads, rate, seconds)
        made = sum(one["made"] + one["streamed"] for one in noted)
        before = self.before
        eventually(lambda: self._there(service, made), ARRIVES)
        came = self.there.spans(service)
        return Run(
            processes, threads, rate, made,
            sum(one["made"] / one["seconds"] for one in noted),
            sum(one["cpu"] for one in noted),
            max(one["waiting"] for one in noted),
            made - len(came), sum(came.values()) - len(came),
            len(self.differences(service, made)),
            of_collector(self.agent).cpu - before,
        )  # fmt: skip

    def bare(self) -> tuple[float, float]:
        """A process without any telemetry: its calls a second, the CPU seconds of one."""
        _, (noted,) = self._apps("bare", 1, 1, 1, 0, SECONDS)
        return noted["made"] / noted["seconds"], noted["cpu"] / noted["made"]

    def _there(self, service: str, made: int) -> bool:
        counted = self.there.calls(service) >= made
        return counted and len(self.there.spans(service)) >= made

    def _apps(
        self, setup: str, processes: int, *arguments: float
    ) -> tuple[str, list[dict[str, Any]]]:
        self.runs += 1
        self.before = of_collector(self.agent).cpu
        service = self.service
        files = [self.folder / f"{service}-{number}.json" for number in range(processes)]
        env = app_environment(self.agent.url, service)
        command = [sys.executable, "-m", "bench.capacity.app"]
        apps = [
            subprocess.Popen([*command, str(file), setup, *map(str, arguments)], env=env, cwd=ROOT)
            for file in files
        ]
        failed = [app.wait(300) for app in apps]
        if any(failed):
            raise RuntimeError(f"an app of {service} ended with {failed}")
        return service, [json.loads(file.read_text()) for file in files]

    @property
    def service(self) -> str:
        """The name of the service of the last run."""
        return f"capacity-{self.runs}"

    def differences(self, service: str, made: int) -> dict[str, float]:
        """The metrics that are not exact in Prometheus after so many calls, and what they say."""
        details = USAGE["input_token_details"], USAGE["output_token_details"]
        wanted = {
            f"{names.DURATION.prometheus}_count": 1,
            names.INPUT_TOKENS.prometheus: USAGE["input_tokens"],
            names.OUTPUT_TOKENS.prometheus: USAGE["output_tokens"],
            names.CACHE_READ_TOKENS.prometheus: details[0]["cache_read"],
            names.REASONING_TOKENS.prometheus: details[1]["reasoning"],
            names.OUTPUT_TOKENS_BY_REASON.prometheus: USAGE["output_tokens"],
            names.FINISH_REASON_COUNT.prometheus: 1,
            f"{names.INPUT_TOKENS_PER_CALL.prometheus}_sum": USAGE["input_tokens"],
        }
        database = self.there.database
        have = {
            name: database.total(f'last_over_time({name}{{job="{service}"}}[1h])')
            for name in wanted
        }
        return {name: have[name] for name in wanted if have[name] != wanted[name] * made}

    def series(self, models: int) -> float:
        """The series in Prometheus of a process with so many models, whose calls all end well."""
        self.run(1, 0, models=models, seconds=1)
        series = f'count(last_over_time({{job="{self.service}"}}[1h]))'
        return self.there.database.total(series)


def measure(
    folder: Path, database: Prometheus
) -> tuple[tuple[float, float], list[Run], dict[int, float]]:
    """A bare process; runs of one, two and four; the series by the number of models."""
    with (
        world(folder, database) as there,
        run_agent(folder / "agent", there.tls, there.gateway.grpc) as agent,
    ):
        chain = Chain(folder, there, agent)
        bare, runs = chain.bare(), list(_runs(chain))
        return bare, runs, {models: chain.series(models) for models in SERIES_OF}


def _runs(chain: Chain) -> Iterator[Run]:
    chain.run(1, 0)  # every part is warm then
    for rate in RATES:
        run = chain.run(1, rate)
        yield run
        if not run.kept_up():
            break
    yield chain.run(1, 0, threads=THREADS)
    for processes in (1, 2, 4):
        yield chain.run(processes, 0)
    for processes in (1, 2, 4):  # what the machine has room for: its cost is a process's own
        yield chain.run(processes, 100)
