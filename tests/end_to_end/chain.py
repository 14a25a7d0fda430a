"""agent.yaml and gateway.yaml with TLS and a token between them, as several tests run them."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tests.end_to_end.parts import Collector, collector, free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.end_to_end.parts import Prometheus

TOKEN = "a-token-of-this-test"
FILE = "exporters: {{file: {{path: '{}', append: true, flush_interval: 100ms}}}}"


def pipelines(exporters: str, name: str) -> str:
    """An override: what the traces pipeline of this name exports to."""
    return f"service: {{pipelines: {{{name}: {{exporters: [{exporters}]}}}}}}"


def gateway_variables(tls: Path, prometheus: str = "http://127.0.0.1:1") -> dict[str, str]:
    """What gateway.yaml cannot do without: it is its own peer."""
    (peer,) = free_ports(1)
    return {
        "REPLYMETER_GATEWAY_TOKEN": TOKEN,
        "REPLYMETER_GATEWAY_PEERS": f"[127.0.0.1:{peer}]",
        "REPLYMETER_PEER_PORT": str(peer),
        "REPLYMETER_PROMETHEUS_URL": prometheus,
        "REPLYMETER_PROMETHEUS_TOKEN": TOKEN,
        "REPLYMETER_TRACE_STORE": "127.0.0.1:1",
        "REPLYMETER_TLS_DIR": str(tls),
    }


@contextmanager
def run_gateway(
    mine: Path, tls: Path, database: Prometheus, port: int, **more: str
) -> Iterator[Collector]:
    """The gateway, its own peer; a file in the place of the trace store.

    *more* are variables of its configuration, and win.
    """
    environment = {
        **gateway_variables(tls, database.url),
        "REPLYMETER_GRPC_PORT": str(port),
        "REPLYMETER_SAMPLING_PERCENTAGE": "0",
        "REPLYMETER_DECISION_WAIT": "2s",
        "REPLYMETER_SPAN_METRICS_INTERVAL": "1s",
        **more,
    }
    file = FILE.format(mine / "spans.jsonl")
    with collector(
        "gateway.yaml", mine, environment, file, pipelines("file", "traces/sample")
    ) as running:
        yield running


@contextmanager
def run_agent(mine: Path, tls: Path, gateway: int, **more: str) -> Iterator[Collector]:
    """The agent; what it sends to the gateway it writes to a file, too."""
    environment = {
        "REPLYMETER_GATEWAY": f"127.0.0.1:{gateway}",
        "REPLYMETER_GATEWAY_TOKEN": TOKEN,
        "REPLYMETER_TLS_DIR": str(tls),
        **more,
    }
    file = FILE.format(mine / "spans.jsonl")
    with collector(
        "agent.yaml", mine, environment, file, pipelines("otlp_grpc/gateway, file", "traces")
    ) as running:
        yield running


class Killable:
    """A collector that can be killed and started again: in the same folder, on the same ports."""

    def __init__(self, run: Callable[[], AbstractContextManager[Collector]]) -> None:
        self._run = run
        self._running = ExitStack()
        self.start()

    def start(self) -> None:
        """Start it."""
        self.collector = self._running.enter_context(self._run())

    def kill(self) -> None:
        """With -9."""
        self.collector.process.kill()
        self.collector.process.wait(10)

    def close(self) -> None:
        """Stop it well."""
        self._running.close()
