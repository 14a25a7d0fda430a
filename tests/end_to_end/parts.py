"""The real collector and the real Prometheus, started from the shipped configurations."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from tools import components

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "collector-config"
REQUIRED = "REPLYMETER_REQUIRE_PARTS"
"""Names of parts, with spaces: one of them that is missing is a failure instead of a skip."""

_OPEN = build_opener(ProxyHandler({})).open  # loopback, whatever proxy the machine has
_STARTS = 60.0  # seconds that a part may take
_STOPS = 10.0


def part(name: str) -> Path:
    """A part that was built before; the test is skipped, with the reason, when it is not there."""
    try:
        return components.find(name)
    except components.MissingError as error:
        if name in os.environ.get(REQUIRED, "").split():
            raise
        pytest.skip(str(error))


def free_ports(count: int) -> list[int]:
    """Ports of loopback on which nothing listens."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def get(url: str) -> str:
    """The body that *url* answers with."""
    with _OPEN(url, timeout=10) as answer:
        return str(answer.read().decode())


def send(url: str, body: bytes, kind: str, seconds: float = 10) -> int:
    """Send *body*, of this content type; the status, below 400."""
    request = Request(url, body, {"Content-Type": kind})  # noqa: S310  # http only
    with _OPEN(request, timeout=seconds) as answer:
        answer.read()
        return int(answer.status)


def post(url: str, content: Any) -> None:
    """Send *content* as JSON, which must be taken."""
    assert send(url, json.dumps(content).encode(), "application/json") == 200


def app_environment(endpoint: str, service: str, **more: str) -> dict[str, str]:
    """The variables of an app of this checkout, which sends to *endpoint* as *service*.

    None of OpenTelemetry's that are set here; *more* win.
    """
    inherited = {key: value for key, value in os.environ.items() if key[:5] != "OTEL_"}
    return {
        **inherited,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_SERVICE_NAME": service,
        **more,
    }


def eventually(check: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until *check* is true; then, or when the time is over, it is up to the caller."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not check():
        time.sleep(0.2)


@contextmanager
def process(
    command: list[str],
    log: Path,
    ready: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run *command* until the end of the block, from when it is *ready*."""
    env = {**os.environ, **(environment or {})}
    with log.open("ab") as output:
        running = subprocess.Popen(command, env=env, stdout=output, stderr=output)
    try:
        end = time.monotonic() + _STARTS
        while not ready():
            text = log.read_text(errors="replace")[-4000:]
            assert running.poll() is None, f"{command[0]} ended:\n{text}"
            assert time.monotonic() < end, f"{command[0]} is not ready:\n{text}"
            time.sleep(0.1)
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(_STOPS)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait(_STOPS)


def answers(url: str) -> Callable[[], bool]:
    """Whether *url* answers well."""

    def check() -> bool:
        with suppress(URLError, OSError):
            get(url)
            return True
        return False

    return check


@dataclass(frozen=True)
class Collector:
    """A running collector: its ports for OTLP and for its own metrics, the file of its spans."""

    process: subprocess.Popen[bytes]
    grpc: int
    http: int
    own: int
    spans_file: Path
    log: Path

    @property
    def url(self) -> str:
        """Its OTLP/HTTP base URL."""
        return f"http://127.0.0.1:{self.http}"

    def spans(self) -> list[dict[str, Any]]:
        """Every span in the file, with its resource's attributes under `resource`."""
        if not self.spans_file.exists():
            return []
        text = self.spans_file.read_text()
        lines = text[: text.rfind("\n") + 1].splitlines()  # The last may be half written.
        return [
            {**span, "resource": resource["resource"].get("attributes", [])}
            for line in lines
            for resource in json.loads(line)["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]

    def span_ids(self) -> Counter[str]:
        """How often each span id is in the file."""
        return Counter(span["spanId"] for span in self.spans())


@contextmanager
def collector(
    config: str, folder: Path, environment: Mapping[str, str], *overrides: str
) -> Iterator[Collector]:
    """Run the collector by `collector-config/<config>`, on free ports.

    *overrides* are in the form of `--config yaml:...`: for what only a test needs, like a file
    in the place of a trace store.
    """
    folder.mkdir(parents=True, exist_ok=True)
    grpc, http, health, own = free_ports(4)
    spans_file, log = folder / "spans.jsonl", folder / "collector.log"
    ports = {"GRPC": grpc, "HTTP": http, "HEALTH": health, "OWN_METRICS": own}
    env = {
        **{f"REPLYMETER_{name}_PORT": str(port) for name, port in ports.items()},
        "REPLYMETER_SPANS_FILE": str(spans_file),
        "REPLYMETER_QUEUE_DIR": str(folder / "queue"),
        **environment,
    }
    command = [str(part("collector")), "--config", str(CONFIG / config)]
    for override in overrides:
        command += ["--config", f"yaml:{override}"]
    with process(command, log, answers(f"http://127.0.0.1:{health}/"), env) as running:
        grpc, http = (int(env[f"REPLYMETER_{name}_PORT"]) for name in ("GRPC", "HTTP"))
        yield Collector(running, grpc, http, own, spans_file, log)


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    url: str
    log: Path

    def ask(self, endpoint: str, **parameters: str) -> Any:
        """The data that an endpoint of its API answers with."""
        answer = json.loads(get(f"{self.url}/api/v1/{endpoint}?{urlencode(parameters)}"))
        return answer["data"]

    def series(self, query: str) -> dict[tuple[tuple[str, str], ...], float]:
        """What an instant query gives: the value by the sorted labels."""
        result = self.ask("query", query=query)["result"]
        return {tuple(sorted(one["metric"].items())): float(one["value"][1]) for one in result}

    def total(self, query: str) -> float:
        """The sum of what an instant query gives."""
        return sum(self.series(query).values())


def _flags(text: str, given: Mapping[str, str]) -> list[str]:
    """The flags at the top of prometheus.yaml, with the values given."""
    flags = re.findall(r"^# +(?:prometheus )?(--[^ =]+)(=\S+)?$", text, re.MULTILINE)
    assert set(given) <= {flag for flag, _ in flags}
    return [f"{flag}={given[flag]}" if flag in given else flag + value for flag, value in flags]


@contextmanager
def prometheus(folder: Path, *flags: str, **changes: str) -> Iterator[Prometheus]:
    """Run Prometheus by prometheus.yaml, with the flags that it names and *flags*, on a free port.

    *changes* are the new texts of whole settings, like `scrape_interval="1s"`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    log = folder / "prometheus.log"
    text = (CONFIG / "prometheus.yaml").read_text()
    config = folder / "prometheus.yaml"
    changed = text.replace("127.0.0.1:9090", f"127.0.0.1:{port}")
    for name, value in changes.items():
        changed, count = re.subn(rf"\b{name}: .*", f"{name}: {value}", changed)
        assert count, f"prometheus.yaml has no {name}"
    config.write_text(changed)
    given = {
        "--config.file": str(config),
        "--web.listen-address": f"127.0.0.1:{port}",
        "--storage.tsdb.path": str(folder / "data"),
    }
    command = [str(part("prometheus") / "prometheus"), *_flags(text, given), *flags]
    with process(command, log, answers(f"http://127.0.0.1:{port}/-/ready")):
        yield Prometheus(f"http://127.0.0.1:{port}", log)
