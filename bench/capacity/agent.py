"""One agent: how many spans and metric points a second it takes, and what that costs it.

agent.yaml as it is, its queue on disk; behind it gateway.yaml, told to throw away what it gets.
The requests are what the SDK's exporters send after real calls, made once and sent again.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from bench.capacity.growth import used
from bench.capacity.own import of_collector
from replymeter import testing
from replymeter.instrument import instrument
from tests.end_to_end import certificates
from tests.end_to_end.chain import gateway_variables, run_agent
from tests.end_to_end.parts import collector, eventually, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.parts import Collector

SECONDS = 4.0
DRAINS = 60.0  # seconds that what waits may take to be sent on
BATCH = 512  # spans, as the SDK has it
SMALL = 20  # spans of a request that fills the queue on disk
FILLS = 60.0  # seconds that filling it may take
BLOCKED = 3.0  # seconds without an answer: it is full
MODELS = 10
SENDERS = 16  # apps at a time
RATES = {
    "spans": (2000, 5000, 10_000, 20_000, 50_000, 100_000),
    "metric_points": (10_000, 20_000, 50_000, 100_000, 200_000, 500_000),
}
PATHS = {"spans": "/v1/traces", "metric_points": "/v1/metrics"}
REACHED = 0.95
_NOWHERE = (
    "exporters: {debug: {verbosity: basic}}",
    "service: {pipelines: {metrics: {exporters: [debug]}, traces/in: {exporters: [debug]}}}",
)


class Step(NamedTuple):
    """What came of one rate."""

    kind: str
    rate: float
    a_second: float  # taken
    refused: float  # or answered after the time was over
    waiting: float  # requests in its queue on disk when the last was sent
    drained: float  # seconds until that queue was empty
    cpu: float  # seconds of the agent, until then
    taken: float
    memory: float  # MB, the most that was seen

    def kept_up(self) -> bool:
        """Whether all of it was taken as fast as it came, and went on."""
        return not self.refused and self.a_second >= REACHED * self.rate


class Request(NamedTuple):
    """An OTLP request, and how many spans or points are in it."""

    body: bytes
    size: int


def recorded(batch: int = BATCH) -> tuple[Request, Request]:
    """A batch of spans, and the metrics of a process with some models."""
    with testing.capture_telemetry() as captured:
        given: dict[str, Any] = {
            "tracer_provider": captured.tracer_provider,
            "meter_provider": captured.meter_provider,
        }
        while len(captured.spans) < batch:
            used(MODELS, ready=lambda model: instrument(model, **given))
        spans = captured.spans[:batch]
        data: Any = captured._reader.get_metrics_data()
    metrics = encode_metrics(data)
    points = sum(
        len(getattr(metric, metric.WhichOneof("data")).data_points)
        for resource in metrics.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
    body = encode_spans(spans).SerializeToString()
    return Request(body, len(spans)), Request(metrics.SerializeToString(), points)


@contextmanager
def running(folder: Path) -> Iterator[Collector]:
    """The agent, before a gateway that throws away."""
    tls = folder / "tls"
    certificates.write(tls)
    variables = gateway_variables(tls)
    with (
        collector("gateway.yaml", folder / "nowhere", variables, *_NOWHERE) as nowhere,
        run_agent(folder / "agent", tls, nowhere.grpc) as agent,
    ):
        yield agent


def step(agent: Collector, kind: str, request: Request, rate: float) -> Step:
    """Send *request* again and again, *rate* spans or points a second in all."""
    before = of_collector(agent, kind)
    begun = time.monotonic()
    refused = send(agent.http, PATHS[kind], request, rate=rate)
    ended, after = time.monotonic(), of_collector(agent, kind)
    seconds = max(SECONDS, ended - begun)
    most = after.memory

    def drained() -> bool:
        nonlocal most
        now = of_collector(agent, kind)
        most = max(most, now.memory)
        return now.sent - before.sent >= after.taken - before.taken

    eventually(drained, DRAINS)
    taken = after.taken - before.taken
    return Step(
        kind, rate, taken / seconds, refused * request.size, after.waiting,
        time.monotonic() - ended, of_collector(agent, kind).cpu - before.cpu, taken, most,
    )  # fmt: skip


def send(port: int, path: str, request: Request, rate: float) -> int:
    """Send for some seconds, from several connections in turn; how many were refused."""
    begun, numbers = time.monotonic(), count()

    def one(_: int) -> int:
        connection, refused = HTTPConnection("127.0.0.1", port, timeout=60), 0
        while (due := next(numbers) * request.size / rate) < SECONDS:
            now = time.monotonic() - begun
            if now >= SECONDS:
                break
            time.sleep(max(0.0, due - now))
            refused += _post(connection, path, request.body) != 200
        connection.close()
        return refused

    with ThreadPoolExecutor(SENDERS) as pool:
        return sum(pool.map(one, range(SENDERS)))


def _post(connection: HTTPConnection, path: str, body: bytes) -> int:
    connection.request("POST", path, body, {"Content-Type": "application/x-protobuf"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


class Full(NamedTuple):
    """What an agent took while its gateway was away."""

    requests: float
    seconds: float  # that it took to send them
    size: int  # spans of each
    disk: float  # MB of its queue


def fill(folder: Path) -> Full:
    """Send small requests to an agent whose gateway is away, until it takes no more."""
    request, tls = recorded(SMALL)[0], folder / "tls"
    certificates.write(tls)
    with run_agent(folder / "agent", tls, free_ports(1)[0]) as agent:
        begun, last = time.monotonic(), [time.monotonic()]

        def one(_: int) -> None:
            connection = HTTPConnection("127.0.0.1", agent.http, timeout=BLOCKED)
            with suppress(TimeoutError):
                while time.monotonic() - begun < FILLS:
                    if _post(connection, PATHS["spans"], request.body) != 200:
                        break
                    last[0] = time.monotonic()
            connection.close()

        with ThreadPoolExecutor(SENDERS) as pool:
            list(pool.map(one, range(SENDERS)))
        taken = of_collector(agent).waiting
        disk = sum(file.stat().st_size for file in (folder / "agent/queue").iterdir())
        return Full(taken, last[0] - begun, request.size, disk / 1e6)


def measure(folder: Path) -> tuple[list[Step], Full]:
    """Step the rate of each kind up, until not all of it is taken; then fill the queue."""
    steps = []
    for kind, request in zip(PATHS, recorded(), strict=True):
        with running(folder / kind) as agent:
            step(agent, kind, request, RATES[kind][0])  # it is warm then
            for rate in RATES[kind]:
                steps.append(step(agent, kind, request, rate))
                if not steps[-1].kept_up():
                    break
    return steps, fill(folder / "full")
