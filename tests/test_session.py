"""The session of `start()`'s exporters: what it tries again, what it believes, and what it says."""

from __future__ import annotations

import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from replymeter.leaving import Patience
from replymeter.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTIAL = ExportTraceServiceResponse(
    partial_success=ExportTracePartialSuccess(rejected_spans=3, error_message="a-secret-text")
).SerializeToString()


class Answers:
    """A server that answers with *told*, one after the other, then with 200."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.body = b""
        self.headers: dict[str, str] = {}
        self.asked: list[str] = []
        answers = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                answers.asked.append(self.command)
                self.send_response(answers.told.pop(0) if answers.told else 200)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", str(len(answers.body)))
                for name, value in answers.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answers.body)

            def do_GET(self) -> None:
                answers.asked.append(self.command)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://user:a-password@127.0.0.1:{self.server.server_address[1]}/v1/traces"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def answers() -> Iterator[Answers]:
    """The server."""
    server = Answers()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def patience() -> Patience:
    """Without an end, and in a hurry, so that tests are quick."""
    endless = Patience(None)
    endless.hurry()
    return endless


@pytest.mark.parametrize("status", [302, 307, 429, 502, 503, 504])
def test_what_is_temporary_is_tried_again(
    status: int, answers: Answers, patience: Patience, caplog: pytest.LogCaptureFixture
) -> None:
    """More often than the SDK does, and one line says so, one that it is over."""
    answers.told = [status] * 7
    with Session(patience) as session:
        assert session.post(answers.url, data=b"x").status_code == 200

    assert answers.asked == ["POST"] * 8
    assert [record.levelno for record in caplog.records if record.name == "replymeter"] == [
        logging.WARNING,
        logging.INFO,
    ]
    assert str(status) in caplog.text
    assert "a-password" not in caplog.text


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500])
def test_what_is_final_is_not(status: int, answers: Answers, patience: Patience) -> None:
    """The answer is the exporter's to judge."""
    answers.told = [status]
    with Session(patience) as session:
        assert session.post(answers.url, data=b"x").status_code == status

    assert answers.asked == ["POST"]


def test_a_redirect_is_no_success(answers: Answers) -> None:
    """When the patience is over it is an error."""
    answers.told = [302]
    with Session(Patience(0.0)) as session:
        assert session.post(answers.url, data=b"x").status_code == 503


def test_a_refusal_in_a_success_is_counted_and_told_once(
    answers: Answers, patience: Patience, caplog: pytest.LogCaptureFixture
) -> None:
    """`partial_success`: not sent again, as the protocol says; its text may quote content."""
    answers.body, answers.headers = PARTIAL, {"Content-Type": "application/x-protobuf"}
    with Session(patience) as session:
        for _ in range(2):
            assert session.post(answers.url, data=b"x").ok

    assert patience.refused == 6
    assert caplog.text.count("refused 3") == 1
    assert "a-secret-text" not in caplog.text


def test_nobody_there_is_waited_for(answers: Answers, patience: Patience) -> None:
    """A connection refused is tried until somebody listens."""
    port = answers.server.server_address[1]
    answers.server.shutdown()
    answers.server.server_close()
    came: list[int] = []

    def send() -> None:
        with Session(patience) as session:
            came.append(session.post(f"http://127.0.0.1:{port}/v1/traces", data=b"x").status_code)

    sender = threading.Thread(target=send)
    sender.start()
    time.sleep(1)
    assert not came
    late = ThreadingHTTPServer(("127.0.0.1", int(port)), answers.server.RequestHandlerClass)
    threading.Thread(target=late.serve_forever, daemon=True).start()
    patience.hurry()
    sender.join(20)
    late.shutdown()
    late.server_close()
    answers.server = late

    assert came == [200]


def test_a_hurry_ends_a_long_wait() -> None:
    """Who leaves does not wait for a pause to end."""
    patience = Patience(None)
    waiting = threading.Thread(target=patience.wait, args=(60.0,), daemon=True)
    waiting.start()
    patience.hurry()
    waiting.join(20)

    assert not waiting.is_alive()
