"""An HTTP server on loopback that answers as the providers do, from the wire cases."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from .cases import Case, load_case
from .framing import content_type, frames, wants_stream

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self

_LONGEST_WAIT = 120.0
_SILENT_CLIENT = 60.0
_UNKNOWN: Case = {"status": 404, "body": {"error": {"message": "no such wire case", "code": 404}}}


@dataclass(frozen=True)
class WireRequest:
    """One request as the server saw it."""

    flavour: str
    case: str
    stream: bool
    path: str
    body: dict[str, Any]


class WireServer:
    """Serves `/<flavour>/<case>/...` on 127.0.0.1, at a free port, until closed.

    `delay` (before the first byte) and `pause` (between the events of a stream) hold, in seconds,
    for cases that do not set their own; closing the server cuts every wait short. Without
    `keep_alive` each answer ends its connection, so that clients that nobody closes hold none.
    """

    def __init__(self, *, delay: float = 0.0, pause: float = 0.0, keep_alive: bool = False) -> None:
        self.requests: deque[WireRequest] = deque(maxlen=10_000)
        self._cases: dict[tuple[str, str], Case] = {}
        self._http = _Http(self, delay, pause, keep_alive=keep_alive)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="wire-server", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def port(self) -> int:
        """The port that the system chose."""
        return int(self._http.server_address[1])

    def url(self, flavour: str, case: str) -> str:
        """The base URL at which a provider's client finds this case."""
        return f"http://127.0.0.1:{self.port}/{flavour}/{case}"

    def add(self, flavour: str, name: str, case: Case) -> str:
        """Serve a case that is no file, or instead of one; returns its base URL."""
        self._cases[flavour, name] = case
        return self.url(flavour, name)

    def find(self, flavour: str, name: str) -> Case | None:
        """The case that answers under this name."""
        added = self._cases.get((flavour, name))
        if added is not None:
            return added
        with suppress(KeyError):
            return load_case(flavour, name)
        return None

    def close(self) -> None:
        """Stop serving, wake what waits and cut what is connected. Safe to call twice."""
        self._http.closing.set()
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join(timeout=5)
        self._http.cut_connections()
        self._http.server_close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, wire: WireServer, delay: float, pause: float, *, keep_alive: bool) -> None:
        self.wire = wire
        self.keep_alive = keep_alive
        self.delay = delay
        self.pause = pause
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        try:
            super().finish_request(request, client_address)
        finally:
            with self._lock:
                self._open.discard(request)

    def cut_connections(self) -> None:
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _SILENT_CLIENT
    server: _Http

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        path = self.path.partition("?")[0]
        flavour, name = [*path.split("/"), "", ""][1:3]
        stream = wants_stream(path, body)
        self.server.wire.requests.append(WireRequest(flavour, name, stream, path, body))
        case = self.server.wire.find(flavour, name) or {}
        answer = case.get("stream" if stream else "invoke", _UNKNOWN)
        if not self._wait(answer.get("delay", self.server.delay)):
            self._cut()
            return
        if "events" in answer:
            self._send_stream(flavour, answer)
        else:
            self._send_body(answer)

    def _send_body(self, answer: Mapping[str, Any]) -> None:
        content = json.dumps(answer["body"]).encode()
        self._send_head(
            answer, {"Content-Type": "application/json", "Content-Length": str(len(content))}
        )
        self.wfile.write(content)

    def _send_stream(self, flavour: str, answer: Mapping[str, Any]) -> None:
        """Chunked; `break` cuts the connection where the events end."""
        broken = bool(answer.get("break"))
        pause = answer.get("pause", self.server.pause)
        self._send_head(
            answer, {"Content-Type": content_type(flavour), "Transfer-Encoding": "chunked"}
        )
        for index, frame in enumerate(frames(flavour, answer["events"], complete=not broken)):
            if index and not self._wait(pause):
                self._cut()
                return
            self.wfile.write(b"%x\r\n%b\r\n" % (len(frame), frame))
        if broken:
            self._cut()
            return
        self.wfile.write(b"0\r\n\r\n")

    def _send_head(self, answer: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        self.send_response(answer.get("status", 200))
        for key, value in {**headers, **answer.get("headers", {})}.items():
            self.send_header(key, value)
        if not self.server.keep_alive:
            self.send_header("Connection", "close")
        self.end_headers()

    def _wait(self, seconds: float) -> bool:
        """False when the server closes meanwhile."""
        if seconds <= 0:
            return True
        return not self.server.closing.wait(min(seconds, _LONGEST_WAIT))

    def _cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base's name)
        """Silent."""
