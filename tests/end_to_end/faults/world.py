"""Where the telemetry of the fault table ends: real parts, or a server that answers badly."""

from __future__ import annotations

import gzip
import json
import signal
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

from replymeter import conventions as names
from tests.end_to_end import certificates
from tests.end_to_end.chain import run_agent, run_gateway
from tests.end_to_end.parts import Collector, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.end_to_end.parts import Prometheus

PROTOBUF = "application/x-protobuf"


class Sink(Protocol):
    """Where apps send to, and what came of it."""

    @property
    def url(self) -> str:
        """Its OTLP/HTTP base URL."""

    def calls(self, service: str) -> float:
        """The calls of *service* by its metrics."""

    def spans(self, service: str) -> Counter[str]:
        """How often each of its spans came, by id."""


class Agent:
    """An agent that can be stopped, killed and started again, before the world's gateway."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world, self._folder = world, folder
        self._port = free_ports(1)[0]
        self._running = ExitStack()
        self._process: Any = None
        self.url = f"http://127.0.0.1:{self._port}"
        self.calls, self.spans = world.calls, world.spans
        self.start()

    def start(self) -> None:
        """Start it, on the same port, with the same queue on disk."""
        port = {"REPLYMETER_HTTP_PORT": str(self._port)}
        agent = run_agent(self._folder, self._world.tls, self._world.gateway.grpc, **port)
        self._process = self._running.enter_context(agent).process

    def stop(self) -> None:
        """Stop it well."""
        self._running.close()

    def signal(self, number: int) -> None:
        """Send it a signal; a kill is waited for."""
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait(10)


class SpansFile:
    """The spans in a collector's file; each line is read once, however often rows ask."""

    def __init__(self, file: Path) -> None:
        self._file, self._offset = file, 0
        self._spans: dict[str, Counter[str]] = {}
        self._lock = threading.Lock()

    def of(self, service: str) -> Counter[str]:
        """How often each span of *service* is in it, by id."""
        with self._lock:
            self._read_on()
            return Counter(self._spans.get(service, ()))

    def _read_on(self) -> None:
        if not self._file.exists():
            return
        with self._file.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]  # the last line may be half written
        self._offset += len(whole)
        lines = map(json.loads, whole.splitlines())
        for one in (one for line in lines for one in line["resourceSpans"]):
            said = {item["key"]: item["value"] for item in one["resource"]["attributes"]}
            ids = (span["spanId"] for scope in one["scopeSpans"] for span in scope["spans"])
            self._spans.setdefault(said["service.name"]["stringValue"], Counter()).update(ids)


@dataclass(frozen=True)
class World:
    """The gateway, which keeps every trace, the file that it writes, and Prometheus."""

    database: Prometheus
    gateway: Collector
    file: SpansFile
    tls: Path

    def calls(self, service: str) -> float:
        """The calls of *service* in Prometheus: the last value of each series, added up."""
        series = f'{names.DURATION.prometheus}_count{{job="{service}"}}'
        return self.database.total(f"last_over_time({series}[1h])")

    def spans(self, service: str) -> Counter[str]:
        """Its spans in the gateway's file."""
        return self.file.of(service)


@contextmanager
def world(folder: Path, database: Prometheus) -> Iterator[World]:
    """The gateway before *database*, running."""
    certificates.write(folder / "tls")
    keep_all = {"REPLYMETER_SAMPLING_PERCENTAGE": "100", "REPLYMETER_DECISION_WAIT": "1s"}
    (port,) = free_ports(1)
    gateway = run_gateway(folder / "gateway", folder / "tls", database, port, **keep_all)
    with gateway as running:
        yield World(database, running, SpansFile(running.spans_file), folder / "tls")


class FaultyServer:
    """Takes OTLP/HTTP on loopback and counts what it accepts; `fault` says how it answers."""

    def __init__(self) -> None:
        self.fault: int | str | None = None
        self._calls: dict[str, dict[str, int]] = {}
        self._spans: dict[str, Counter[str]] = {}
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                status, answer = server.answer(self.path, body)
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Type", PROTOBUF)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        """The status and the body of the answer to one request."""
        fault = self.fault
        if isinstance(fault, int):
            return fault, b""
        if fault == "partial":
            return 200, self._refuse(path, body)
        if fault == "slow":
            time.sleep(3)
        with self._lock:
            take = self._take_spans if path == "/v1/traces" else self._take_metrics
            take(body)
        return 200, b""

    def _refuse(self, path: str, body: bytes) -> bytes:
        if path == "/v1/traces":
            spans = traces.ExportTraceServiceRequest.FromString(body).resource_spans
            count = sum(len(scope.spans) for one in spans for scope in one.scope_spans)
            refused: Any = traces.ExportTracePartialSuccess(rejected_spans=count)
            said: Any = traces.ExportTraceServiceResponse(partial_success=refused)
        else:
            refused = metrics.ExportMetricsPartialSuccess(rejected_data_points=1)
            said = metrics.ExportMetricsServiceResponse(partial_success=refused)
        return bytes(said.SerializeToString())

    def _take_spans(self, body: bytes) -> None:
        for one in traces.ExportTraceServiceRequest.FromString(body).resource_spans:
            service, _ = _who(one.resource)
            ids = (span.span_id.hex() for scope in one.scope_spans for span in scope.spans)
            self._spans.setdefault(service, Counter()).update(ids)

    def _take_metrics(self, body: bytes) -> None:
        for one in metrics.ExportMetricsServiceRequest.FromString(body).resource_metrics:
            service, instance = _who(one.resource)
            for metric in (metric for scope in one.scope_metrics for metric in scope.metrics):
                if metric.name == names.DURATION.name:
                    total = sum(point.count for point in metric.histogram.data_points)
                    last = self._calls.setdefault(service, {})
                    last[instance] = max(total, last.get(instance, 0))

    def calls(self, service: str) -> float:
        """The last count of each instance, added up."""
        with self._lock:
            return sum(self._calls.get(service, {}).values())

    def spans(self, service: str) -> Counter[str]:
        """The spans that were accepted."""
        with self._lock:
            return Counter(self._spans.get(service))

    def close(self) -> None:
        """Stop it."""
        self.server.shutdown()
        self.server.server_close()


def _who(resource: Any) -> tuple[str, str]:
    said = {one.key: one.value.string_value for one in resource.attributes}
    return said["service.name"], said.get("service.instance.id", "")
