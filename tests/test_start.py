"""`start()` and the no-SDK warning, each in a process of its own: providers are set only once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = """
import logging, sys
logging.basicConfig(level=logging.INFO, format="%(message)s")
from langchain_core.language_models import FakeListChatModel
import replymeter
llm = FakeListChatModel(responses=["hi"])
"""


class Receiver:
    """Keeps what is posted to `/v1/traces` and `/v1/metrics` on loopback."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, bytes]] = []
        posted = self.posted

        self.connections: list[tuple[object, str, bytes]] = []
        connections = self.connections

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                connections.append((self.client_address, self.path, body))
                posted.append((self.path, body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def spans(self) -> list[str]:
        """The names of the spans that came."""
        requests = [
            ExportTraceServiceRequest.FromString(body)
            for path, body in self.posted
            if path == "/v1/traces"
        ]
        return [
            span.name
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def metrics(self) -> set[str]:
        """The names of the metrics that came."""
        requests = [
            ExportMetricsServiceRequest.FromString(body)
            for path, body in self.posted
            if path == "/v1/metrics"
        ]
        return {
            metric.name
            for request in requests
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def started(program: str, **variables: str) -> subprocess.Popen[str]:
    """*program* after `MODEL`, running with only the OTEL variables given."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    return subprocess.Popen(
        [sys.executable, "-c", MODEL + program],
        env={**inherited, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run *program* after `MODEL` with only the OTEL variables given."""
    with started(program, **variables) as running:
        try:
            out, errors = running.communicate(timeout=60)
        finally:
            running.kill()
    return subprocess.CompletedProcess(running.args, running.returncode, out, errors)


TAKEN = 2 * 512
"""Spans that the first exports took from the queue before the collector held them."""


def made_while_held(receiver: Receiver, program: str, **variables: str) -> int:
    """How many of the spans that *program* makes arrive, when no request is answered before."""
    made = threading.Event()
    answer = receiver.server.RequestHandlerClass.do_POST  # type: ignore[attr-defined]

    def hold(request: object) -> None:
        made.wait(60)
        answer(request)

    receiver.server.RequestHandlerClass.do_POST = hold  # type: ignore[attr-defined]
    program += "print('made', flush=True)\nstarted.flush(60)\nprint('sent', flush=True)"
    with started(program, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **variables) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "made\n"
        made.set()
        assert running.stdout.readline() == "sent\n"
    return len(receiver.spans())


def test_two_lines_send_spans_and_metrics(receiver: Receiver) -> None:
    """`start()` and `instrument(llm)` send a call's span and metrics by the time of exit."""
    done = run(
        "replymeter.start()\nreplymeter.instrument(llm).invoke('x')",
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
    )

    assert done.returncode == 0, done.stderr
    assert receiver.spans() == ["chat"]
    assert {"gen_ai.client.inference.duration", "replymeter.finish_reasons"} <= receiver.metrics()


def test_series_are_created_at_zero_before_the_first_call(receiver: Receiver) -> None:
    """A process that only instruments a named model exports its finish reasons at 0."""
    program = """
from langchain_openai import ChatOpenAI
replymeter.instrument(ChatOpenAI(model="m", api_key="k"))
replymeter.start()
"""
    done = run(program, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)

    assert done.returncode == 0, done.stderr
    assert receiver.metrics() == {
        "replymeter.finish_reasons",
        "replymeter.output_tokens",
        "replymeter.usage_missing",
        "replymeter.safety_blocks",
        "replymeter.internal_errors",
    }


def test_a_provider_that_is_there_is_kept() -> None:
    """`start()` never replaces a provider: it says so, and sets up only what is missing."""
    program = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
mine = TracerProvider()
trace.set_tracer_provider(mine)
started = replymeter.start()
print(trace.get_tracer_provider() is mine, started.tracer_provider is None)
"""
    done = run(program, OTEL_METRICS_EXPORTER="none")

    assert done.stdout == "True True\n"
    assert done.stderr.count("is kept; traces go there") == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon"), ("OTEL_TRACES_EXPORTER", "fax")],
)
def test_an_unknown_value_is_an_error_that_names_it(variable: str, value: str) -> None:
    """A variable with an unknown value raises ValueError with its name, the value and the known."""
    done = run("replymeter.start()", **{variable: value})

    assert done.returncode == 1
    assert f"ValueError: replymeter: {variable}='{value}' is not one of" in done.stderr


def test_without_an_sdk_one_warning_says_where_telemetry_went() -> None:
    """Two calls and no SDK: the app works, and one log line gives both remedies."""
    done = run("replymeter.instrument(llm)\nllm.invoke('x')\nprint(llm.invoke('x').content)")

    assert done.stdout == "hi\n"
    assert done.stderr.count("replymeter.start()") == 1
    assert done.stderr.count("set_meter_provider") == 1


def test_a_disabled_sdk_sets_up_nothing() -> None:
    """`OTEL_SDK_DISABLED=true` makes `start()` do nothing."""
    done = run("print(replymeter.start())", OTEL_SDK_DISABLED="true")

    assert done.stdout == "Started(tracer_provider=None, meter_provider=None)\n"


def test_the_queue_holds_what_start_says(receiver: Receiver) -> None:
    """While a collector does not answer, 65,536 spans wait and not one more."""
    program = """
from opentelemetry import trace
started = replymeter.start()
tracer = trace.get_tracer("many")
for _ in range(70_000):
    tracer.start_span("one").end()
"""
    waiting = made_while_held(receiver, program)

    assert 65_536 <= waiting <= 65_536 + TAKEN


def test_the_queue_of_the_variable_wins(receiver: Receiver) -> None:
    """`OTEL_BSP_MAX_QUEUE_SIZE` is heeded."""
    program = """
from opentelemetry import trace
started = replymeter.start()
tracer = trace.get_tracer("many")
for _ in range(5_000):
    tracer.start_span("one").end()
"""
    waiting = made_while_held(receiver, program, OTEL_BSP_MAX_QUEUE_SIZE="1000")

    assert 1000 <= waiting <= 1000 + TAKEN


FORKED = """
import os
started = replymeter.start()
replymeter.instrument(llm)
llm.invoke("x")
started.flush()  # The parent's connections are open, and kept.
child = os.fork()
llm.invoke("x")
started.flush()
if child:
    os.waitpid(child, 0)
    llm.invoke("x")
    started.flush()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_connections_of_its_own(receiver: Receiver) -> None:
    """No connection carries what two processes sent: their bytes would mix."""
    receiver.server.RequestHandlerClass.protocol_version = "HTTP/1.1"  # type: ignore[attr-defined]
    done = run(FORKED, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)

    assert done.returncode == 0, done.stderr
    senders = defaultdict(set)
    kinds: dict[str, Any] = {
        "/v1/traces": ExportTraceServiceRequest,
        "/v1/metrics": ExportMetricsServiceRequest,
    }
    for connection, path, body in receiver.connections:
        request = kinds[path].FromString(body)
        for resource in getattr(request, "resource_spans", ()) or request.resource_metrics:
            said = {one.key: one.value.string_value for one in resource.resource.attributes}
            senders[connection].add(said["service.instance.id"])
    assert len(set.union(*senders.values())) == 2  # the parent and the child
    assert {len(instances) for instances in senders.values()} == {1}
    assert len(receiver.connections) > len(senders)  # they are kept, so it could have gone wrong
