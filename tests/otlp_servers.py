"""OTLP receivers on loopback that answer as a test says, well or not."""

from __future__ import annotations

import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATHS = ("/v1/traces", "/v1/metrics")


@dataclass
class Reply:
    """What an HTTP receiver answers; 404 to other paths than OTLP's."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = PATHS
    asked: list[Any] = field(default_factory=list)


@contextmanager
def http(reply: Reply, tls: Path | None = None, *, mutual: bool = False) -> Iterator[int]:
    """An HTTP receiver's port; with the certificates in *tls*, asking for one when *mutual*."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            reply.asked.append((self.path, dict(self.headers), body))
            self.send_response(reply.status if self.path in reply.paths else 404)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that breaks off is what the test is about."""

    with Server(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls / "cert.pem", tls / "key.pem")
            context.set_alpn_protocols(["http/1.1"])
            if mutual:
                context.load_verify_locations(tls / "ca.pem")
                context.verify_mode = ssl.CERT_REQUIRED
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()


@dataclass
class GrpcReply:
    """What a gRPC receiver answers: a status, or OK with a partial success."""

    code: Any = grpc.StatusCode.OK
    rejected: int = 0
    message: str = ""
    takes_metrics: bool = True


@contextmanager
def grpc_server(
    reply: GrpcReply, tls: Path | None = None, *, mutual: bool = False
) -> Iterator[int]:
    """A gRPC receiver's port."""

    class Service:
        def __init__(self, response: Any, rejected: str) -> None:
            self._response, self._rejected = response, rejected

        def Export(self, _: Any, context: Any) -> Any:  # noqa: N802  # gRPC's name
            if reply.code is not grpc.StatusCode.OK:
                context.abort(reply.code, reply.message)
            part = {self._rejected: reply.rejected, "error_message": reply.message}
            return self._response(partial_success=part)

    server = grpc.server(ThreadPoolExecutor(2))
    traces_grpc.add_TraceServiceServicer_to_server(  # type: ignore[no-untyped-call]
        Service(traces.ExportTraceServiceResponse, "rejected_spans"), server
    )
    if reply.takes_metrics:
        metrics_grpc.add_MetricsServiceServicer_to_server(  # type: ignore[no-untyped-call]
            Service(metrics.ExportMetricsServiceResponse, "rejected_data_points"), server
        )
    if tls is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        ca, cert, key = ((tls / f"{name}.pem").read_bytes() for name in ("ca", "cert", "key"))
        credentials = grpc.ssl_server_credentials([(key, cert)], ca if mutual else None, mutual)
        port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield int(port)
    finally:
        server.stop(0).wait()


@contextmanager
def mute(*, closes: bool) -> Iterator[int]:
    """A port that takes connections, and answers nothing; or reads, and *closes* them."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65_536)

        if closes:
            threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
