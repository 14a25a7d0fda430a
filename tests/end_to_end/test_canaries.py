"""What a prompt, a key, a header, a reply or an exception says is nowhere on the way.

Each search is shown to find a word that did go there.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from replymeter import conventions as names
from tests.end_to_end import certificates
from tests.end_to_end.calls_app import CANARY
from tests.end_to_end.canary_app import CALLS, IMAGE
from tests.end_to_end.chain import run_agent, run_gateway
from tests.end_to_end.conftest import Pipeline
from tests.end_to_end.parts import eventually, free_ports, prometheus
from tests.test_secrets import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(240)]

WORDS = (SECRET, IMAGE, CANARY)  # the last one is in the resource
CONTENT = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_only"}
# So that the write-ahead log, which holds all that Prometheus took, can be searched.
UNCOMPRESSED = "--no-storage.tsdb.wal-compression"


@pytest.fixture
def bodies() -> Iterator[tuple[str, list[bytes]]]:
    """The URL of a server on loopback, and the raw OTLP that it got."""
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", got
    server.shutdown()
    server.server_close()


def run(pipeline: Pipeline, **variables: str) -> str:
    """Run the app; what it wrote to its terminal."""
    app = pipeline.start_app("canary_app", "unseen-service", **variables)
    output, errors = app.communicate(timeout=100)
    assert app.returncode == 0, errors
    return output + errors


def holding(folder: Path, word: str) -> list[str]:
    """The files under *folder* that hold *word*."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    return [str(file) for file in files if word.encode() in file.read_bytes()]


def test_the_library_sends_none(pipeline: Pipeline, bodies: tuple[str, list[bytes]]) -> None:
    """Not in one byte of OTLP, unless content is asked for, nor on the terminal."""
    url, got = bodies
    to_it = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_RESOURCE_ATTRIBUTES": "a=b"}
    terminal = run(pipeline, **to_it)
    sent = b"".join(got)
    got.clear()
    terminal += run(pipeline, **to_it, **CONTENT)
    with_content = b"".join(got)

    assert b"rate_limit" in sent
    assert [word for word in WORDS if word.encode() in sent] == []
    assert [word for word in WORDS if word in terminal] == []
    assert SECRET.encode() in with_content
    assert IMAGE.encode() not in with_content  # data are left out even then


def test_none_is_on_any_disk(
    pipeline: Pipeline, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Content is asked for, and yet: not in queues, files, logs, nor in Prometheus's data."""
    port, tls = free_ports(1)[0], tmp_path_factory.mktemp("certificates") / "tls"
    certificates.write(tls)
    with prometheus(tmp_path / "prometheus", UNCOMPRESSED) as store:
        with run_agent(tmp_path / "agent", tls, port) as agent:
            terminal = run(Pipeline(agent, store), **CONTENT)
            assert holding(tmp_path / "agent" / "queue", "unseen-service")
        with (
            run_gateway(tmp_path / "gateway", tls, store, port) as gateway,
            run_agent(tmp_path / "agent", tls, port) as agent,
        ):
            series = f'{names.DURATION.prometheus}_count{{job="unseen-service"}}'
            eventually(lambda: store.total(series) == CALLS and gateway.span_ids(), 60)
            assert store.total(series) == CALLS
            traces = {span["traceId"] for span in agent.spans()}

    data = tmp_path / "prometheus" / "data"
    assert holding(tmp_path / "gateway", "unseen-service")
    assert holding(data, "unseen-service")  # a label
    assert any(holding(data, trace) for trace in traces)  # an exemplar
    assert {word: holding(tmp_path, word) for word in WORDS} == {word: [] for word in WORDS}
    assert [word for word in WORDS if word in terminal] == []
