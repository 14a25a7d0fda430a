"""Whatever ends a process that called `start()`: its spans and its counts arrive, exactly."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from replymeter import conventions as names
from replymeter.leaving import Leaving, Patience, Signal
from replymeter.sending import Spans
from tests.test_start import MODEL, Receiver, receiver, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from http.server import BaseHTTPRequestHandler

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExportResult

__all__ = ["receiver"]  # the fixture

CALLS = """
def calls(count):
    for _ in range(count):
        llm.invoke("x")
replymeter.start()
replymeter.instrument(llm)
"""
WAIT = """
import time
print("ready", flush=True)
time.sleep(60)
"""
FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def counted(receiver: Receiver) -> Counter[str]:
    """The last count of calls that each instance sent: what Prometheus would add up."""
    last: Counter[str] = Counter()
    requests = [
        ExportMetricsServiceRequest.FromString(body)
        for path, body in tuple(receiver.posted)
        if path == "/v1/metrics"
    ]
    for resource in (resource for request in requests for resource in request.resource_metrics):
        said = {one.key: one.value.string_value for one in resource.resource.attributes}
        for metric in (metric for scope in resource.scope_metrics for metric in scope.metrics):
            if metric.name == names.DURATION.name:
                total = sum(point.count for point in metric.histogram.data_points)
                last[said["service.instance.id"]] = total
    return last


def ended_by_sigterm(program: str, url: str) -> int:
    """How *program*, after `MODEL`, ends: it gets SIGTERM when it prints a line."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    with subprocess.Popen(
        [sys.executable, "-c", MODEL + program + WAIT],
        env={**inherited, "OTEL_EXPORTER_OTLP_ENDPOINT": url},
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdout
        assert running.stdout.readline()
        running.send_signal(signal.SIGTERM)
        try:
            return running.wait(20)
        finally:
            running.kill()


def test_sigterm_loses_nothing(receiver: Receiver) -> None:
    """Spans and counts of the last seconds arrive, and the process ends by the signal."""
    assert ended_by_sigterm(CALLS + "calls(7)", receiver.url) == -signal.SIGTERM
    assert len(receiver.spans()) == 7
    assert sum(counted(receiver).values()) == 7


def test_an_earlier_handler_is_called_and_its_last_calls_arrive(receiver: Receiver) -> None:
    """A server that stops gracefully and then dies of the signal's default loses nothing."""
    server = """
import os, signal, time
def stop(number, frame):
    calls(3)  # what was in flight
    time.sleep(1)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
signal.signal(signal.SIGTERM, stop)
"""
    assert ended_by_sigterm(f"{server}{CALLS}calls(4)", receiver.url) == -signal.SIGTERM
    assert len(receiver.spans()) == 7
    assert sum(counted(receiver).values()) == 7


def test_a_signal_that_is_raised_again_at_once_loses_nothing(receiver: Receiver) -> None:
    """As uvicorn does it after its graceful stop."""
    server = """
import signal
def stop(number, frame):
    calls(3)  # what was in flight
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
signal.signal(signal.SIGTERM, stop)
"""
    assert ended_by_sigterm(f"{server}{CALLS}calls(4)", receiver.url) == -signal.SIGTERM
    assert len(receiver.spans()) == 7
    assert sum(counted(receiver).values()) == 7


@FORK
def test_a_forked_child_counts_from_zero(receiver: Receiver) -> None:
    """The parent's counts are not sent again by its children: the sum is what was made."""
    program = """
import os, sys
calls(10)
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        calls(20)
        sys.exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
calls(1)
"""
    done = run(CALLS + program, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)

    assert done.returncode == 0, done.stderr
    assert sorted(counted(receiver).values()) == [11, 20, 20, 20]
    assert len(receiver.spans()) == 71
    assert "Traceback" not in done.stderr


PROCESS = """
children = [context.Process(target=calls, args=(5,)) for _ in range(3)]
for one in children: one.start()
for one in children: one.join()
"""
EXECUTOR = """
from concurrent.futures import ProcessPoolExecutor
with ProcessPoolExecutor(2, mp_context=context) as pool:
    list(pool.map(calls, [5] * 3))
"""
POOL = """
with context.Pool(2) as pool:
    pool.map(calls, [5] * 3)
"""


@FORK
@pytest.mark.parametrize(
    "work", [PROCESS, EXECUTOR, POOL], ids=["Process", "ProcessPoolExecutor", "Pool"]
)
def test_children_of_multiprocessing_lose_nothing(work: str, receiver: Receiver) -> None:
    """They end without the interpreter's exit hooks, or by SIGTERM, and all the same arrive."""
    program = f"""
import multiprocessing
context = multiprocessing.get_context("fork")
calls(2)
{work}
"""
    done = run(CALLS + program, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)

    assert done.returncode == 0, done.stderr
    assert sum(counted(receiver).values()) == 17
    assert len(receiver.spans()) == 17


@FORK
def test_a_child_forked_during_an_export_counts(receiver: Receiver) -> None:
    """A collection and an export that go on while the parent forks do not silence the child."""
    program = """
import os, sys, threading, time
def export():
    started.flush(30)
calls(3)
threading.Thread(target=export, daemon=True).start()
time.sleep(0.5)
collecting = started.meter_provider._measurement_consumer._lock
collecting.acquire()
child = os.fork()
if child == 0:
    calls(4)
    sys.exit(0)
collecting.release()
os.waitpid(child, 0)
"""
    hold = threading.Event()
    slow(receiver, hold)
    text = CALLS.replace("replymeter.start()", "started = replymeter.start()") + program
    begun = time.monotonic()
    done = run(text, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    took = time.monotonic() - begun
    hold.set()

    assert done.returncode == 0, done.stderr
    assert 4 in counted(receiver).values()
    assert took < 35  # the parent's exports take 40


def slow(receiver: Receiver, hold: threading.Event) -> None:
    """The first two requests are not answered before *hold* is set."""
    handler = receiver.server.RequestHandlerClass
    answer = handler.do_POST  # type: ignore[attr-defined]
    waiting = iter(range(2))

    def post(request: object) -> None:
        if next(waiting, None) is not None:
            hold.wait(40)
        answer(request)

    handler.do_POST = post  # type: ignore[attr-defined]


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a collector that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_collector_that_hangs_does_not_keep_a_process(silent: str) -> None:
    """Exit takes 5 seconds at most, and one line says that something is lost."""
    program = "calls(2)\nimport time\nprint(time.time(), flush=True)"
    done = run(CALLS + program, OTEL_EXPORTER_OTLP_ENDPOINT=silent)

    assert done.returncode == 0
    assert time.time() - float(done.stdout) < 15  # the SDK alone takes up to 33
    assert done.stderr.count("not everything could be sent in 5 s") == 1


def test_flush_tells_whether_all_was_sent(receiver: Receiver) -> None:
    """True with a collector; False when nothing listens, after the time given and not later."""
    program = """
import time
started = replymeter.start()
replymeter.instrument(llm).invoke("x")
begun = time.monotonic()
print(started.flush(1.0), time.monotonic() - begun < 3)
started.shutdown(0.5)
"""
    there = run(program, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
    away = run(program, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")

    assert there.stdout == "True True\n", there.stderr
    assert away.stdout == "False True\n", away.stderr


def test_flush_is_true_when_what_goes_out_as_it_begins_arrives() -> None:
    """An export that is going on has not failed."""
    begun, go = threading.Event(), threading.Event()

    class Slow(InMemorySpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            begun.set()
            go.wait(20)
            return super().export(spans)

    spans = Spans(Slow)
    exporting = threading.Thread(target=spans.export, args=([],))
    exporting.start()
    begun.wait(20)

    def flush() -> None:
        go.set()
        exporting.join(20)

    assert Leaving([Signal(flush, flush, lambda: spans.failed, Patience(None))]).flush(20)


def test_flush_tells_that_a_collector_refused(receiver: Receiver) -> None:
    """What was answered with an error was not sent."""

    def refuse(request: BaseHTTPRequestHandler) -> None:
        request.rfile.read(int(request.headers["Content-Length"]))
        request.send_response(400)
        request.end_headers()

    receiver.server.RequestHandlerClass.do_POST = refuse  # type: ignore[attr-defined]
    program = """
started = replymeter.start()
replymeter.instrument(llm).invoke("x")
print(started.flush(10))
started.shutdown()
"""
    done = run(program, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)

    assert done.stdout == "False\n", done.stderr
    assert done.stderr.count("not everything could be sent") == 1
