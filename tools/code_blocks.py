"""A pytest plugin: runs the Python in the documentation, offline (`make site`).

The providers' classes call the loopback wire server, and `start()` sends to one that takes all.
"""

from __future__ import annotations

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from replymeter.demo.server import WireServer

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    path=str(Path(__file__).parents[1]),
    patterns=["README.md", "docs/*.md", "examples/*.md"],
).pytest()


class _TakesAll(BaseHTTPRequestHandler):
    """Answers as an OTLP receiver that accepts everything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's name)
        """Silent."""


def _receiver() -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _TakesAll)
    Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def pytest_configure() -> None:
    """Point everything at loopback; the servers last as long as the process."""
    wire = WireServer().__enter__()
    os.environ |= {
        "ANTHROPIC_API_KEY": "not-a-key",
        "ANTHROPIC_BASE_URL": wire.url("anthropic", "ok"),
        "OPENAI_API_KEY": "not-a-key",
        "OPENAI_BASE_URL": wire.url("openai", "ok"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": _receiver(),
    }
