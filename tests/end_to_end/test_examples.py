"""The examples, run as their documentation says, hold in Prometheus what it says."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from urllib.request import ProxyHandler, build_opener

import pytest

from replymeter.demo.server import WireServer
from tests.end_to_end.conftest import RESOURCE, ROOT, finish
from tests.end_to_end.parts import answers, app_environment, eventually, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.end_to_end.conftest import Pipeline

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(120)]

PAGE = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```promql (\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
_OPEN = build_opener(ProxyHandler({})).open


class _AgentServer(WireServer):
    """Asks for the tool first, and answers once the tool has spoken."""

    def find(self, flavour: str, name: str) -> Any:
        if name == "agent":
            spoken = self.requests[-1].body["messages"][-1]["role"] == "tool"
            name = "ok" if spoken else "tool_calls"
        return super().find(flavour, name)


@contextmanager
def running(
    pipeline: Pipeline, example: str, case: str, *command: str
) -> Iterator[subprocess.Popen[str]]:
    """A command in the checkout, as the service *example*, with the wire server as OpenAI."""
    with _AgentServer() as wire:
        env = app_environment(
            pipeline.collector.url,
            example,
            OPENAI_API_KEY="not-a-key",
            OPENAI_BASE_URL=wire.url("openai", case),
            OTEL_RESOURCE_ATTRIBUTES=RESOURCE,
        )
        app = subprocess.Popen(
            [sys.executable, "-m", *command],
            env=env,
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            yield app
        finally:
            app.kill()
            app.communicate()


def serve(
    pipeline: Pipeline, example: str, url: str, calls: list[tuple[str, bytes | None]], *server: str
) -> None:
    """Start a server, make *calls* (URL and body), and stop it by SIGTERM."""
    with running(pipeline, example, "ok", *server) as app:
        eventually(answers(url))
        for call in calls:
            with _OPEN(*call, timeout=20) as answer:
                assert answer.read().decode() == "Hail and well met."
        app.send_signal(signal.SIGTERM)
        app.communicate(timeout=30)


def holds(pipeline: Pipeline, example: str) -> dict[str, float]:
    """What Prometheus holds for each line of the example's block."""
    values = {}
    for line in BLOCKS[example].splitlines():
        series, _, _ = line.rpartition(" ")
        name, _, labels = series.partition("{")
        selector = f'{name}{{job="{example}", {labels or "}"}'
        values[series] = pipeline.prometheus.total(selector)
    return values


def said(example: str) -> dict[str, float]:
    """What the documentation says."""
    lines = (line.rpartition(" ") for line in BLOCKS[example].splitlines())
    return {series: float(value) for series, _, value in lines}


def compare(pipeline: Pipeline, example: str) -> None:
    """Wait for the numbers to arrive, and hold them against the page."""
    eventually(lambda: holds(pipeline, example) == said(example))

    assert holds(pipeline, example) == said(example)


def test_every_example_has_a_block() -> None:
    """None is left out, here and on the page."""
    examples = {path.stem for path in (ROOT / "examples").glob("*.py")}

    assert set(BLOCKS) == examples == {"chat_service", "agent", "batch_job", "workers"}


@pytest.mark.parametrize(("example", "case"), [("agent", "agent"), ("batch_job", "length")])
def test_a_script(pipeline: Pipeline, example: str, case: str) -> None:
    """Run to its end."""
    with running(pipeline, example, case, f"examples.{example}") as app:
        finish(app)

    compare(pipeline, example)


def test_the_chat_service(pipeline: Pipeline) -> None:
    """Under uvicorn, three streamed answers."""
    (port,) = free_ports(1)
    base = f"http://127.0.0.1:{port}"
    ask = (f"{base}/chat?question={quote('Tell me a story.')}", b"")
    server = ("uvicorn", "examples.chat_service:app", "--port", str(port))
    serve(pipeline, "chat_service", f"{base}/docs", [ask] * 3, *server)

    compare(pipeline, "chat_service")


def test_the_workers(pipeline: Pipeline) -> None:
    """Under gunicorn with two workers, forked after the model was instrumented."""
    (port,) = free_ports(1)
    base = f"http://127.0.0.1:{port}"
    server = ("gunicorn", "--workers", "2", "--preload", "--bind", f"127.0.0.1:{port}")
    serve(pipeline, "workers", base, [(base, None)] * 11, *server, "examples.workers:app")

    compare(pipeline, "workers")
