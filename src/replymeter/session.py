"""The HTTP session that `start` gives to the OTLP exporters. Imported by `start` only.

The SDK's own tries a batch six times, then drops it; takes a redirect for success; and does not
read what a collector that answered 200 refused.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from replymeter.log import LOG

if TYPE_CHECKING:
    from replymeter.leaving import Patience

_AWAY = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
# https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes (read in November 2026).
_RETRYABLE = (429, 502, 503, 504)
_FIRST, _LONGEST = 0.5, 5.0  # seconds between two tries
_LONGEST_ASKED = 60.0  # seconds, when the collector says how long by Retry-After

_WAITING = "replymeter: the collector at %s does not take telemetry (%s); it is kept and sent later"
_BACK = "replymeter: the collector at %s takes telemetry again"
_REFUSED = "replymeter: the collector at %s refused %d spans or data points; its log says why"


class Session(requests.Session):
    """Tries again what the collector cannot take now, as *patience* says."""

    def __init__(self, patience: Patience) -> None:
        super().__init__()
        self._patience = patience
        self._waits = False

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """Send one request until it is answered for good, or the patience is over."""
        kwargs["allow_redirects"] = False  # a POST would become a GET
        end = self._patience.end()
        pause = _FIRST
        while True:
            error, response = None, None
            try:
                response = super().request(method, url, *args, **kwargs)
            except _AWAY as one:
                error = one
            if response is not None and not _is_temporary(response):
                self._answered(response)
                return response
            if time.monotonic() + pause > end:
                return _given_up(response, error)
            self._say(url, type(error).__name__ if response is None else response.status_code)
            self._patience.wait(pause if response is None else _asked(response, pause))
            pause = min(2 * pause, _LONGEST)

    def _say(self, url: str, why: object) -> None:
        if not self._waits:
            LOG.warning(_WAITING, _place(url), why)
        self._waits = True

    def _answered(self, response: requests.Response) -> None:
        if self._waits and response.ok:
            LOG.info(_BACK, _place(response.url))
            self._waits = False
        refused = _refused(response)
        if refused:
            if not self._patience.refused:
                LOG.warning(_REFUSED, _place(response.url), refused)
            self._patience.refused += refused


def _is_temporary(response: requests.Response) -> bool:
    """A redirect is one too: a proxy's, while what is behind it is away."""
    return response.status_code in _RETRYABLE or 300 <= response.status_code < 400


def _given_up(response: requests.Response | None, error: Exception | None) -> requests.Response:
    if response is None:
        assert error is not None  # noqa: S101  # one of the two
        raise error
    if response.status_code < 400:
        response.status_code = 503  # the exporter takes a redirect for success
    return response


def _asked(response: requests.Response, pause: float) -> float:
    """How long the collector asks to wait, in seconds; *pause* when it does not."""
    try:
        return min(max(float(response.headers["Retry-After"]), pause), _LONGEST_ASKED)
    except (KeyError, ValueError):
        return pause


def _refused(response: requests.Response) -> int:
    """How many spans, or data points, a successful answer says were refused."""
    if not response.ok or "protobuf" not in response.headers.get("Content-Type", ""):
        return 0
    try:
        # Spans and metrics: the same fields with the same numbers.
        answer = ExportTraceServiceResponse.FromString(response.content)
    except Exception:  # noqa: BLE001  # not protobuf after all
        return 0
    return int(answer.partial_success.rejected_spans)


def _place(url: str) -> str:
    """Where, without what a URL may hide."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or ''}{parts.path}"
