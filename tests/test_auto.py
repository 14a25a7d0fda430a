"""The real `opentelemetry-instrument` around an application that knows nothing of Replymeter."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.language_models import BaseChatModel
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from replymeter import conventions as names
from replymeter.auto import ReplymeterInstrumentor
from tests.fakes import SyncModel
from tests.test_start import Receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replymeter.demo.server import WireServer
    from replymeter.testing import Captured

ROOT = Path(__file__).parents[1]
APP = """
import asyncio, os
from fastapi import FastAPI
from fastapi.testclient import TestClient
from langchain_openai import ChatOpenAI

llm = ChatOpenAI(model="gpt-5-mini", base_url=os.environ["WIRE"], api_key="k", max_retries=0,
                 stream_usage=True)
app = FastAPI()

@app.get("/ask")
def ask():
    return {"answer": str(llm.invoke("hello").content)}

with TestClient(app) as client:
    assert client.get("/ask").status_code == 200
list(llm.stream("hello"))
asyncio.run(llm.ainvoke("hello"))
"""
OTHERS = "langchain"  # both are installed for the tests, and would instrument the same


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An OTLP receiver on loopback."""
    one = Receiver()
    yield one
    one.server.shutdown()
    one.server.server_close()


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Replymeter's metadata, for when only its source is on the path."""
    folder = tmp_path_factory.mktemp("site")
    info = folder / "replymeter-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: replymeter\nVersion: 0.1.0\n")
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r"entry-points\.opentelemetry_instrumentor\]\n(.+)\n", text)
    assert found
    entry = found[1].replace('"', "")
    (info / "entry_points.txt").write_text(f"[opentelemetry_instrumentor]\n{entry}\n")
    return folder


@pytest.fixture
def run(receiver: Receiver, wire: WireServer, installed: Path) -> Callable[..., str]:
    """Run a program under `opentelemetry-instrument`; what it says."""

    def run(program: str = APP, **variables: str) -> str:
        env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("OTEL_")},
            "PYTHONPATH": os.pathsep.join(map(str, (installed, ROOT / "src"))),
            "WIRE": wire.url("openai", "ok"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": OTHERS,
            **variables,
        }
        command = [f"{sysconfig.get_path('scripts')}/opentelemetry-instrument", sys.executable]
        done = subprocess.run(
            [*command, "-c", program],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stderr

    return run


def spans(receiver: Receiver) -> list[tuple[str, Any]]:
    """The scope's name and the span, of every span that came."""
    return [
        (scope.scope.name, span)
        for path, body in receiver.posted
        if path == "/v1/traces"
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def with_tokens(receiver: Receiver) -> list[tuple[str, int]]:
    """The scope and input tokens of every span that has some."""
    return [
        (scope, attribute.value.int_value)
        for scope, span in spans(receiver)
        for attribute in span.attributes
        if attribute.key == names.USAGE_INPUT_TOKENS
    ]


def counted(receiver: Receiver, metric: str) -> float:
    """The sum of the counter *metric* over the series, as it was sent last."""
    last: dict[Any, float] = {}
    for path, body in receiver.posted:
        if path != "/v1/metrics":
            continue
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for scope in resource.scope_metrics:
                for one in scope.metrics:
                    for point in one.sum.data_points if one.name == metric else ():
                        key = tuple(sorted(str(label) for label in point.attributes))
                        last[key] = point.as_int or point.as_double
    return sum(last.values())


def test_an_unchanged_program_is_counted_once(run: Callable[..., str], receiver: Receiver) -> None:
    """Beside FastAPI, HTTP clients and the official OpenAI instrumentation nothing is doubled."""
    run()

    assert with_tokens(receiver) == [("replymeter", 1117)] * 3
    assert counted(receiver, names.INPUT_TOKENS.name) == 3 * 1117
    assert counted(receiver, names.FINISH_REASON_COUNT.name) == 3
    scopes = Counter(scope for scope, _ in spans(receiver))
    assert scopes["replymeter"] == 3
    assert any("fastapi" in scope for scope in scopes)
    parents = {span.span_id: span for _, span in spans(receiver)}
    ours = [span for scope, span in spans(receiver) if scope == "replymeter"]
    assert sum(span.parent_span_id in parents for span in ours) == 1  # the one in the request


@pytest.mark.parametrize(
    "variables",
    [
        {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": f"{OTHERS},replymeter,openai"},
        {"OTEL_SDK_DISABLED": "true"},
    ],
    ids=["disabled", "no SDK"],
)
def test_switched_off_it_is_not_there(
    variables: dict[str, str], run: Callable[..., str], receiver: Receiver
) -> None:
    """The standard variables are heeded, without a word."""
    said = run(**variables)

    assert [scope for scope, _ in spans(receiver) if scope == "replymeter"] == []
    assert counted(receiver, names.FINISH_REASON_COUNT.name) == 0
    assert "replymeter" not in said


def test_a_suppressed_call_is_not_there(run: Callable[..., str], receiver: Receiver) -> None:
    """`suppress_instrumentation` holds."""
    run(
        "from opentelemetry.instrumentation.utils import suppress_instrumentation\n"
        "from langchain_core.language_models import FakeListChatModel\n"
        "llm = FakeListChatModel(responses=['hi'])\n"
        "with suppress_instrumentation():\n    llm.invoke('hello')\n"
        "llm.invoke('hello')\n"
    )

    assert [scope for scope, _ in spans(receiver)] == ["replymeter"]


def test_settings_are_variables_and_a_wrong_one_stops_nothing(
    run: Callable[..., str], receiver: Receiver
) -> None:
    """The log says what is wrong; the program and the other instrumentations go on."""
    said = run(REPLYMETER_COST="yes")

    assert "REPLYMETER_COST=yes: give True or False; chat models are not instrumented" in said
    assert any("fastapi" in scope for scope, _ in spans(receiver))


def test_the_instrumentor_undoes_what_it_did(captured: Captured) -> None:
    """In code: with providers, once, and back."""
    instrumentor = ReplymeterInstrumentor()
    before = dict(vars(BaseChatModel))
    instrumentor.instrument(
        tracer_provider=captured.tracer_provider, meter_provider=captured.meter_provider
    )
    SyncModel().invoke("hello")
    instrumentor.uninstrument()
    SyncModel().invoke("hello")

    assert len(captured.spans) == 1
    assert dict(vars(BaseChatModel)) == before
